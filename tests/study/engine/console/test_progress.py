"""The live table: running trials first, then as many ended ones as fit."""

import io

import pytest
from rich.console import Console

from study.engine.console.progress import ROWS, Progress
from study.storage.events import TrialCrashed, TrialStalled
from tests.study.ledgers import OpenLedger, create


@pytest.mark.parametrize("running", [0, 1, ROWS - 1, ROWS, ROWS + 4])
@pytest.mark.parametrize("ended", [0, 3, 40])
def test_the_table_has_running_trials_and_then_ended_ones(
    open_ledger: OpenLedger, running: int, ended: int
) -> None:
    ledger = open_ledger()
    for number in range(ended + running):
        create(ledger, number)
        if number < ended:
            ledger.end(ledger.record.trials[number], "pruned", "")
    progress = Progress(
        Console(file=io.StringIO()),
        metric=ledger.metric,
        columns=tuple(ledger.spec.domains),
        trials=100,
        concurrent=running or 1,
        maximize=True,
    )
    progress(ledger.journal.read()[-1], ledger.record)
    headline, head, *rows = progress._table().plain.splitlines()
    assert f"{running} running of 100" in headline
    more = rows.pop() if running > ROWS else ""
    assert more == ("and 4 more running" if running > ROWS else "")
    assert len(rows) == min(ROWS, ended + running)
    assert sum(row.split()[1] == "running" for row in rows) == min(ROWS, running)
    assert {len(row) for row in rows} <= {len(head)}


def test_a_stalled_worker_is_named_in_the_table_and_in_a_line(open_ledger: OpenLedger) -> None:
    ledger, text = open_ledger(), io.StringIO()
    create(ledger, 0)
    progress = Progress(
        Console(file=text),
        metric=ledger.metric,
        columns=tuple(ledger.spec.domains),
        trials=6,
        concurrent=1,
        maximize=True,
    )
    ledger.listeners = [progress]
    ledger.append(TrialStalled(trial=0, minutes=3.0, limit=15.0))
    assert progress._table().plain.splitlines()[-1].split()[1] == "stalled"
    ledger.append(TrialStalled(trial=0, minutes=0.0, limit=15.0))
    assert progress._table().plain.splitlines()[-1].split()[1] == "running"
    ledger.append(TrialCrashed(trial=0, attempt=1, fault=False, reason="stalled: killed"))
    assert text.getvalue().splitlines() == [
        "trial 0: its worker has given no sign of life for 3 min; after 15 min it is killed and "
        "the trial tried again",
        "trial 0: stalled: killed",
    ]
