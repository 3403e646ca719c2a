"""Bounds of what stands beside a verdict: lost runs, several tasks, early stopping, shares."""

from collections.abc import Iterator

import numpy as np

from study.analysis.comparison.components.intervals import draw_complete, share_limits
from study.analysis.comparison.components.reml import reml_of_strata
from study.analysis.comparison.components.strata import strata_of
from study.analysis.comparison.scores.hierarchy import Cells, over_tasks
from study.analysis.comparison.scores.statistics import (
    SeedBootstrap,
    iqm,
    limits,
    weighted_improvement,
    weighted_iqm,
    win_matrix,
)
from study.analysis.hurdle.rates import Hurdle
from study.rates import Rate as LostRuns
from study.storage.result.estimates import estimate
from study.storage.result.stopping import population, predicted_best
from tests.benchmarks.calibration.scenarios import LEVEL, Rate

LOST = 0.1
"""Probability that a run collapses."""
EFFECTS = {
    "mask": (1.0, (5, 1, 1)), "init": (1.0, (1, 3, 1)), "data": (0.5, (1, 1, 3)),
    "mask:init": (0.25, (5, 3, 1)), "mask:data": (0.25, (5, 1, 3)),
    "init:data": (0.25, (1, 3, 3)), "residual": (0.5, (5, 3, 3)),
}  # fmt: skip
"""Term -> variance and shape of the effects of 5 mask, 3 init and 3 data seeds."""


def further_scenarios(sets: int) -> Iterator[Rate]:
    """Yields all rates; a tenth of `sets` data sets where each takes long."""
    yield lost_runs_at_many_looks(sets)
    yield from score_where_runs_collapse(sets)
    few = max(50, sets // 10)
    for groups, backbones, pairs in ((8, 4, 5), (6, 1, 12)):
        yield from several_tasks(groups, backbones, pairs, few)
    for tails in (False, True):
        yield from middle_and_improvement(12, tails, few)
        yield shares(tails, few)
    yield from audit(few)


def lost_runs_at_many_looks(sets: int) -> Rate:
    """How often one of two equal configurations is said to lose more runs, at 120 looks."""
    lost = np.random.default_rng(20).random((sets, 120, 2)) < 2 * LOST
    only = [np.cumsum(lost[:, :, a] & ~lost[:, :, 1 - a], axis=1) for a in (0, 1)]
    most = 1 + int(max(one.max() for one in only))
    rate = LostRuns(1, 2)
    alarm = np.array(
        [[Hurdle(rate, rate, a, b).worse is not None for b in range(most)] for a in range(most)]
    )
    wrong = float(alarm[only[0], only[1]].any(axis=1).mean())
    return Rate("lost runs called more frequent, 120 looks", wrong, sets, high=LEVEL)


def score_where_runs_collapse(sets: int) -> Iterator[Rate]:
    """The winner's score over four runs, and the rate of collapse."""
    rng, score, rate = np.random.default_rng(21), 0, 0
    for _ in range(sets):
        lost = rng.random(4) < LOST
        values = [float(v) for v in np.where(lost, 0.0, 0.7 + 0.02 * rng.normal(size=4))]
        one = estimate("test_mcc", values, collapsed=[bool(out) for out in lost])
        assert one is not None
        score += one.low is None or one.high is None or one.low <= 0.7 <= one.high
        rate += one.rate.low <= LOST <= one.rate.high
    name = "one run in ten collapses"
    yield Rate(f"coverage of the winner's score, {name}", score / sets, sets, 0.93, 0.98)
    yield Rate(f"coverage of the rate, {name}", rate / sets, sets, 0.95)


def several_tasks(groups: int, backbones: int, pairs: int, sets: int) -> Iterator[Rate]:
    """The hierarchical model: backbones of a task share its data and its test rows."""
    rng, overall, own = np.random.default_rng(22), 0, 0
    names = [str(group) for group in range(groups) for _ in range(backbones)]
    for _ in range(sets):
        task, rows = 0.02 * rng.normal(size=groups), 0.01 * rng.normal(size=groups)
        true = np.repeat(task, backbones) + 0.01 * rng.normal(size=len(names))
        runs = (true + np.repeat(rows, backbones))[:, None]
        runs = runs + 0.03 * rng.normal(size=(len(names), pairs))
        cells = Cells(
            d=runs.mean(axis=1),
            s=runs.std(axis=1, ddof=1) / np.sqrt(pairs),
            freedom=np.full(len(names), pairs - 1),
            tau=np.full(len(names), 0.01),
            groups=names,
        )
        mean, beliefs = over_tasks(cells, 0.01, 1, rng)
        overall += mean.low <= 0 <= mean.high
        own += sum(one.low <= t <= one.high for one, t in zip(beliefs, true, strict=True))
    name = f"{groups} tasks, {backbones} backbones, {pairs} pairs"
    yield Rate(f"coverage of the mean over tasks, {name}", overall / sets, sets, 0.93, 0.98)
    share = own / (sets * len(names))
    yield Rate(f"coverage of single tasks, {name}", share, sets, 0.92, 0.98)


def middle_and_improvement(runs: int, tails: bool, sets: int) -> Iterator[Rate]:
    """The interquartile mean and P(improvement) of runs with fresh seeds."""
    rng, middle, improvement = np.random.default_rng(23), 0, 0
    seeds = np.array([(n, n, n) for n in range(runs)])
    for _ in range(sets):
        a, b = rng.standard_t(3, (2, runs)) if tails else rng.normal(size=(2, runs))
        bootstrap = SeedBootstrap(seeds, rng, 500)
        weights = bootstrap.weights(seeds)
        own = iqm(list(a))
        low, high = limits(weighted_iqm(a, weights), own, bootstrap.widening)
        middle += low <= 0 <= high
        wins = win_matrix(a, b)
        drawn = weighted_improvement(wins, weights, weights)
        low, high = limits(drawn, float(wins.mean()), bootstrap.widening, 0.0, 1.0)
        improvement += low <= 0.5 <= high
    name = f"{runs} runs, {'t3' if tails else 'normal'}"
    yield Rate(f"coverage of the interquartile mean, {name}", middle / sets, sets, 0.92, 0.98)
    yield Rate(f"coverage of P(improvement), {name}", improvement / sets, sets, 0.92, 0.98)


def shares(tails: bool, sets: int) -> Rate:
    """The least coverage among the shares of seven variance components, 5 x 3 x 3 seeds."""
    rng, held = np.random.default_rng(24), []
    strata = strata_of((1, 5, 3, 3, 1), list(EFFECTS))
    assert strata is not None
    variance = np.array([EFFECTS[term][0] for term in strata.terms])
    true = variance / variance.sum()
    for _ in range(sets):
        grid = np.zeros((5, 3, 3))
        for size, shape in EFFECTS.values():
            effect = rng.standard_t(3, shape) / 3**0.5 if tails else rng.normal(size=shape)
            grid = grid + size**0.5 * effect
        squares = strata.mean_squares(grid.reshape(1, 5, 3, 3, 1))
        drawn = draw_complete(strata, squares, 800, rng)
        low, high = share_limits(strata, drawn, reml_of_strata(strata, squares), rng)
        held.append((low <= true) & (true <= high))
    least = float(np.mean(held, axis=0).min())
    return Rate(f"least coverage of shares, {'t3' if tails else 'normal'}", least, sets, 0.92)


def audit(sets: int) -> Iterator[Rate]:
    """The regret of early stopping: the number of better trials, and the loss of the best."""
    rng, number, loss = np.random.default_rng(25), 0, 0
    for _ in range(sets):
        quality = 0.6 + 0.05 * rng.normal(size=64)
        half = quality - 0.1 + 0.03 * rng.normal(size=64)
        end = quality + 0.03 * rng.normal(size=64)
        stopped = np.flatnonzero(half < np.median(half))
        best = end[half >= np.median(half)].max()
        ran_on, others = stopped[:10], stopped[10:]
        low, high = population(len(stopped), 10, int((end[ran_on] > best).sum()))
        number += low <= (end[stopped] > best).sum() <= high
        known = np.stack([half[ran_on], np.full(10, 0.5), end[ran_on]], axis=1)
        rest = np.stack([half[others], np.full(len(others), 0.5)], axis=1)
        drawn = np.maximum(predicted_best(known, rest, rng), end[ran_on].max()) - best
        least, most = np.quantile(np.maximum(drawn, 0), [0.025, 0.975])
        loss += least <= max(0.0, end[stopped].max() - best) <= most
    yield Rate("coverage of the number of better stopped trials", number / sets, sets, 0.95)
    yield Rate("coverage of the loss by early stopping", loss / sets, sets, 0.93)
