"""Mean of scores of runs that may share seeds: interval and p-value against zero.

Runs that share no seed are independent: the interval is Student's, the p-value that of the exact
sign-flip test (verdict/flips.py). Runs that share seeds form a crossed random-effects design.

    symbol     meaning                                                             shape
    y          score of a run, or paired difference of two runs                    (n,)
    T          term of the model: mask, init, data, or an interaction of these
    group      the runs with the same level of a term, e.g. all with mask seed 3
    e_T        estimated effects of a term: group means minus coarser terms        (n,)
    sigma_T    variance component of a term, >= 0
    w_T        sum over groups of (size of the group / n)^2
    V          variance of the mean, sum over T of sigma_T w_T
    t          mean / sqrt(V)

Mask, init and data seeds are crossed random factors: 45 runs of 5 x 3 x 3 seeds carry much less
information than 45 independent runs. Variance components are moment estimates from the sums of
squares of the estimated effects, from the finest term to the coarsest; each is truncated at zero
and subtracted from the coarser ones. With so few levels t does not follow Student's distribution,
so its null distribution is simulated, and the components are estimated again in every draw:

- intervals (parametric bootstrap): effects are normal with the estimated components;
- p-values (randomisation test): the sign of every group's estimated effect is flipped at random,
  independently in each term, which preserves what runs share. Flipping the signs of single runs
  or blocks would break the mask effect apart and reject far too often.

If a factor with few levels has most of the variance, few sign patterns exist and no p-value can
be small. None is below 2^(1 - groups) of the finest term: 0.125 for 2 x 2 runs.

Accuracy with 5 x 3 x 3 seeds (table: tests/benchmarks/bench_comparisons.py). If only single runs
and (init, data) cells vary, with or without a mask effect of mean zero, 4 to 7 % of tests at 5 %
reject a true null hypothesis, and 93 to 96 % of the intervals contain the true mean. If init or
data seeds have main effects on a difference, which three levels estimate poorly, these become up
to 9 % and down to 89 %.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import combinations

import numpy as np
from jaxtyping import Float, Int
from scipy.special import stdtrit

from study.analysis.comparison.verdict.flips import sign_flip_p
from study.spec.comparison.schema import FACTORS

LEVEL = 0.95
"""Confidence level of intervals."""
DRAWS = 9999
"""Draws of a null distribution: a p-value of 0.05 is known to within 0.004."""
_SWEEPS = 4  # One sweep is exact in a complete design.


@dataclass(frozen=True)
class MeanEstimate:
    """A mean with its interval and p-value against zero; None if n is too small."""

    n: int
    mean: float
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    """Two-sided, for a single look."""


class Layout:
    """The crossed design of n runs: which of them share which seeds.

    Terms that group the runs in the same way are one term.
    """

    def __init__(self, seeds: Int[np.ndarray, "n factors"]) -> None:
        self.n = len(seeds)
        own = [column for column in seeds.T if (column >= 0).any()]
        self.independent = all(len(np.unique(column)) == self.n for column in own)
        """Whether no two runs share a seed; a factor that no run has does not count."""
        self.terms: list[str] = []
        self.groups: list[Int[np.ndarray, " n"]] = []
        effects: list[Float[np.ndarray, "n n"]] = []
        for names, columns in _subsets(seeds.shape[1]):
            group = np.unique(seeds[:, columns], axis=0, return_inverse=True)[1].reshape(-1)
            effect = _effect(group, [coarse for coarse in self.groups if _refines(group, coarse)])
            if np.trace(effect) > 0.5:  # Its rank; 0 if coarser terms explain it completely.
                self.terms.append(names)
                self.groups.append(group)
                effects.append(effect)
        self.effects = np.array(effects)
        """(terms, n, n): projectors from y to the estimated effects of each term."""

    @cached_property
    def weights(self) -> Float[np.ndarray, " terms"]:
        """w_T, the weight of each component in the variance of the mean."""
        return np.array([(np.bincount(group) ** 2).sum() / self.n**2 for group in self.groups])

    @cached_property
    def expected(self) -> Float[np.ndarray, "terms terms"]:
        """Expected sum of squares of each term (rows) if one component (columns) is 1."""
        same = np.stack([_same(group) for group in self.groups])
        squares: Float[np.ndarray, "terms terms"] = np.einsum("tij,uij->tu", self.effects, same)
        return squares

    @cached_property
    def _rotation(self) -> tuple[Float[np.ndarray, "n rows"], list[int]]:
        """Orthogonal basis (n, rank) of the effects of all terms, and where each term starts."""
        rows: list[np.ndarray] = []
        starts: list[int] = []
        for matrix in self.effects:
            values, vectors = np.linalg.eigh(matrix)  # Eigenvalues of a projector are 0 and 1.
            starts.append(sum(len(part) for part in rows))
            rows.append(vectors[:, values > 0.5].T)
        return np.concatenate(rows).T, starts

    def components(self, y: Float[np.ndarray, "*draws n"]) -> Float[np.ndarray, "*draws terms"]:
        """Returns the moment estimates of the variance components, truncated at zero."""
        rotation, starts = self._rotation
        squares = np.add.reduceat((y @ rotation) ** 2, starts, axis=-1)
        expected, sigma = self.expected, np.zeros_like(squares)
        for _ in range(_SWEEPS):
            for term in reversed(range(len(expected))):
                others = sigma @ expected[term] - sigma[..., term] * expected[term, term]
                moment = (squares[..., term] - others) / expected[term, term]
                sigma[..., term] = np.maximum(moment, 0)
        return sigma

    def variance(self, y: Float[np.ndarray, "*draws n"]) -> Float[np.ndarray, "*draws"]:
        """Returns the variance of the mean."""
        variance: Float[np.ndarray, "*draws"] = self.components(y) @ self.weights
        return variance


@lru_cache(maxsize=64)
def layout_of(seeds: tuple[tuple[int, ...], ...]) -> Layout:
    """Returns the layout of runs given as (mask, init, data) seeds; cached."""
    return Layout(np.array(seeds, dtype=int).reshape(len(seeds), len(FACTORS)))


def estimate_mean(
    y: Float[np.ndarray, " n"],
    layout: Layout,
    rng: np.random.Generator,
    draws: int = DRAWS,
    level: float = LEVEL,
) -> MeanEstimate:
    """Returns the mean of `y` with its interval and its p-value.

    Without both for fewer than two runs, or if the scores do not vary.

    Args:
        y: one score or difference per run.
        layout: the seeds of these runs. A factor with the same seed in all runs has no component.
        rng: draws the null distributions.
        draws: number of draws of each.
        level: confidence level of the interval.
    """
    mean = float(y.mean()) if len(y) else float("nan")
    if len(y) < 2:
        return MeanEstimate(len(y), mean)
    if np.ptp(y) <= 1e-12 * max(1.0, abs(mean)):
        # No variance was observed, so none can be estimated.
        return MeanEstimate(len(y), mean, p_value=1.0 if mean == 0 else None)
    if layout.independent:
        half = float(stdtrit(len(y) - 1, (1 + level) / 2) * y.std(ddof=1)) / len(y) ** 0.5
        return MeanEstimate(len(y), mean, mean - half, mean + half, sign_flip_p(y, rng))
    sigma = layout.components(y)
    error = float(np.sqrt(sigma @ layout.weights))
    if error == 0:
        return MeanEstimate(len(y), mean)
    t = mean / error
    normal = _studentised(layout, normal_draws(layout, sigma, rng, draws), error)
    flipped = _studentised(layout, flipped_draws(layout, y, sigma, rng, draws), error)
    half = float(np.quantile(np.abs(normal), level)) * error
    p = (1 + int((np.abs(flipped) >= abs(t) * (1 - 1e-9)).sum())) / (draws + 1)
    finest = max(
        int(group.max()) + 1 for group, own in zip(layout.groups, sigma, strict=True) if own > 0
    )
    return MeanEstimate(len(y), mean, mean - half, mean + half, max(p, 2.0 ** (1 - finest)))


def normal_draws(
    layout: Layout, sigma: Float[np.ndarray, " terms"], rng: np.random.Generator, draws: int
) -> Float[np.ndarray, "draws n"]:
    """Returns scores with mean zero and normal effects of variances `sigma`."""
    scores = np.zeros((draws, layout.n))
    for group, variance in zip(layout.groups, sigma, strict=True):
        effects = rng.standard_normal((draws, int(group.max()) + 1))
        scores += np.sqrt(variance) * effects[:, group]
    return scores


def flipped_draws(
    layout: Layout,
    y: Float[np.ndarray, " n"],
    sigma: Float[np.ndarray, " terms"],
    rng: np.random.Generator,
    draws: int,
) -> Float[np.ndarray, "draws n"]:
    """Returns scores made of the effects estimated from `y`, each group's with a random sign.

    Under the null hypothesis the mean of `y` is itself a sum of effects, of which each term has
    the share sigma_T w_T / V. The effect of a group is its estimated effect, scaled to the
    component, plus this share of the mean. With a single term the effects are the scores
    themselves, and the test is the exact sign-flip test.
    """
    scores = np.zeros((draws, layout.n))
    shares = sigma * layout.weights / (sigma @ layout.weights)
    for place, (group, effect) in enumerate(zip(layout.groups, layout.effects @ y, strict=True)):
        groups = int(group.max()) + 1
        values = np.zeros(groups)
        values[group] = effect
        size = float(np.sqrt((values**2).mean()))
        if size > 0 and sigma[place] > 0:
            freedom = np.trace(layout.effects[place])
            values *= np.sqrt(sigma[place] * freedom / groups) / size
            values += shares[place] * y.mean()
            scores += (rng.choice([-1.0, 1.0], size=(draws, groups)) * values)[:, group]
    return scores


def _studentised(
    layout: Layout, drawn: Float[np.ndarray, "draws n"], error: float
) -> Float[np.ndarray, " draws"]:
    own_error = np.maximum(np.sqrt(layout.variance(drawn)), 1e-9 * error)
    t: Float[np.ndarray, " draws"] = drawn.mean(axis=1) / own_error
    return t


def _subsets(factors: int) -> list[tuple[str, list[int]]]:
    """Returns names and columns of the terms: main effects, two-way, three-way interactions."""
    return [
        (":".join(FACTORS[column] for column in columns), list(columns))
        for size in range(1, factors + 1)
        for columns in combinations(range(factors), size)
    ]


def _same(group: Int[np.ndarray, " n"]) -> Float[np.ndarray, "n n"]:
    same: Float[np.ndarray, "n n"] = (group[:, None] == group).astype(float)
    return same


def _effect(
    group: Int[np.ndarray, " n"], coarser: Sequence[Int[np.ndarray, " n"]]
) -> Float[np.ndarray, "n n"]:
    """Returns the projector to group means minus the mean and all coarser terms."""
    columns = [np.ones((len(group), 1)), *(np.eye(int(c.max()) + 1)[c] for c in coarser)]
    known = np.concatenate(columns, axis=1)
    means = _same(group) / np.bincount(group)[group][:, None]
    projector: Float[np.ndarray, "n n"] = means - known @ np.linalg.pinv(known)
    return projector


def _refines(fine: Int[np.ndarray, " n"], coarse: Int[np.ndarray, " n"]) -> bool:
    """Whether every group of `fine` lies within one group of `coarse`."""
    combined = fine * (int(coarse.max()) + 1) + coarse
    return len(np.unique(combined)) == int(fine.max()) + 1
