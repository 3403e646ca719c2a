"""Times trials at the corners of a space, in as many processes at once as are planned.

Trials that run at once share cores, caches and memory bandwidth, so that one alone would be timed
too fast.
"""

import multiprocessing
import signal
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import Any

import torch

import study.engine.worker  # noqa: F401  What a worker imports counts for its memory.
from study.engine.resources import Resources
from study.models import load_backbone
from study.models.info import BackboneInfo
from study.training.encoding import EncodedTask
from study.training.forecast import Forecast
from study.training.memory import is_out_of_memory
from study.training.timing import Timing, mean_timing, time_trial

POINTS = 3
"""The most corners that are timed."""
WAIT_SECONDS = 600.0
"""The longest that a process waits for the others."""

Result = tuple[float, list[Timing]]
"""When a process was ready, and its timings."""


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
    started = time.time()
    work = [point.spec for point in chosen], info, data, trial_resources
    results = _in_processes(processes, work)
    timings = [mean_timing(list(each)) for each in zip(*(r[1] for r in results), strict=True)]
    measured = [Point(*pair) for pair in zip(chosen, timings, strict=True)]
    start = statistics.mean(ready for ready, _ in results) - started
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


def _in_processes(count: int, work: tuple[Any, ...]) -> list[Result]:
    """Returns what `_time_all` has sent in each of `count` processes; ends them in any case."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(count)  # Exists as long as it is referred to here.
    at_work: dict[Any, Any] = {}
    results: list[Result] = []
    try:
        at_work |= _start(count, context, barrier)
        for pipe in at_work:
            pipe.send(work)
        while len(results) < count:
            for pipe in wait([one for one in at_work if not one.closed]):
                results.append(_received(pipe, at_work[pipe]))
    finally:
        for process in at_work.values():
            process.kill()
            process.join()
    return results


def _start(count: int, context: Any, barrier: Any) -> dict[Any, Any]:
    """Starts processes that wait for their work; returns pipe -> process."""
    # Inherited: after Ctrl-C the command ends its processes, which print nothing of their own.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    started = {}
    try:
        for _ in range(count):
            pipe, other = context.Pipe()
            process = context.Process(target=_time_all, args=(other, barrier), daemon=True)
            process.start()
            other.close()  # Else the end of the process is no end of the pipe.
            started[pipe] = process
    finally:
        signal.signal(signal.SIGINT, before)
    return started


def _received(pipe: Any, process: Any) -> Result:
    try:
        result: Result | MemoryError = pipe.recv()
    except (EOFError, ConnectionResetError):
        process.join()
        if process.exitcode == -signal.SIGKILL:
            raise MemoryError("a process that timed trials was killed") from None
        raise RuntimeError("a process that timed trials has failed; see above") from None
    pipe.close()
    if isinstance(result, MemoryError):
        raise result
    return result


def _time_all(pipe: Any, barrier: Any) -> None:
    """Times the trials that are received; sends when this process was ready, and the timings."""
    specs, info, data, trial_resources = pipe.recv()
    torch.set_num_threads(trial_resources.cpus)
    try:
        first = specs[0].backbone
        backbone = load_backbone(
            info, num_labels=data.num_labels, dtype=first.dtype, random_seed=first.random_seed
        )
        ready, timings = time.time(), []
        for spec in specs:
            barrier.wait(WAIT_SECONDS)
            timings.append(time_trial(spec, backbone, data, trial_resources.device))
        pipe.send((ready, timings))
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        pipe.send(MemoryError(str(error).partition("\n")[0]))
