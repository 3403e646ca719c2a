"""Prints what a study costs: steps, and time and memory if they were measured."""

from collections.abc import Sequence

from rich.console import Console

from study.engine.console.lines import print_lines, titled
from study.engine.console.view import duration
from study.engine.estimate.calibration import Calibration
from study.engine.estimate.duration import Duration
from study.engine.estimate.memory import Memory
from study.spec import StudySpec
from study.spec.rungs import rungs
from study.spec.space import planned_trials
from study.storage.race import planned_candidates, planned_runs
from study.training.forecast import Forecast


def print_steps(console: Console, spec: StudySpec, points: Sequence[Forecast]) -> None:
    """Prints trainable parameters and optimizer steps; a range where trials differ or may stop."""
    counts = sorted({point.parameters.total for point in points})
    trained = " to ".join(f"{count:,}" for count in dict.fromkeys((counts[0], counts[-1])))
    print_lines(console, titled("trainable", [f"{trained} parameters"]))
    print_lines(console, titled("steps", [_steps(spec, points)]))


def print_unmeasured(console: Console) -> None:
    """Prints that time and memory were not measured."""
    text = "not known before some steps are timed: add --calibrate (less than a minute if idle)"
    print_lines(console, titled("time", [text]))


def print_costs(
    console: Console, measured: Calibration, time: Duration, memory: Memory, concurrent: int
) -> None:
    """Prints time and memory with their intervals, and what was measured."""
    parts = ", ".join(f"{name} {duration(part)}" for name, part in time.parts.items() if part)
    total = ""
    if memory.total is not None:
        workers = "worker" if concurrent == 1 else "workers"
        total = f"; {memory.total:.1f} GiB with {concurrent} {workers}, the driver and Ray"
    of = "a worker" if memory.total is not None else "GPU memory a trial"
    lines = [
        *titled(
            "time",
            [
                f"about {duration(time.seconds)} ({duration(time.low)} to {duration(time.high)}, "
                "90 % interval)",
                parts,
            ],
        ),
        *titled(
            "memory",
            [
                f"{memory.worker:.2f} GiB {of} at most "
                f"({memory.low:.2f} to {memory.high:.2f}){total}"
            ],
        ),
        *titled("measured", [_measured(measured)]),
    ]
    print_lines(console, lines)


def _steps(spec: StudySpec, points: Sequence[Forecast]) -> str:
    trials = planned_trials(spec)
    reports = [point.plan.report_steps for point in points]
    most = trials * max(steps[-1] for steps in reports)
    fewest = trials * min(steps[-1] for steps in reports)
    if rungs(spec):
        fewest = trials * min(steps[min(rungs(spec)[0], len(steps)) - 1] for steps in reports)
    text = f"{most:,} in the search" if fewest == most else f"{fewest:,} to {most:,} in the search"
    candidates = planned_candidates(spec)
    if candidates < 2:
        return text
    runs = planned_runs(candidates, spec.finalists.confirm)
    return f"{text}, up to {runs * max(steps[-1] for steps in reports):,} in the race"


def _measured(measured: Calibration) -> str:
    steps = [point.timing.step for point in measured.points]
    dev = [point.timing.dev for point in measured.points]
    at_once = f"{measured.processes} trials at once" if measured.processes > 1 else "one trial"
    return (
        f"{at_once} on this machine: a step {_span(steps)}, an evaluation on dev {_span(dev)}, "
        f"the start of a worker {measured.start:.1f} s"
    )


def _span(seconds: Sequence[float]) -> str:
    low, high = f"{min(seconds):.3g}", f"{max(seconds):.3g}"
    return f"{low} s" if low == high else f"{low} to {high} s"
