"""Runs of a benchmark or comparison: identified by their labels, recorded as trials.

A run that crashed is tried again as a new trial, so the state of a run is that of its latest
trial.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from study.spec import StudySpec
from study.storage.events import TrialCreated
from study.storage.record import StudyRecord, TrialRecord

Label = str | int | None
Key = tuple[Label, ...]
"""The values of a run's labels, in order."""


class Run(Protocol):
    """One training with given settings and seeds."""

    @property
    def labels(self) -> Mapping[str, Label]:
        """Its identity in the journal, MLflow and results.csv."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """The settings that determine its result, by leaf name."""

    @property
    def seeds(self) -> Mapping[str, int]:
        """Seed by stream; empty if nothing is random."""

    @property
    def spec(self) -> StudySpec:
        """A study of one trial."""


RunT = TypeVar("RunT", bound=Run)
Source = Callable[[StudyRecord], Sequence[RunT]]
"""Returns the runs that should exist at the present state, in order.

A pure function. It may return more runs as others end, and never fewer.
"""


def key_of(run: Run) -> Key:
    """Returns the key of a run."""
    return tuple(run.labels.values())


def created(number: int, run: Run, steps: int, reports: int) -> TrialCreated:
    """Returns the event that creates a trial of a run; the journal keeps labels as `params`."""
    return TrialCreated(
        trial=number,
        params=run.labels,
        settings=run.settings,
        seeds=run.seeds,
        total_steps=steps,
        reports=reports,
        optuna={},
    )


def label_of_trial(trial: TrialRecord) -> str:
    """Returns the label of a configuration that is a trial of a study."""
    return f"trial-{trial.number}"


def latest_trials(record: StudyRecord) -> dict[Key, TrialRecord]:
    """Returns the latest trial of each run."""
    return {tuple(trial.labels.values()): trial for trial in record.trials.values()}


def unfinished_runs(runs: Sequence[RunT], record: StudyRecord) -> list[RunT]:
    """Returns the runs without a trial, and those whose latest trial is unfinished."""
    trials = latest_trials(record)
    return [run for run in runs if key_of(run) not in trials or is_unfinished(trials[key_of(run)])]


def is_unfinished(trial: TrialRecord) -> bool:
    """Whether a trial runs or must be tried again; a diverged one would diverge again."""
    return trial.state == "running" or trial.crashed or trial.out_of_memory
