"""Summary statistics of scores: IQM, CVaR, seed bootstrap, probability of improvement, Holm.

Higher scores are better in this module; callers negate losses.

Bootstrap. The usual stratified bootstrap (Agarwal et al. 2021) resamples runs within each task.
Runs that share a mask, init or data seed are not independent, and resampling them one by one gives
intervals that are far too narrow. Here the seeds of each factor are resampled with replacement,
and a run is weighted by the product of the counts of its seeds (pigeonhole bootstrap, Owen 2007).
All configurations of a task share the draws, as they share the seeds; tasks are drawn
independently. Resampling n seeds underestimates their spread, so that the distances of the
quantiles from the estimate are multiplied by t(n - 1) / z sqrt(n / (n - 1)), with the 97.5 %
quantiles of Student's and the normal distribution and n the smallest number of seeds of a factor.
With fresh seeds for every run 92 to 98 % of these 95 % intervals contain the true value, from 5 to
45 runs with normal scores or t3; with 5 x 3 x 3 seeds 94 to 100 %, as what acts most may be a
factor with more seeds.
"""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from scipy.special import ndtri, stdtrit


def weighted_iqm(
    scores: Float[np.ndarray, " n"], weights: Float[np.ndarray, "*draws n"]
) -> Float[np.ndarray, "*draws"]:
    """Returns the weighted interquartile mean (IQM), the mean of the middle half of the scores.

    Scores at the quartiles count in part. NaN if all weights of a draw are 0. With equal weights
    and n a multiple of 4 it equals scipy's `trim_mean(scores, 0.25)`.
    """
    order = np.argsort(scores, kind="stable")
    part = weights[..., order]
    total = part.sum(axis=-1, keepdims=True)
    upper = np.cumsum(part, axis=-1)
    inside = np.minimum(upper, 0.75 * total) - np.maximum(upper - part, 0.25 * total)
    inside = np.maximum(inside, 0)
    with np.errstate(invalid="ignore"):
        mean: Float[np.ndarray, "*draws"] = (inside @ scores[order]) / inside.sum(axis=-1)
    return mean


def iqm(scores: Sequence[float]) -> float:
    """Returns the interquartile mean (IQM) of at least one score."""
    values = np.asarray(scores, dtype=float)
    return float(weighted_iqm(values, np.ones(len(values))))


def cvar(scores: Sequence[float], share: float) -> float:
    """Returns the conditional value at risk (CVaR): the mean of the lowest `share` of the scores.

    The last score of these counts in part: the lowest 25 % of 9 scores are two and a quarter. For
    fewer than 1 / share scores it is the lowest one.
    """
    worst = np.sort(np.asarray(scores, dtype=float))
    weights = np.clip(share * len(worst) - np.arange(len(worst)), 0, 1)
    return float(weights @ worst / weights.sum())


def win_matrix(a: Float[np.ndarray, " n"], b: Float[np.ndarray, " m"]) -> Float[np.ndarray, "n m"]:
    """Returns 1 where the run of `a` has the higher score, 0.5 for ties, 0 otherwise."""
    wins: Float[np.ndarray, "n m"] = (a[:, None] > b) + 0.5 * (a[:, None] == b)
    return wins


def probability_of_improvement(wins: Float[np.ndarray, "n m"]) -> float:
    """Returns P(a > b) + P(a = b) / 2 over all pairs of runs, the Mann-Whitney U / (n m)."""
    return float(wins.mean())


def weighted_improvement(
    wins: Float[np.ndarray, "n m"],
    weights_a: Float[np.ndarray, "draws n"],
    weights_b: Float[np.ndarray, "draws m"],
) -> Float[np.ndarray, " draws"]:
    """Returns the probability of improvement in every draw; NaN if either has no run in it."""
    won = np.einsum("dn,nm,dm->d", weights_a, wins, weights_b, optimize=True)
    with np.errstate(invalid="ignore"):
        shares: Float[np.ndarray, " draws"] = won / (weights_a.sum(1) * weights_b.sum(1))
    return shares


class SeedBootstrap:
    """Bootstrap counts of the seeds of one task: how often each is drawn, in each of the draws.

    Factors whose seeds always change together (fresh seeds for every run) are drawn as one.
    """

    def __init__(
        self, seeds: Int[np.ndarray, "n factors"], rng: np.random.Generator, draws: int = 2000
    ) -> None:
        """Draws the counts; a seed below 0 marks a factor that does not apply to the run."""
        self.draws = draws
        fewest = [len(np.unique(own[own >= 0])) for own in seeds.T]
        n = min((count for count in fewest if count > 1), default=2)
        self.widening = float(stdtrit(n - 1, 0.975) / ndtri(0.975)) * math.sqrt(n / (n - 1))
        """Of the distances of quantiles from the estimate."""
        self._counts: dict[int, dict[int, Float[np.ndarray, " draws"]]] = {}
        for factor in range(seeds.shape[1]):
            levels = [int(seed) for seed in np.unique(seeds[:, factor]) if seed >= 0]
            if _change_together(seeds, factor):
                continue  # The later factor is drawn instead.
            even = np.full(len(levels), 1 / max(1, len(levels)))
            drawn = rng.multinomial(len(levels), even, size=draws) if levels else np.zeros((0, 0))
            self._counts[factor] = dict(zip(levels, drawn.T.astype(float), strict=True))

    def weights(self, seeds: Int[np.ndarray, "n factors"]) -> Float[np.ndarray, "draws n"]:
        """Returns the weight of each run in each draw."""
        weights = np.ones((self.draws, len(seeds)))
        for factor, counts in self._counts.items():
            for level, count in counts.items():
                weights[:, seeds[:, factor] == level] *= count[:, None]
        return weights


def limits(
    drawn: Float[np.ndarray, " draws"],
    estimate: float,
    widening: float,
    least: float = -math.inf,
    most: float = math.inf,
) -> tuple[float, float]:
    """Returns the 95 % interval by the quantiles of the draws; NaN draws are ignored.

    Args:
        drawn: of the statistic.
        estimate: the statistic of all runs.
        widening: of a `SeedBootstrap`.
        least: smallest possible value.
        most: largest possible value.
    """
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    ends = (estimate + widening * (end - estimate) for end in (low, high))
    low, high = (float(min(most, max(least, end))) for end in ends)
    return low, high


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Returns p-values corrected by Holm's step-down method, in the given order.

    None stays None and is not counted as a test.
    """
    known = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    corrected: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for rank, (p, place) in enumerate(known):
        highest = max(highest, min(1.0, (len(known) - rank) * p))
        corrected[place] = highest
    return corrected


def _change_together(seeds: Int[np.ndarray, "n factors"], factor: int) -> bool:
    """Whether the seeds of a later factor map one to one to the seeds of this factor."""
    touched = seeds[seeds[:, factor] >= 0]
    for later in range(factor + 1, seeds.shape[1]):
        both = np.unique(touched[:, [factor, later]], axis=0)
        if all(len(np.unique(both[:, column])) == len(both) for column in (0, 1)):
            return True
    return False
