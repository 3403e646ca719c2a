"""How many optimizer steps a trial has, and the check that its mask events fit into them.

Imports no torch, so that a dead schedule is refused before anything heavy is loaded.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from study.errors import InputError
from study.spec import AdaLoraRSSpec, AdaLoraSpec, StudySpec, TrainingSpec
from study.spec.domains import Domain, FloatDomain, IntDomain, extremes


def count_steps(training: TrainingSpec, batch_size: int, train_rows: int) -> tuple[int, int]:
    """Returns the optimizer steps of an epoch and of the whole trial.

    An optimizer step takes `accumulation` batches of one epoch, the last step of it what is left.
    """
    steps_per_epoch = math.ceil(train_rows / (batch_size * training.accumulation))
    return steps_per_epoch, training.steps or (training.epochs or 0) * steps_per_epoch


def delta_steps(deltaT: float, T: int) -> int:
    """Returns `deltaT` in optimizer steps: an int as it is, a float as a fraction of `T`."""
    if isinstance(deltaT, int):
        return deltaT
    return max(1, round(deltaT * T))


def report_step(report: int, reports: int, total_steps: int) -> int:
    """Returns the optimizer step after which report `report`, from 1, of `reports` is made."""
    return math.ceil(report * total_steps / min(reports, total_steps))


@dataclass(frozen=True)
class Schedule:
    """When the mask events of one configuration of a space begin and end, in optimizer steps."""

    deltaT: int
    warmup_steps: int
    batch_size: int
    total_steps: int
    T: int

    @property
    def first_event(self) -> int:
        """The first multiple of `deltaT` after the warm-up."""
        return (self.warmup_steps // self.deltaT + 1) * self.deltaT


def schedules(spec: StudySpec, train_rows: int) -> Iterator[Schedule]:
    """Yields the schedules at the ends of a space; none for a method without mask events.

    `deltaT` also takes all whole steps between its ends, as a warm-up may be met by any of them.
    """
    adapter, training = spec.adapter, spec.training
    if not isinstance(adapter, AdaLoraRSSpec | AdaLoraSpec):
        return
    leaves = (adapter.warmup_steps, adapter.final_fraction, training.batch_size)
    for warmup, final_fraction, batch_size in product(*map(extremes, leaves)):
        _, total = count_steps(training, batch_size, train_rows)
        T = round((1 - final_fraction) * total)
        for between in _intervals(adapter.deltaT, T):
            yield Schedule(between, warmup, batch_size, total, T)


def check_schedules(spec: StudySpec, train_rows: int) -> None:
    """Refuses a space in which some trial has fewer steps than reports, or no event before T.

    Raises:
        InputError: so it is; in the paper's row for prom_tata, deltaT = 5000 exceeds 3,065 steps.
    """
    training = spec.training
    _, fewest = count_steps(training, max(extremes(training.batch_size)), train_rows)
    if training.reports > fewest:
        raise InputError(
            f"training.reports: reports <= steps must hold, but got reports={training.reports}, "
            f"steps={fewest}; lower it or train longer"
        )
    for found in schedules(spec, train_rows):
        if found.first_event >= found.T:
            raise InputError(
                f"adapter.deltaT: a mask event must come before T = {found.T} (of "
                f"{found.total_steps} steps), but with deltaT = {found.deltaT} and warmup_steps = "
                f"{found.warmup_steps} the first would be at step {found.first_event}; lower "
                "deltaT (a fraction such as 0.05 follows T), or train longer"
            )


def first_pruned_report(spec: StudySpec, train_rows: int) -> tuple[int, Schedule] | None:
    """Returns the first report before which every trial has had a mask event.

    With it comes the schedule that needs it; None for a method without mask events.
    """
    found = list(schedules(spec, train_rows))
    if not found:
        return None
    latest = max(found, key=lambda one: (one.first_event - 1) / one.total_steps)
    # The smallest report whose step, ceil(report total_steps / reports), reaches the event.
    return (latest.first_event - 1) * spec.training.reports // latest.total_steps + 1, latest


def _intervals(deltaT: float | Domain, T: int) -> Sequence[int]:
    """The ends of deltaT's domain in steps, with all between them if it is an interval."""
    ends = [delta_steps(end, T) for end in extremes(deltaT)]
    if isinstance(deltaT, IntDomain):
        return range(ends[0], ends[-1] + 1, deltaT.step or 1)
    if isinstance(deltaT, FloatDomain):
        return range(ends[0], ends[-1] + 1)
    return ends
