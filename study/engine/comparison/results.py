"""results.csv of a comparison: one row per run, planned runs included."""

from collections.abc import Sequence
from typing import Any

from study.engine.comparison.design import runs_of
from study.engine.comparison.runs import ComparisonRun
from study.spec.comparison.schema import FACTORS, load_comparison
from study.storage.folder import StudyFolder
from study.storage.record import StudyRecord
from study.storage.runs import key_of, latest_trials
from study.storage.stored import StoredStudy
from study.storage.tables import outcome, write_rows


def write_results(
    folder: StudyFolder, runs: Sequence[ComparisonRun], record: StudyRecord, objective: str
) -> None:
    """Writes labels, state, settings, progress and scores of every run, in the order of `runs`.

    The state of a run that has not started is `planned`. The columns of settings are those between
    `reason` and `reports`.
    """
    write_rows(folder.results, result_rows(runs, record), always=("reports", objective))


def rebuild_results(stored: StoredStudy) -> None:
    """Writes results.csv again from spec.yaml and the journal.

    Raises:
        InputError: one of these is damaged.
    """
    runs, record = _read(stored)
    write_results(stored.folder, runs, record, record.metric)


def rows_of(stored: StoredStudy) -> list[dict[str, Any]]:
    """Returns the rows of results.csv, computed from spec.yaml and the journal.

    Raises:
        InputError: one of these is damaged.
    """
    return result_rows(*_read(stored))


def _read(stored: StoredStudy) -> tuple[list[ComparisonRun], StudyRecord]:
    spec = load_comparison(stored.folder.spec)
    return runs_of(spec), stored.record(spec.first.objective)


def result_rows(runs: Sequence[ComparisonRun], record: StudyRecord) -> list[dict[str, Any]]:
    """Returns the rows of results.csv."""
    trials = latest_trials(record)
    measured = {name for trial in trials.values() for name in trial.metrics}
    # LoRA's setting `rank` has the name of a metric, and is written to the column of that metric.
    names = dict.fromkeys(name for run in runs for name in run.settings)
    settings = [name for name in names if name not in measured | {"method", "rank"}]
    rows = []
    for run in runs:
        trial = trials.get(key_of(run))
        row = {
            "run": "" if trial is None else trial.number,
            "configuration": run.configuration.label,
            "method": run.settings["method"],
            **{name: "" if run.labels[name] is None else run.labels[name] for name in FACTORS},
            "state": "planned" if trial is None else trial.state,
            "reason": "" if trial is None else trial.reason,
            **{name: run.settings.get(name, "") for name in settings},
        }
        rows.append(run.settings | row if trial is None else row | outcome(trial))
    return rows
