"""trials.csv and pareto.csv, and rows of results.csv: one row per trial."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from study.spec.goals import Goals
from study.storage.durable import replacing
from study.storage.ledger import StudyLedger
from study.storage.record import StudyRecord, TrialRecord


def write_rows(path: Path, rows: Sequence[dict[str, Any]], always: Sequence[str] = ()) -> None:
    """Writes a csv with the columns of all rows and those in `always`; replaces it atomically."""
    columns = list(dict.fromkeys([*(name for row in rows for name in row), *always]))
    table = io.StringIO(newline="")
    writer = csv.DictWriter(table, columns, restval="")
    writer.writeheader()
    writer.writerows(rows)
    with replacing(path) as file:
        file.write(table.getvalue().encode())


def outcome(trial: TrialRecord) -> dict[str, Any]:
    """Returns a trial's progress, its seconds and the metrics of its last report, by column."""
    return {
        "reports": len(trial.reports),
        "steps": trial.reports[-1].step if trial.reports else 0,
        "total_steps": trial.total_steps,
        "seconds": "" if trial.seconds is None else round(trial.seconds, 1),
        **trial.metrics,
    }


def write_trials(ledger: StudyLedger) -> None:
    """Writes trials.csv, one row per trial; with several objectives also pareto.csv."""
    rows = trial_rows(ledger.record, ledger.goals)
    write_rows(ledger.folder.trials, rows)
    if len(ledger.goals.objectives) > 1:
        front = [rows[trial.number] for trial in ledger.record.front(ledger.goals)]
        write_rows(ledger.folder.pareto, front, always=("trial",))


def trial_rows(record: StudyRecord, goals: Goals) -> list[dict[str, Any]]:
    """Returns the rows of trials.csv.

    `feasible`: whether a trial meets the constraints; `on_front`: whether it is on the Pareto
    front; empty if not known.
    """
    rows = {trial.number: _row(trial) for trial in record.trials.values()}
    if goals.constraints:
        for number, trial in record.trials.items():
            rows[number]["feasible"] = _yes_or_no(trial.feasible(goals.constraints))
    if len(goals.objectives) > 1:
        front = [trial.number for trial in record.front(goals)]
        for trial in record.in_state("complete"):
            rows[trial.number]["on_front"] = _yes_or_no(trial.number in front)
    return list(rows.values())


def _yes_or_no(answer: bool | None) -> str:
    return {True: "yes", False: "no", None: ""}[answer]


def _row(trial: TrialRecord) -> dict[str, Any]:
    return {
        "trial": trial.number,
        "state": trial.state,
        "reason": trial.reason,
        **trial.params,
        **trial.settings,
        **{f"seed_{name}": seed for name, seed in trial.seeds.items()},
        **outcome(trial),
    }
