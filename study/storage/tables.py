"""trials.csv and pareto.csv, and rows of results.csv: one row per trial."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from study.spec import StudySpec
from study.storage.durable import replacing
from study.storage.ledger import StudyLedger
from study.storage.record import StudyRecord, TrialRecord
from study.storage.result import Estimate, StudyResult, TrialResult, study_result
from study.storage.result.estimates import estimate


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
    rows = trial_rows(ledger.record, ledger.spec)
    write_rows(ledger.folder.trials, rows)
    if len(ledger.goals.objectives) > 1:
        front = [rows[trial.number] for trial in ledger.record.front(ledger.goals)]
        write_rows(ledger.folder.pareto, front, always=("trial",))


def trial_rows(record: StudyRecord, spec: StudySpec) -> list[dict[str, Any]]:
    """Returns the rows of trials.csv.

    `feasible`: whether a trial meets the constraints; `on_front`: whether it is on the Pareto
    front; empty if not known. After a race also the columns of `race_columns`.
    """
    goals, rows = spec.goals, {trial.number: _row(trial) for trial in record.trials.values()}
    if goals.constraints:
        for number, trial in record.trials.items():
            rows[number]["feasible"] = _yes_or_no(trial.feasible(goals.constraints))
    if len(goals.objectives) > 1:
        front = [trial.number for trial in record.front(goals)]
        for trial in record.in_state("complete"):
            rows[trial.number]["on_front"] = _yes_or_no(trial.number in front)
    if record.winner is not None and record.winner.race:
        result = study_result(record, spec)
        for one in result.trials:
            rows[one.number] |= _race_cells(result, one)
    return list(rows.values())


def race_columns(spec: StudySpec) -> list[str]:
    """Returns the columns of the race, which tables of earlier versions do not have."""
    metric, test = spec.objective, f"test_{spec.search.metric}"
    names = [f"{metric}_fresh_mean", f"{metric}_fresh_sd", "fresh_runs", "fresh_failed"]
    names += [f"{metric}_estimate", "as_good"]
    ends = ("mean", "sd", "low", "high")
    names += [f"{name}_confirmed_{end}" for name in (metric, test) for end in ends]
    return [*names, "confirmed_runs"]


def _race_cells(result: StudyResult, trial: TrialResult) -> dict[str, Any]:
    """Returns a trial's cells of `race_columns`; those of the confirming runs of the winner."""
    as_good = trial.as_good if trial.state == "complete" else None
    cells: dict[str, Any] = {"as_good": _yes_or_no(as_good)}
    fresh = estimate(result.metric, trial.choosing)
    if fresh is not None:
        cells |= {f"{result.metric}_fresh_{end}": _cell(fresh, end) for end in ("mean", "sd")}
        cells |= {f"{result.metric}_estimate": trial.estimate}
    if trial.choosing:
        failed = trial.choosing.count(None)
        cells |= {"fresh_runs": len(trial.choosing), "fresh_failed": failed}
    headline = result.headline
    if headline is not None and headline.confirmed and headline.trial == trial.number:
        for name in (result.metric, result.test_metric):
            if (score := headline.score(name)) is not None:
                ends = ("mean", "sd", "low", "high")
                cells |= {f"{name}_confirmed_{end}": _cell(score, end) for end in ends}
        cells |= {"as_good": "winner", "confirmed_runs": len(headline.seeds)}
    return cells


def _cell(estimate: Estimate, name: str) -> Any:
    value = getattr(estimate, name)
    return "" if value is None else value


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
        **_audit_cells(trial),
    }


def _audit_cells(trial: TrialRecord) -> dict[str, Any]:
    """Returns the score that a stopped trial reached at its end, if it was audited."""
    if trial.audited is None:
        return {}
    return {f"{trial.metric}_audited": trial.audited.metrics.get(trial.metric)}
