"""Times trials at the corners of a space, in as many processes at once as are planned.

Trials that run at once share cores, caches and memory bandwidth, so that one alone would be timed
too fast. A process imports what a worker of Ray imports, which counts for its memory.
"""

import multiprocessing
import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from threading import BrokenBarrierError
from typing import Any

import torch

from study.engine.resources import Resources

# Also what a worker imports.
from study.engine.worker import load_backbone
from study.models.info import BackboneInfo
from study.spec import StudySpec
from study.training.encoding import EncodedTask
from study.training.forecast import Forecast
from study.training.memory import is_out_of_memory
from study.training.timing import Timing, mean_timing, time_trial

POINTS = 3
"""The most corners that are timed."""
WAIT_SECONDS = 600.0
"""The longest that a process waits for the others."""


@dataclass(frozen=True)
class Point:
    """A corner of the space and what a trial costs there."""

    forecast: Forecast
    timing: Timing


@dataclass(frozen=True)
class Calibration:
    """What was measured."""

    points: list[Point]
    """The cheapest first."""
    start: float
    """Seconds from the start of a process to its first trial."""
    processes: int
    """How many ran at once."""


def calibrate(
    points: Sequence[Forecast],
    info: BackboneInfo,
    data: EncodedTask,
    trial_resources: Resources,
    processes: int,
) -> Calibration:
    """Times up to three corners of a space.

    Raises:
        MemoryError: so many trials at once need more memory than there is.
    """
    chosen = choose(points)
    specs = [point.spec for point in chosen]
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(processes)
    started = time.time()
    with ProcessPoolExecutor(processes, context, _begin, (barrier,)) as pool:
        tasks = [
            pool.submit(_time_all, specs, info, data, trial_resources) for _ in range(processes)
        ]
        try:
            results = [task.result() for task in tasks]
        except (BrokenProcessPool, BrokenBarrierError):
            raise MemoryError(f"{processes} trials at once: a process was killed") from None
    timings = [mean_timing(list(each)) for each in zip(*(r[1] for r in results), strict=True)]
    measured = [Point(*pair) for pair in zip(chosen, timings, strict=True)]
    start = statistics.mean(result[0] for result in results) - started
    measured.sort(key=lambda point: point.forecast.plan.total_steps * point.timing.step)
    return Calibration(measured, start, processes)


def choose(points: Sequence[Forecast]) -> list[Forecast]:
    """Returns the corners with the least and the most work, and one between them."""
    ordered = sorted(points, key=_work)
    places = {0, len(ordered) // 2, len(ordered) - 1}
    return [ordered[place] for place in sorted(places)][:POINTS]


def _work(point: Forecast) -> tuple[int, int, int]:
    training, budget = point.spec.training, point.plan.budget
    sequences = point.plan.total_steps * int(training.batch_size) * training.accumulation
    return sequences, point.parameters.total, 0 if budget is None else len(budget.events())


_barrier: Any = None


def _begin(barrier: Any) -> None:
    global _barrier
    _barrier = barrier


def _time_all(
    specs: Sequence[StudySpec],
    info: BackboneInfo,
    data: EncodedTask,
    trial_resources: Resources,
) -> tuple[float, list[Timing]]:
    """Returns when this process was ready, and the timings of all specs."""
    torch.set_num_threads(trial_resources.cpus)
    first = specs[0].backbone
    backbone = load_backbone(
        info, num_labels=data.num_labels, dtype=first.dtype, random_seed=first.random_seed
    )
    ready, timings = time.time(), []
    for spec in specs:
        _barrier.wait(WAIT_SECONDS)
        try:
            timings.append(time_trial(spec, backbone, data, trial_resources.device))
        except Exception as error:
            _barrier.abort()
            if not is_out_of_memory(error):
                raise
            raise MemoryError(str(error).partition("\n")[0]) from None
    return ready, timings
