"""The mean of scores whose runs share seeds: how far it can be off, an interval, a p-value.

    notation   meaning
    y          a score a run, or a paired difference; (n,)
    term       a way in which runs share luck: the same mask seed, the same init and data seed
    group      the runs of a term that share it: those with mask seed 3
    e_T        estimated effect of a term's groups: what their means say beyond coarser terms
    sigma_T    its variance component, at least 0
    V          variance of the mean: sum over terms of sigma_T times w_T = sum of (group / n)^2
    t          mean / sqrt(V)

Mask, init and data seeds are crossed random factors: 45 runs of 5 x 3 x 3 seeds are far from 45
independent ones. Components come from the sums of squares of the estimated effects, the finest
term first, each cut at zero and then left out of the coarser ones. With few levels t is not
Student's; its distribution where the mean is zero is simulated instead, with every component
estimated anew in each draw:

- for intervals, effects are drawn from a normal distribution with the estimated components;
- for p-values, the sign of every group's estimated effect is flipped at random, in each term on
  its own, so that what runs share stays shared (flipping runs or blocks one by one would pull the
  mask's effect apart, and call far too much significant).

Where a factor has few levels and most of the luck, few signs can be flipped and no p-value is
small: three levels cannot show much.

How well this holds, for 5 x 3 x 3 seeds (tests/benchmarks/bench_comparisons.py prints the table):
where nothing but single runs and (init, data) cells differ by luck, and with a mask effect of mean
zero besides, 4 to 7 % of tests at 5 % are false alarms and 93 to 96 % of intervals hold the truth.
If init or data seeds do something of their own to a difference, which three levels hardly show,
these are up to 9 % and down to 89 %.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import combinations

import numpy as np
from jaxtyping import Float, Int

from study.analysis.comparison.design import FACTORS

LEVEL = 0.95
_SWEEPS = 4  # One is exact where no cell is missing.


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95 % interval and p-values against zero; None where n is too small."""

    n: int
    mean: float
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    """Two-sided."""
    p_above: float | None = None
    """One-sided: how often chance alone makes a mean as far above zero."""
    reach: float | None = None
    """From the mean to a one-sided 95 % bound."""


class Layout:
    """Which runs share which seeds. Terms that group the runs alike are one term."""

    def __init__(self, seeds: Int[np.ndarray, "n factors"]) -> None:
        self.n = len(seeds)
        self.terms: list[str] = []
        self.groups: list[Int[np.ndarray, " n"]] = []
        effects: list[Float[np.ndarray, "n n"]] = []
        for names, columns in _subsets(seeds.shape[1]):
            group = np.unique(seeds[:, columns], axis=0, return_inverse=True)[1].reshape(-1)
            effect = _effect(group, [coarse for coarse in self.groups if _refines(group, coarse)])
            if np.trace(effect) > 0.5:  # Its rank: else coarser terms say all that it does.
                self.terms.append(names)
                self.groups.append(group)
                effects.append(effect)
        self.effects = np.array(effects)
        """(terms, n, n): make of y the estimated effects, repeated for every run of a group."""

    @cached_property
    def weights(self) -> Float[np.ndarray, " terms"]:
        """What each component adds to the variance of the mean."""
        return np.array([(np.bincount(group) ** 2).sum() / self.n**2 for group in self.groups])

    @cached_property
    def expected(self) -> Float[np.ndarray, "terms terms"]:
        """Expected sums of squares (rows) where one component (columns) is 1."""
        same = np.stack([_same(group) for group in self.groups])
        found: Float[np.ndarray, "terms terms"] = np.einsum("tij,uij->tu", self.effects, same)
        return found

    @cached_property
    def _rotation(self) -> tuple[Float[np.ndarray, "n rows"], list[int]]:
        """The effects of all terms in as few numbers as have the same sums of squares."""
        rows: list[np.ndarray] = []
        starts: list[int] = []
        for matrix in self.effects:
            values, vectors = np.linalg.eigh(matrix)  # A projection's are 0 and 1.
            starts.append(sum(len(part) for part in rows))
            rows.append(vectors[:, values > 0.5].T)
        return np.concatenate(rows).T, starts

    def components(self, y: Float[np.ndarray, "*draws n"]) -> Float[np.ndarray, "*draws terms"]:
        """Returns the variance components of scores, none below zero."""
        rotation, starts = self._rotation
        squares = np.add.reduceat((y @ rotation) ** 2, starts, axis=-1)
        expected, sigma = self.expected, np.zeros_like(squares)
        for _ in range(_SWEEPS):
            for term in reversed(range(len(expected))):
                others = sigma @ expected[term] - sigma[..., term] * expected[term, term]
                found = (squares[..., term] - others) / expected[term, term]
                sigma[..., term] = np.maximum(found, 0)
        return sigma

    def variance(self, y: Float[np.ndarray, "*draws n"]) -> Float[np.ndarray, "*draws"]:
        """Returns the variance of the mean."""
        found: Float[np.ndarray, "*draws"] = self.components(y) @ self.weights
        return found


@lru_cache(maxsize=64)
def layout_of(seeds: tuple[tuple[int, ...], ...]) -> Layout:
    """Returns the layout of the (mask, init, data) seeds of runs; the same one again if known."""
    return Layout(np.array(seeds, dtype=int).reshape(len(seeds), len(FACTORS)))


def estimate(
    y: Float[np.ndarray, " n"],
    layout: Layout,
    rng: np.random.Generator,
    draws: int = 1999,
) -> Estimate:
    """Returns the mean of `y` with interval and p-values that respect what the runs share.

    Args:
        y: a score or difference a run.
        layout: of their mask, init and data seeds; what is the same in all runs is no factor.
        rng: of the simulated distributions.
        draws: how many; no p-value is below 1 / (draws + 1).
    """
    mean = float(y.mean()) if len(y) else float("nan")
    if len(y) < 2:
        return Estimate(len(y), mean)
    if np.ptp(y) <= 1e-12 * max(1.0, abs(mean)):
        # All alike: nothing is known about luck, but that it changed nothing here.
        p_values = (1.0, 1.0) if mean == 0 else (None, None)
        return Estimate(len(y), mean, None, None, *p_values)
    sigma = layout.components(y)
    error = float(np.sqrt(sigma @ layout.weights))
    if error == 0:
        return Estimate(len(y), mean)
    t = mean / error
    normal = _studentised(layout, normal_draws(layout, sigma, rng, draws), error)
    flipped = _studentised(layout, flipped_draws(layout, y, sigma, rng, draws), error)
    reach, half = np.quantile(np.abs(normal), [2 * LEVEL - 1, LEVEL]) * error
    tie = 1e-9 * max(1.0, abs(t))
    return Estimate(
        n=len(y),
        mean=mean,
        low=mean - float(half),
        high=mean + float(half),
        p_value=(1 + int((np.abs(flipped) >= abs(t) - tie).sum())) / (draws + 1),
        p_above=(1 + int((flipped >= t - tie).sum())) / (draws + 1),
        reach=float(reach),
    )


def normal_draws(
    layout: Layout, sigma: Float[np.ndarray, " terms"], rng: np.random.Generator, draws: int
) -> Float[np.ndarray, "draws n"]:
    """Returns scores of mean zero with normal effects of variances `sigma`."""
    found = np.zeros((draws, layout.n))
    for group, variance in zip(layout.groups, sigma, strict=True):
        effects = rng.standard_normal((draws, int(group.max()) + 1))
        found += np.sqrt(variance) * effects[:, group]
    return found


def flipped_draws(
    layout: Layout,
    y: Float[np.ndarray, " n"],
    sigma: Float[np.ndarray, " terms"],
    rng: np.random.Generator,
    draws: int,
) -> Float[np.ndarray, "draws n"]:
    """Returns scores whose effects are those estimated from `y`, each with a random sign.

    If the true mean is zero, the mean of `y` is luck as well, and each term has caused its share
    sigma_T w_T / V of it; its groups' effects are the estimated ones, scaled to the component, and
    that share. Of a single term these are the scores themselves, and the test is the exact one.
    """
    found = np.zeros((draws, layout.n))
    shares = sigma * layout.weights / (sigma @ layout.weights)
    for place, (group, effect) in enumerate(zip(layout.groups, layout.effects @ y, strict=True)):
        groups = int(group.max()) + 1
        values = np.zeros(groups)
        values[group] = effect
        size = float(np.sqrt((values**2).mean()))
        if size > 0 and sigma[place] > 0:
            values *= np.sqrt(sigma[place] * (1 - 1 / groups)) / size
            values += shares[place] * y.mean()
            found += (rng.choice([-1.0, 1.0], size=(draws, groups)) * values)[:, group]
    return found


def _studentised(
    layout: Layout, drawn: Float[np.ndarray, "draws n"], error: float
) -> Float[np.ndarray, " draws"]:
    own = np.maximum(np.sqrt(layout.variance(drawn)), 1e-9 * error)
    found: Float[np.ndarray, " draws"] = drawn.mean(axis=1) / own
    return found


def _subsets(factors: int) -> list[tuple[str, list[int]]]:
    """Mask, init, data, then two of them together, then all: coarse terms before fine ones."""
    return [
        (":".join(FACTORS[column] for column in columns), list(columns))
        for size in range(1, factors + 1)
        for columns in combinations(range(factors), size)
    ]


def _same(group: Int[np.ndarray, " n"]) -> Float[np.ndarray, "n n"]:
    found: Float[np.ndarray, "n n"] = (group[:, None] == group).astype(float)
    return found


def _effect(
    group: Int[np.ndarray, " n"], coarser: Sequence[Int[np.ndarray, " n"]]
) -> Float[np.ndarray, "n n"]:
    """Projects scores on what the groups' means say beyond all coarser terms and the mean."""
    columns = [np.ones((len(group), 1)), *(np.eye(int(c.max()) + 1)[c] for c in coarser)]
    known = np.concatenate(columns, axis=1)
    means = _same(group) / np.bincount(group)[group][:, None]
    found: Float[np.ndarray, "n n"] = means - known @ np.linalg.pinv(known)
    return found


def _refines(fine: Int[np.ndarray, " n"], coarse: Int[np.ndarray, " n"]) -> bool:
    """Whether the runs of every group of `fine` are in one group of `coarse`."""
    together = fine * (int(coarse.max()) + 1) + coarse
    return len(np.unique(together)) == int(fine.max()) + 1
