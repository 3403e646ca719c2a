"""The record of the events: states, values, the best trial."""

from dataclasses import replace

import pytest

from study.storage.events import Report, StudyResumed, TrialCrashed, TrialCreated, TrialEnded
from study.storage.ledger import StudyLedger
from study.storage.record import StudyRecord
from tests.study.ledgers import OpenLedger, create, report


def test_a_record_updated_event_by_event_equals_one_of_all_events(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    create(ledger, 0)
    report(ledger, 0, 1, 0.25)
    ledger.end(ledger.record.trials[0], "pruned", "below the rung")
    create(ledger, 1)
    assert open_ledger().record == ledger.record


def test_the_value_is_that_of_the_last_report(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    create(ledger, 0)
    trial = ledger.record.trials[0]
    assert trial.value is None
    report(ledger, 0, 1, 0.5)
    report(ledger, 0, 2, 0.25)
    assert trial.value == 0.25
    assert trial.values == {10: 0.5, 20: 0.25}


def test_a_report_that_is_not_finite_has_no_value(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    create(ledger, 0)
    report(ledger, 0, 1, 0.5)
    report(ledger, 0, 2, float("nan"))
    assert ledger.record.trials[0].value is None
    assert ledger.record.trials[0].values == {10: 0.5}


@pytest.mark.parametrize(("metric", "best"), [("mcc", 1), ("loss", 0)])
def test_the_best_trial_follows_the_direction_of_the_metric(
    open_ledger: OpenLedger, metric: str, best: int
) -> None:
    ledger = open_ledger(f"search.metric={metric}")
    for number, value in enumerate([0.2, 0.7, 0.7, 0.9]):
        create(ledger, number)
        metrics = {f"dev_{metric}": value, "train_loss": 0.5}
        ledger.append(Report(trial=number, report=4, step=40, metrics=metrics))
        state = "pruned" if number == 3 else "complete"
        ledger.end(ledger.record.trials[number], state, "")
    winner = ledger.best()
    assert winner is not None
    assert winner.number == best


def test_a_second_end_of_a_trial_is_ignored(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    create(ledger, 0)
    ledger.end(ledger.record.trials[0], "pruned", "first")
    ledger.end(ledger.record.trials[0], "failed", "second")
    assert ledger.record.trials[0].state == "pruned"
    assert sum(isinstance(event, TrialEnded) for event in ledger.journal.read()) == 1


def test_the_seconds_of_a_trial_exclude_the_time_between_sessions(
    open_ledger: OpenLedger,
) -> None:
    ledger = open_ledger()
    create(ledger, 0)
    create(ledger, 1)
    report(ledger, 0, 1, 0.5)
    ledger.end(ledger.record.trials[1], "pruned", "")
    ledger.append(StudyResumed())
    ledger.end(ledger.record.trials[0], "complete", "")
    moments = {"study": 0, "created": 10, "report": 30, "resumed": 1000, "ended": 1005}
    events = [replace(e, time=moments[e.event]) for e in ledger.journal.read()]
    early = next(place for place, e in enumerate(events) if isinstance(e, TrialEnded))
    events[early] = replace(events[early], time=40)
    record = StudyRecord("dev_mcc")
    for event in events:
        record.apply(event)
    assert record.trials[0].seconds == (40 - 10) + (1005 - 1000)
    assert record.trials[1].seconds == 40 - 10


def test_listeners_are_called_after_the_event_is_on_disk(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    received = []
    ledger.listeners.append(
        lambda event, record: received.append(
            (event, ledger.journal.read()[-1], dict(record.trials))
        )
    )
    create(ledger, 0)
    [(event, on_disk, trials)] = received
    assert event == on_disk
    assert 0 in trials


BOUNDS = 'constraints={kept_parameters: "<= 100", train_seconds: "<= 10"}'


def ended(ledger: StudyLedger, value: float, kept: float, seconds: float, state: str) -> int:
    """Journals a trial that has ended; returns its number."""
    number = len(ledger.record.trials)
    create(ledger, number)
    metrics = {"dev_mcc": value, "kept_parameters": kept, "train_seconds": seconds}
    ledger.append(Report(trial=number, report=4, step=40, metrics=metrics))
    ledger.end(ledger.record.trials[number], state, "")
    return number


def test_the_best_trial_satisfies_the_constraints(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(BOUNDS)
    ended(ledger, 0.9, kept=200, seconds=5, state="complete")
    ended(ledger, 0.8, kept=100, seconds=11, state="complete")
    assert ledger.best() is None
    assert ledger.record.why_no_winner(ledger.goals) == (
        "no complete trial meets the constraints; nearest comes trial 1, with train_seconds 11 "
        "against 10"
    )
    kept = ended(ledger, 0.1, kept=100, seconds=10, state="complete")
    ended(ledger, 0.2, kept=50, seconds=5, state="pruned")
    best = ledger.best()
    assert best is not None
    assert best.number == kept


def test_the_feasibility_of_a_trial_that_is_not_complete_is_false_or_unknown(
    open_ledger: OpenLedger,
) -> None:
    ledger = open_ledger(BOUNDS)
    constraints = ledger.goals.constraints
    trials = ledger.record.trials
    slow = trials[ended(ledger, 0.5, kept=50, seconds=11, state="pruned")]
    large = trials[ended(ledger, 0.5, kept=200, seconds=5, state="pruned")]
    failed = trials[ended(ledger, 0.5, kept=200, seconds=50, state="failed")]
    assert (slow.feasible(constraints), large.feasible(constraints)) == (False, None)
    assert failed.feasible(constraints) is None
    create(ledger, 3)
    assert trials[3].feasible(constraints) is None


def test_the_pareto_front_has_complete_feasible_trials_only(
    open_ledger: OpenLedger,
) -> None:
    ledger = open_ledger(BOUNDS, "objectives=[maximize dev_mcc, minimize kept_parameters]")
    for value, kept, seconds, state in [
        (0.9, 90, 5, "complete"),
        (0.5, 95, 5, "complete"),  # Beaten by the first.
        (0.2, 10, 5, "complete"),
        (0.8, 5, 11, "complete"),  # Too slow.
        (0.95, 80, 5, "pruned"),
    ]:
        ended(ledger, value, kept, seconds, state)
    assert [trial.number for trial in ledger.record.front(ledger.goals)] == [0, 2]


def test_the_longest_time_between_reports_leaves_out_interruptions() -> None:
    created = {"params": {}, "settings": {}, "seeds": {}, "total_steps": 8, "reports": 8}
    record = StudyRecord("dev_mcc")
    for trial in (0, 1):
        record.apply(TrialCreated(time=0.0, trial=trial, optuna={}, **created))

    def reported(trial: int, time: float) -> None:
        number = len(record.trials[trial].reports) + 1
        record.apply(Report(time=time, trial=trial, report=number, step=number, metrics={}))

    reported(0, 100.0)  # The start is no interval.
    reported(1, 105.0)
    reported(0, 130.0)
    assert record.longest_interval == 30.0
    record.apply(TrialCrashed(time=200.0, trial=0, attempt=1, fault=False, reason="x"))
    reported(0, 900.0)
    record.apply(StudyResumed(time=90_000.0))
    reported(0, 90_100.0)
    reported(1, 90_100.0)
    assert record.longest_interval == 30.0
    reported(1, 90_150.0)
    assert record.longest_interval == 50.0
