"""Runs that are asked for one by one, each known by its labels, and where the journal has them.

A benchmark's runs and a comparison's replicates are such runs. A run that crashed is tried again
as a trial of its own, so a run stands where its latest trial stands.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from study.spec import StudySpec
from study.storage.record import StudyRecord, TrialRecord

Label = str | int | None
Key = tuple[Label, ...]
"""The values of a run's labels, in order: what it is known by."""


class Run(Protocol):
    """One training with settings and seeds of its own."""

    @property
    def labels(self) -> Mapping[str, Label]:
        """What it is known by, as the journal, MLflow and results.csv name it."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """What decides its result, by leaf name."""

    @property
    def seeds(self) -> Mapping[str, int]:
        """By stream; empty if nothing is random."""

    @property
    def spec(self) -> StudySpec:
        """A study of one trial."""


Asked = TypeVar("Asked", bound=Run)
Source = Callable[[StudyRecord], Sequence[Asked]]
"""Record -> the runs that should exist by now, in the order in which they are wanted.

A pure function. While runs go on it may come to want more; what it has wanted it goes on wanting.
"""


def key_of(run: Run) -> Key:
    """What a run is known by."""
    return tuple(run.labels.values())


def standing(record: StudyRecord) -> dict[Key, TrialRecord]:
    """The latest trial of each run."""
    return {tuple(trial.params.values()): trial for trial in record.trials.values()}


def left_to_do(runs: Sequence[Asked], record: StudyRecord) -> list[Asked]:
    """The runs that have not ended, and those that crashed before this session."""
    stands = standing(record)
    return [run for run in runs if key_of(run) not in stands or is_open(stands[key_of(run)])]


def is_open(trial: TrialRecord) -> bool:
    """Whether a trial leaves something to do; a diverged one would diverge again."""
    return trial.state == "running" or trial.crashed or trial.out_of_memory
