"""The wall time of a study, by simulation.

The trials of the search are put on the workers one after the other. What one costs is drawn
between the costs that were timed at the corners of the space. Whether it is stopped at a rung is
ASHA's rule on scores that are drawn too: a quality of the trial and, at every report, noise. The
race of the finalists has whole trials, round after round, and new workers. All times are seconds.
"""

import heapq
import math
import random
import statistics
from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass

from study.engine.comparison.finalists import REPORTS
from study.engine.estimate.calibration import Calibration, Point
from study.engine.scheduling.rungs import final_budget_reports
from study.spec import StudySpec
from study.spec.rungs import rungs
from study.spec.space import planned_trials
from study.storage.race import planned_candidates, rounds
from study.training.mask_probe import probed_events

REPORT = 0.15
"""Of a report beside its evaluation: checkpoint, journal, Ray."""
ALONE = 0.5
"""The start of a single worker, as a share of that of several at once."""
RAY = 9.0
"""Of the start of Ray and of the tracking database."""
END = 4.0
"""Of the end: page, tracking, Ray."""
DRIFT = 0.1
"""Standard deviation of a machine's pace between the measurement and the study."""
SIMULATED, FEWEST, MOST = 5000, 5, 200
"""Trials that are simulated, in so many studies at least and at most."""
INTERVAL = 1.645
"""Standard deviations on either side: 90 %."""


@dataclass(frozen=True)
class Duration:
    """The expected wall time with a 90 % interval."""

    seconds: float
    low: float
    high: float
    parts: dict[str, float]
    """Start, search, race, winner and audit -> expected seconds."""


Segments = list[tuple[int, float]]
"""(report, seconds since the one before) at each rung and at the end."""


def duration(spec: StudySpec, measured: Calibration, concurrent: int, start: float) -> Duration:
    """Returns the wall time of a study on `concurrent` workers.

    `start` are the seconds until the driver has read its input and imported its libraries.
    """
    trials = planned_trials(spec)
    costs = [_segments(spec, point) for point in measured.points]
    studies = min(MOST, max(FEWEST, SIMULATED // trials))
    draws = [
        _search(costs, trials, concurrent, spec, random.Random(seed)) for seed in range(studies)
    ]
    search, spread = statistics.mean(draws), statistics.pstdev(draws)
    race, of_one = _race(spec, measured, concurrent)
    candidates = planned_candidates(spec)
    parts = {
        "start": start + RAY + measured.start,
        "search": search,
        "race": race,
        "winner": ALONE * measured.start + of_one + END,
    }
    if spec.scheduler.audit:
        parts["audit"] = _audit(spec, costs, concurrent, measured.start)
    total = sum(parts.values())
    # The race trains the best of the space, wherever they are.
    means = [sum(seconds for _, seconds in cost) for cost in costs]
    between = (max(means) - min(means)) / max(means) / 4 if candidates > 1 else 0.0
    deviation = math.hypot(spread, DRIFT * total, between * race)
    low, high = (total + sign * INTERVAL * deviation for sign in (-1, 1))
    return Duration(total, max(low, parts["start"]), high, parts)


def _segments(spec: StudySpec, point: Point) -> Segments:
    """Returns what a trial costs from rung to rung."""
    plan, timing = point.forecast.plan, point.timing
    pruned_later, T = final_budget_reports(spec), plan.budget.T if plan.budget else 0
    segments, seconds, before = [], timing.setup, 0
    stops = {*rungs(spec), len(plan.report_steps)}
    probes = _probes(spec, point)
    for report, step in enumerate(plan.report_steps, 1):
        # Before T a rung may compare scores of the model as it will be pruned at the end.
        evaluations = 1 + (report in pruned_later and step < T)
        evaluations += sum(count for at, count in probes.items() if before < at <= step)
        seconds += (step - before) * timing.step + evaluations * timing.dev + REPORT
        before = step
        if report in stops:
            segments.append((report, seconds))
            seconds = 0.0
    return segments


def _probes(spec: StudySpec, point: Point) -> dict[int, int]:
    """Returns the evaluations on dev of the mask probe, by the step of their mask event."""
    budget, probe = point.forecast.plan.budget, spec.mask_probe
    if probe is None or budget is None:
        return {}
    steps = [step for step, _ in budget.events()]
    # One without a random mask; each other mask with and without re-introduced triplets.
    count = 1 + 2 * probe.masks
    return {steps[number]: count for number in probed_events(probe.events, len(steps))}


def _search(
    costs: Sequence[Segments], trials: int, workers: int, spec: StudySpec, draw: random.Random
) -> float:
    """Returns the wall time of one simulated search."""
    factor = float(spec.scheduler.reduction_factor)
    noise = draw.uniform(0.0, 1.0)
    recorded: dict[int, list[float]] = {}
    # When the worker is free or the trial's next report is due; the rest of the trial.
    queue: list[tuple[float, int, float, Segments]] = []
    started = 0
    end = 0.0

    def begin(now: float) -> None:
        nonlocal started
        cost = _between(costs, draw.random())
        heapq.heappush(queue, (now + cost[0][1], started, draw.gauss(0, 1), cost))
        started += 1

    for _ in range(min(workers, trials)):
        begin(0.0)
    while queue:
        now, number, quality, cost = heapq.heappop(queue)
        end = max(end, now)
        (report, _), *rest = cost
        score = quality + noise * draw.gauss(0, 1)
        if rest and _continues(recorded.setdefault(report, []), score, factor):
            heapq.heappush(queue, (now + rest[0][1], number, quality, rest))
        elif started < trials:
            begin(now)
    return end


def _between(costs: Sequence[Segments], share: float) -> Segments:
    """Returns the costs between those of the corners: 0 is the cheapest, 1 the dearest."""
    place = share * (len(costs) - 1)
    low, high = costs[math.floor(place)], costs[math.ceil(place)]
    weight = place % 1
    return [
        (report, (1 - weight) * a + weight * b)
        for (report, a), (_, b) in zip(low, high, strict=True)
    ]


def _continues(recorded: list[float], score: float, factor: float) -> bool:
    """Whether ASHA lets a trial continue; records its score."""
    cutoff = _quantile(recorded, 1 - 1 / factor) if recorded else -math.inf
    insort(recorded, score)
    return score >= cutoff


def _quantile(ordered: Sequence[float], share: float) -> float:
    place = share * (len(ordered) - 1)
    low, high = ordered[math.floor(place)], ordered[math.ceil(place)]
    return low + (place % 1) * (high - low)


def _audit(spec: StudySpec, costs: Sequence[Segments], workers: int, start: float) -> float:
    """Returns the expected seconds of stopped trials after their stop at the first rung."""
    factor = float(spec.scheduler.reduction_factor)
    runs = spec.scheduler.audit * planned_trials(spec) * (1 - 1 / factor) if rungs(spec) else 0.0
    rest = statistics.fmean(sum(seconds for _, seconds in cost[1:]) for cost in costs)
    return start + math.ceil(runs / workers) * rest if runs else 0.0


def _race(spec: StudySpec, measured: Calibration, workers: int) -> tuple[float, float]:
    """Returns the seconds of the race, and those of the winner's evaluation."""
    timings = [point.timing for point in measured.points]
    dev, test = (statistics.mean(getattr(t, name) for t in timings) for name in ("dev", "test"))
    training = statistics.mean(
        point.timing.setup + point.forecast.plan.total_steps * point.timing.step
        for point in measured.points
    )
    candidates = planned_candidates(spec)
    if candidates < 2:
        return 0.0, dev + test
    run = training + dev + REPORTS * REPORT
    waves = sum(math.ceil(size * more / workers) for size, more in rounds(candidates))
    confirming = math.ceil(spec.finalists.confirm / workers) * (run + test)
    return measured.start + waves * run + confirming, dev + test
