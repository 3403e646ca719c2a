"""results.csv: one row per run, including planned and unavailable ones."""

from collections.abc import Callable, Sequence
from typing import Any

from study.engine.benchmark.runs import BenchmarkRun, runs_of
from study.spec.benchmark.loading import load_benchmark
from study.storage.events import DataRead
from study.storage.folder import StudyFolder
from study.storage.record import StudyRecord, TrialRecord
from study.storage.runs import key_of, latest_trials
from study.storage.stored import StoredStudy
from study.storage.tables import outcome, write_rows

OBJECTIVE = "dev_mcc"
"""The metric of the live table; nothing is selected by it."""
ALWAYS = ("test_mcc", "test_auc", "trainable_parameters", "test_rows")
"""Columns that exist before any run has ended."""
Lacking = Callable[[BenchmarkRun], str | None]
"""Returns why a run is unavailable, None if it is available."""


def write_results(
    folder: StudyFolder, runs: Sequence[BenchmarkRun], record: StudyRecord, lacking: Lacking
) -> None:
    """Writes one row per run: labels, state, settings, scores and counts.

    A run that has not started is `planned`, or `unavailable` without its weights or data.
    """
    write_rows(folder.results, _rows(runs, record, lacking), ALWAYS)


def rebuild_results(stored: StoredStudy) -> None:
    """Rewrites results.csv from spec.yaml and the journal.

    Raises:
        InputError: one of them is damaged.
    """
    write_rows(stored.folder.results, result_rows(stored), ALWAYS)


def result_rows(stored: StoredStudy) -> list[dict[str, Any]]:
    """Returns the rows of results.csv from spec.yaml and the journal.

    Raises:
        InputError: one of them is damaged.
    """
    runs = runs_of(load_benchmark(str(stored.folder.spec), stored=True))
    lacking: dict[str, str] = {}
    for event in stored.events:
        if isinstance(event, DataRead):
            lacking = dict(event.unavailable)
    record = stored.record(OBJECTIVE)
    return _rows(runs, record, lambda run: lacking.get(run.cell.named))


def _rows(
    runs: Sequence[BenchmarkRun], record: StudyRecord, lacking: Lacking
) -> list[dict[str, Any]]:
    trials = latest_trials(record)
    return [_row(run, trials.get(key_of(run)), lacking(run)) for run in runs]


def _row(run: BenchmarkRun, trial: TrialRecord | None, lacking: str | None) -> dict[str, Any]:
    labels = {name: "" if value is None else value for name, value in run.labels.items()}
    if trial is None:
        state, reason = ("planned", "") if lacking is None else ("unavailable", lacking)
        return {"run": "", **labels, "state": state, "reason": reason, **run.settings}
    return {
        "run": trial.number,
        **labels,
        "state": trial.state,
        "reason": trial.reason,
        **trial.settings,
        **outcome(trial),
    }
