"""How many optimizer steps a trial has, and the check that its mask events fit into them.

Imports no torch, so that a dead schedule is refused before anything heavy is loaded.
"""

import math
from collections.abc import Sequence
from itertools import product

from study.errors import InputError
from study.spec import AdaLoraRSSpec, AdaLoraSpec, StudySpec, TrainingSpec
from study.spec.domains import Domain, IntDomain, extremes


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


def check_schedules(spec: StudySpec, train_rows: int) -> None:
    """Refuses a space in which some trial has fewer steps than reports, or no event before T.

    Raises:
        InputError: so it is; in the paper's row for prom_tata, deltaT = 5000 exceeds 3,065 steps.
    """
    adapter, training = spec.adapter, spec.training
    _, fewest = count_steps(training, max(extremes(training.batch_size)), train_rows)
    if training.reports > fewest:
        raise InputError(
            f"training.reports: reports <= steps must hold, but got reports={training.reports}, "
            f"steps={fewest}; lower it or train longer"
        )
    if not isinstance(adapter, AdaLoraRSSpec | AdaLoraSpec):
        return
    leaves = (adapter.warmup_steps, adapter.final_fraction, training.batch_size)
    ends = [_intervals(adapter.deltaT), *map(extremes, leaves)]
    for deltaT, warmup, final_fraction, batch_size in product(*ends):
        _, total = count_steps(training, batch_size, train_rows)
        T = round((1 - final_fraction) * total)
        between = delta_steps(deltaT, T)
        first = (warmup // between + 1) * between
        if first >= T:
            raise InputError(
                f"adapter.deltaT: a mask event must come before T = {T} (of {total} steps), but "
                f"with deltaT = {between} and warmup_steps = {warmup} the first would be at step "
                f"{first}; lower deltaT (a fraction such as 0.05 follows T), or train longer"
            )


def _intervals(deltaT: float | Domain) -> Sequence[float]:
    """The ends of deltaT's domain; of whole numbers all, as a warm-up is met between the ends."""
    if isinstance(deltaT, IntDomain):
        return range(deltaT.low, deltaT.high + 1, deltaT.step or 1)
    return extremes(deltaT)
