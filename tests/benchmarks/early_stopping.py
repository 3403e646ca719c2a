"""How well an early score tells the final one, and whom a rung would stop wrongly.

    n  trials that all ran to their end        r  reports of each        m  resamples of the trials

Scores are such that larger is better. Intervals are bootstrap intervals over the trials: they say
how far another sample of configurations might lead elsewhere.
"""

from dataclasses import dataclass

import numpy as np

CONFIDENCE = 0.95
ORDERS = 20
"""In which the trials of a resample may arrive."""
TOP_SHARE = 0.1
"""Who should not be stopped: this share of the trials, by their final scores."""


@dataclass(frozen=True)
class Estimate:
    """A value with the ends of its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class RungQuality:
    """What a rung at one report would be worth."""

    report: int
    tau: Estimate
    """Kendall's tau-b between the score there and the final score, in [-1, 1]."""
    wrongly_stopped: Estimate
    """The share of the truly best that the rung stops, over orders in which trials may arrive."""


def rung_quality(
    scores: np.ndarray,
    final: np.ndarray,
    reduction_factor: float,
    rng: np.random.Generator,
    resamples: int = 300,
) -> list[RungQuality]:
    """Returns what a single rung at each report would be worth.

    Args:
        scores: what a rung at a report compares, (n, r).
        final: what a trial ends with, (n).
        reduction_factor: one in this many goes on.
        rng: draws resamples and orders of arrival.
        resamples: of the trials, for the intervals.
    """
    everyone = np.arange(len(final))[None]
    drawn = resampled(len(final), resamples, rng)
    often = np.repeat(everyone, resamples, axis=0)
    return [
        RungQuality(
            report,
            estimate(
                float(kendall_tau(early[everyone], final[everyone])[0]),
                kendall_tau(early[drawn], final[drawn]),
            ),
            estimate(
                float(_in_any_order(early, final, often, reduction_factor, rng).mean()),
                _in_any_order(early, final, drawn, reduction_factor, rng),
            ),
        )
        for report, early in enumerate(scores.T, start=1)
    ]


def tau_gain(
    scores: np.ndarray,
    others: np.ndarray,
    final: np.ndarray,
    rng: np.random.Generator,
    resamples: int = 300,
) -> list[Estimate]:
    """Returns by how much tau is larger for `scores` than for `others` at each report.

    Both, (n, r), are scores of the same trials, and are compared in the same resamples.
    """
    drawn = np.vstack([np.arange(len(final))[None], resampled(len(final), resamples, rng)])
    gains = [
        kendall_tau(one[drawn], final[drawn]) - kendall_tau(other[drawn], final[drawn])
        for one, other in zip(scores.T, others.T, strict=True)
    ]
    return [estimate(float(gain[0]), gain[1:]) for gain in gains]


def resampled(trials: int, resamples: int, rng: np.random.Generator) -> np.ndarray:
    """Returns the trials of every bootstrap resample, (m, n)."""
    return rng.integers(trials, size=(resamples, trials))


def estimate(value: float, resamples: np.ndarray) -> Estimate:
    """Returns a value with the percentile interval of its bootstrap resamples, (m)."""
    tail = (1 - CONFIDENCE) / 2
    low, high = np.nanquantile(resamples, [tail, 1 - tail])
    return Estimate(value, float(low), float(high))


def kendall_tau(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Returns Kendall's tau-b of every row, (m, n) and (m, n) -> (m); NaN where all are equal."""
    upper = np.triu_indices(a.shape[1], k=1)
    agreement, pairs_a, pairs_b = (np.zeros(len(a)) for _ in range(3))
    for i, j in zip(*upper, strict=True):
        sign_a, sign_b = np.sign(a[:, i] - a[:, j]), np.sign(b[:, i] - b[:, j])
        agreement += sign_a * sign_b
        pairs_a += sign_a**2
        pairs_b += sign_b**2
    with np.errstate(invalid="ignore"):
        tau: np.ndarray = agreement / np.sqrt(pairs_a * pairs_b)
    return tau


def stopped(arriving: np.ndarray, reduction_factor: float) -> np.ndarray:
    """Returns whom one rung stops, (m, n), of scores in their order of arrival, (m, n).

    The rule is the scheduler's: an arrival is stopped if it lies below the
    (1 - 1 / reduction_factor) quantile of those before it.
    """
    found = np.zeros(arriving.shape, dtype=bool)
    for place in range(1, arriving.shape[1]):
        cutoff = np.percentile(arriving[:, :place], (1 - 1 / reduction_factor) * 100, axis=1)
        found[:, place] = arriving[:, place] < cutoff
    return found


def _in_any_order(
    early: np.ndarray,
    final: np.ndarray,
    drawn: np.ndarray,
    reduction_factor: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Returns the share wrongly stopped of each row of trials, (m), a mean over random orders."""
    repeated = np.repeat(drawn, ORDERS, axis=0)
    arriving = rng.permuted(repeated, axis=1)
    shares = wrongly_stopped(early[arriving], final[arriving], reduction_factor)
    mean: np.ndarray = shares.reshape(-1, ORDERS).mean(axis=1)
    return mean


def wrongly_stopped(
    arriving: np.ndarray, final: np.ndarray, reduction_factor: float
) -> np.ndarray:
    """Returns the share of the truly best that a rung stops, (m), rows in order of arrival."""
    best = max(1, round(TOP_SHARE * final.shape[1]))
    top = np.argsort(-final, axis=1, kind="stable")[:, :best]
    share: np.ndarray = np.take_along_axis(stopped(arriving, reduction_factor), top, axis=1).mean(
        axis=1
    )
    return share
