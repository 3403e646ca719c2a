"""Error rates, power and coverage of comparisons in simulations, and the bounds they must keep."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from study.analysis.comparison.scores.crossed import Layout, estimate_mean, layout_of
from study.analysis.comparison.scores.paired import with_test_sets
from study.analysis.comparison.scores.tasks import rank_tasks
from study.analysis.comparison.verdict.sequence import anytime_estimate, log_e_process
from study.influence import error_of_difference, influence
from tests.benchmarks.calibration.simulated_pairs import NOISES, Noise, differences, predictions

LEVEL, PAIRS = 0.05, 27
LOOKS = (8, 10, 12, 15, 18, 21, 24, 27, 60)
"""Nine looks while pairs are added."""


@dataclass(frozen=True)
class Rate:
    """A simulated rate, and the bounds that it must keep up to simulation error."""

    name: str
    found: float
    sets: int
    low: float = 0.0
    high: float = 1.0

    @property
    def holds(self) -> bool:
        """Whether the rate is within its bounds, give or take three standard errors."""
        error = 3 * math.sqrt(max(self.found * (1 - self.found), 1 / self.sets) / self.sets)
        return self.low - error <= self.found <= self.high + error


def scenarios(sets: int) -> Iterator[Rate]:
    """Yields all rates; `sets` simulated data sets each, a tenth where predictions are made."""
    yield from quick_scenarios(sets)
    for name in ("normal", "t3"):
        yield coverage_over_seeds(name, sets)
    for rows in (613, 3000):
        for by_method in (0.0, 1.0):
            yield from finite_test_set(rows, by_method, max(20, sets // 10))
    yield collapse_of_crossed(max(50, sets // 20))


def quick_scenarios(sets: int) -> Iterator[Rate]:
    """Yields the rates that take few seconds."""
    for name, noise in NOISES.items():
        yield looks(f"nine looks, {name}", noise, sets)
    yield family(sets)
    yield power("power of 27 pairs at one sd, sequential", sets, sequential=True)
    yield power("power of 27 pairs at one sd, sign flips", sets, sequential=False)
    yield two_by_two(max(100, sets // 10))
    yield ties_over_tasks()


def looks(name: str, noise: Noise, sets: int) -> Rate:
    """False alarms at any of nine looks, without a difference."""
    d = differences(noise, sets, LOOKS[-1], 0.0, np.random.default_rng(1))
    ever = log_e_process(d)[:, : LOOKS[-1]].max(axis=1) >= -math.log(LEVEL)
    return Rate(f"false alarms, {name}", float(ever.mean()), sets, high=LEVEL)


def family(sets: int) -> Rate:
    """At least one false alarm among the ten pairs of five equal configurations."""
    rng = np.random.default_rng(2)
    scores = rng.normal(size=(5, sets, LOOKS[-1]))
    wrong = np.zeros(sets, dtype=bool)
    for a, b in combinations(range(5), 2):
        largest = log_e_process(scores[a] - scores[b]).max(axis=1)
        wrong |= largest >= -math.log(LEVEL / 10)
    return Rate("false alarms, ten pairs of five", float(wrong.mean()), sets, high=LEVEL)


def power(name: str, sets: int, sequential: bool) -> Rate:
    """How often a true difference of one sd of a difference is found with 27 pairs."""
    d = differences(NOISES["normal"], sets, PAIRS, 1.0, np.random.default_rng(3))
    if sequential:
        found = log_e_process(d).max(axis=1) >= -math.log(LEVEL)
    else:
        flips = np.random.default_rng(4).integers(0, 2, (PAIRS, 999)) * 2 - 1
        extreme = (np.abs(d @ flips) >= np.abs(d.sum(axis=1))[:, None]).sum(axis=1)
        found = (1 + extreme) / 1000 <= LEVEL
    return Rate(name, float(found.mean()), sets, low=0.8 if sequential else 0.95)


def coverage_over_seeds(name: str, sets: int) -> Rate:
    """How often the 95 % interval over seeds contains the true mean."""
    d = differences(NOISES[name], sets, PAIRS, 0.3, np.random.default_rng(5))
    layout = layout_of(tuple((n, n, n) for n in range(PAIRS)))
    rng, held = np.random.default_rng(6), 0
    few = min(sets, 400)
    for one in d[:few]:
        found = estimate_mean(one, layout, rng)
        held += (found.low or 0.0) <= 0.3 * 2**0.5 <= (found.high or 0.0)
    return Rate(f"coverage over seeds, {name}", held / few, few, 0.93, 0.97)


def finite_test_set(rows: int, by_method: float, sets: int) -> Iterator[Rate]:
    """False alarms at any look, and coverage, where two equal methods meet one test set."""
    rng = np.random.default_rng(7)
    layout = layout_of(tuple((n, n, n) for n in range(PAIRS)))
    alarms = held = 0
    for _ in range(sets):
        made = predictions(rows, PAIRS, by_method, rng)
        d = made.mcc(0) - made.mcc(1)
        psi = [
            np.array([influence("mcc", made.probabilities(m, run), made.labels)
                      for run in range(PAIRS)])
            for m in range(2)
        ]  # fmt: skip
        found = [
            anytime_estimate(d[:n], error_of_difference(psi[0][:n], psi[1][:n]))
            for n in LOOKS
            if n <= PAIRS
        ]
        alarms += any((one.low or 0) > 0 or (one.high or 0) < 0 for one in found)
        tau = error_of_difference(psi[0], psi[1])
        low, high = with_test_sets(estimate_mean(d, layout, rng), tau, 0.95, True) or (0.0, 0.0)
        held += low <= 0 <= high
    name = f"{rows} rows, methods {'differ' if by_method else 'alike'} by row"
    yield Rate(f"false alarms, {name}", alarms / sets, sets, high=LEVEL)
    yield Rate(f"coverage over seeds and test sets, {name}", held / sets, sets, 0.93, 0.97)


def two_by_two(sets: int) -> Rate:
    """p-values of at most 0.001 of 2 x 2 crossed runs, which cannot exist."""
    rng = np.random.default_rng(8)
    seeds = np.array([(0, i, d) for i in range(2) for d in range(2)])
    layout = Layout(seeds)
    found = []
    for _ in range(sets):
        y = rng.normal(size=4) + rng.normal(size=2)[seeds[:, 1]] + rng.normal(size=2)[seeds[:, 2]]
        found.append(estimate_mean(y, layout, rng, 999).p_value or 1.0)
    small = float(np.mean(np.array(found) <= 0.001))
    return Rate("p <= 0.001 of 2 x 2 crossed runs", small, sets, high=0.001)


def collapse_of_crossed(sets: int) -> Rate:
    """False alarms of 45 crossed runs against 9 where one run in ten collapses."""
    rng, wrong = np.random.default_rng(9), 0
    keys = [(m, i, d) for m in range(5) for i in range(3) for d in range(3)]
    for _ in range(sets):
        a = rng.normal(size=45)
        b = rng.normal(size=(3, 3))[[i for _, i, _ in keys], [d for _, _, d in keys]]
        lost_a = rng.random(45) < 0.1
        lost_b = (rng.random((3, 3)) < 0.1)[[i for _, i, _ in keys], [d for _, _, d in keys]]
        good = ~(lost_a | lost_b)
        own = tuple(key for key, keep in zip(keys, good, strict=True) if keep)
        found = estimate_mean((a - b)[good], layout_of(own), rng, 499)
        wrong += (found.low or 0.0) > 0 or (found.high or 0.0) < 0
    name = "false alarms, 45 crossed runs against 9, 10 % collapse"
    return Rate(name, wrong / sets, sets, high=0.08)


def ties_over_tasks() -> Rate:
    """Whether the better configuration over tasks is the worse one, where half of them tie."""
    wrong = 0
    for ahead in range(1, 13):
        means = {f"{n}": {"a": 0.6 + 0.01 * (n + 1) * (n < ahead), "b": 0.6} for n in range(13)}
        ranking = rank_tasks(means)
        wrong += ranking is None or ranking.pairs[0].better != "a"
    return Rate("wrong winner over tasks, some tied", wrong / 12, 12, high=0.0)
