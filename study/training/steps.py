"""The number of optimizer steps of a trial, and the check that mask events fit into them.

Imports no torch, so that an impossible schedule is refused before anything heavy is imported.
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

    An optimizer step uses `accumulation` batches of an epoch, the last one of it those left.
    """
    steps_per_epoch = math.ceil(train_rows / (batch_size * training.accumulation))
    return steps_per_epoch, training.steps or (training.epochs or 0) * steps_per_epoch


def delta_steps(deltaT: float, T: int) -> int:
    """Returns `deltaT` in optimizer steps: an int unchanged, a float as a fraction of `T`."""
    if isinstance(deltaT, int):
        return deltaT
    return max(1, round(deltaT * T))


@dataclass(frozen=True)
class Schedule:
    """First and last mask event of one configuration of a space, in optimizer steps."""

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

    For `deltaT` all whole steps between its ends are included: after a warm-up the first event is
    not monotonic in `deltaT`.
    """
    adapter, training = spec.adapter, spec.training
    if not isinstance(adapter, AdaLoraRSSpec | AdaLoraSpec):
        return
    leaves = (adapter.warmup_steps, adapter.final_fraction, training.batch_size)
    for warmup, final_fraction, batch_size in product(*map(extremes, leaves)):
        _, total = count_steps(training, batch_size, train_rows)
        T = round((1 - final_fraction) * total)
        for interval in _intervals(adapter.deltaT, T):
            yield Schedule(interval, warmup, batch_size, total, T)


def check_schedules(spec: StudySpec, train_rows: int) -> None:
    """Checks that every trial of a space has enough steps for its reports and a mask event.

    Raises:
        InputError: some trial has fewer steps than reports, or no mask event before T, as in the
            paper's row for prom_tata, whose deltaT = 5000 exceeds the 3,065 steps.
    """
    training = spec.training
    _, fewest = count_steps(training, max(extremes(training.batch_size)), train_rows)
    if training.reports > fewest:
        raise InputError(
            f"training.reports: reports <= steps must hold, but got reports={training.reports}, "
            f"steps={fewest}; lower reports or train longer"
        )
    for schedule in schedules(spec, train_rows):
        if schedule.first_event >= schedule.T:
            raise InputError(
                f"adapter.deltaT: a mask event must come before T = {schedule.T} (of "
                f"{schedule.total_steps} steps), but got the first at step {schedule.first_event} "
                f"with deltaT = {schedule.deltaT} and warmup_steps = {schedule.warmup_steps}; "
                "lower deltaT (a fraction such as 0.05 is relative to T), or train longer"
            )


def first_pruned_report(spec: StudySpec, train_rows: int) -> tuple[int, Schedule] | None:
    """Returns the first report before which every trial has a mask event, and the latest schedule.

    None for a method without mask events.
    """
    candidates = list(schedules(spec, train_rows))
    if not candidates:
        return None
    latest = max(candidates, key=lambda s: (s.first_event - 1) / s.total_steps)
    # The smallest report whose step, ceil(report * total_steps / reports), reaches the event.
    return (latest.first_event - 1) * spec.training.reports // latest.total_steps + 1, latest


def _intervals(deltaT: float | Domain, T: int) -> Sequence[int]:
    """Returns the ends of deltaT's domain in steps; of an interval, all steps from end to end."""
    ends = [delta_steps(end, T) for end in extremes(deltaT)]
    if isinstance(deltaT, IntDomain):
        return range(ends[0], ends[-1] + 1, deltaT.step or 1)
    if isinstance(deltaT, FloatDomain):
        return range(ends[0], ends[-1] + 1)
    return ends
