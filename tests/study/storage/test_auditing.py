"""Which stopped trials run on, and what a journal may say of them."""

import pytest

from study.storage.auditing import awaiting, chosen, is_chosen
from study.storage.consistency import fault
from study.storage.events import TrialAudited
from study.storage.ledger import StudyLedger
from tests.study.ledgers import OpenLedger, ReadSpec, create, report


def stopped(ledger: StudyLedger, number: int) -> None:
    """Journals a trial that is stopped after its second report."""
    create(ledger, number)
    for index in (1, 2):
        report(ledger, number, index, 0.1)
    ledger.end(ledger.record.trials[number], "pruned", "below the rung")


def test_the_rate_is_that_of_the_spec_and_the_choice_a_function_of_seed_and_trial(
    read_spec: ReadSpec,
) -> None:
    spec = read_spec("scheduler.audit=0.1")
    picked = [number for number in range(5000) if is_chosen(number, spec)]
    assert 400 < len(picked) < 600
    assert picked == [number for number in range(5000) if is_chosen(number, spec)]
    other = read_spec("scheduler.audit=0.1", "search.seed=1")
    assert picked != [number for number in range(5000) if is_chosen(number, other)]
    none = read_spec()
    assert not any(is_chosen(number, none) for number in range(100))


def test_a_larger_rate_keeps_the_trials_of_a_smaller_one(read_spec: ReadSpec) -> None:
    specs = [read_spec(f"scheduler.audit={rate}") for rate in (0.1, 0.5)]
    few, many = ({n for n in range(500) if is_chosen(n, spec)} for spec in specs)
    assert few < many


def test_only_stopped_trials_run_on_and_their_checkpoints_are_kept(
    open_ledger: OpenLedger,
) -> None:
    ledger = open_ledger("scheduler.audit=1")
    for number in (0, 1):
        stopped(ledger, number)
    create(ledger, 2)
    ledger.end(ledger.record.trials[2], "failed", "diverged")
    assert [trial.number for trial in chosen(ledger.record, ledger.spec)] == [0, 1]
    ledger.append(TrialAudited(trial=0, step=40, metrics={"dev_mcc": 0.4}, reason=""))
    assert [trial.number for trial in awaiting(ledger.record, ledger.spec)] == [1]
    assert ledger.needed == {1}
    trial = ledger.record.trials[0]
    assert (trial.state, trial.value, ledger.best()) == ("pruned", 0.1, None)


@pytest.mark.parametrize(("number", "found"), [(0, "second"), (1, "running"), (2, "not")])
def test_a_journal_with_an_impossible_audit_is_refused(
    open_ledger: OpenLedger, number: int, found: str
) -> None:
    ledger = open_ledger("scheduler.audit=1")
    stopped(ledger, 0)
    create(ledger, 1)
    event = TrialAudited(trial=0, step=40, metrics={}, reason="")
    assert fault(ledger.record, event) is None
    ledger.append(event)
    impossible = TrialAudited(trial=number, step=40, metrics={}, reason="")
    assert found in str(fault(ledger.record, impossible))
