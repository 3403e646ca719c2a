"""How well early scores predict final ones, and which trials a rung would stop wrongly.

    n  trials that all ran to their end        r  reports of each        m  resamples of the trials

Larger scores are better. Intervals are bootstrap intervals over the trials.
"""

from dataclasses import dataclass

import numpy as np

CONFIDENCE = 0.95
ORDERS = 20
"""Number of random orders of arrival for each resample."""
TOP_SHARE = 0.1
"""The share of trials, best by final score, that should not be stopped."""


@dataclass(frozen=True)
class Estimate:
    """A value and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class RungQuality:
    """How well a rung at one report selects trials."""

    report: int
    tau: Estimate
    """Kendall's tau-b between the score at the report and the final score, in [-1, 1]."""
    wrongly_stopped: Estimate
    """The share of the best `TOP_SHARE` that the rung stops, a mean over orders of arrival."""


def rung_quality(
    scores: np.ndarray,
    final: np.ndarray,
    reduction_factor: float,
    rng: np.random.Generator,
    resamples: int = 300,
) -> list[RungQuality]:
    """Returns the quality of a single rung at each report.

    Args:
        scores: the scores that a rung compares, (n, r).
        final: the final scores, (n).
        reduction_factor: one trial in this many continues.
        rng: draws resamples and orders of arrival.
        resamples: number of resamples for the intervals.
    """
    all_trials = np.arange(len(final))[None]
    drawn = resampled(len(final), resamples, rng)
    repeated = np.repeat(all_trials, resamples, axis=0)
    return [
        RungQuality(
            report,
            estimate(
                float(kendall_tau(early[all_trials], final[all_trials])[0]),
                kendall_tau(early[drawn], final[drawn]),
            ),
            estimate(
                float(_in_any_order(early, final, repeated, reduction_factor, rng).mean()),
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
    """Returns the difference in tau between `scores` and `others` at each report.

    Both are (n, r), belong to the same trials, and are compared in the same resamples.
    """
    drawn = np.vstack([np.arange(len(final))[None], resampled(len(final), resamples, rng)])
    gains = [
        kendall_tau(one[drawn], final[drawn]) - kendall_tau(other[drawn], final[drawn])
        for one, other in zip(scores.T, others.T, strict=True)
    ]
    return [estimate(float(gain[0]), gain[1:]) for gain in gains]


def resampled(trials: int, resamples: int, rng: np.random.Generator) -> np.ndarray:
    """Returns the trial numbers of every bootstrap resample, (m, n)."""
    return rng.integers(trials, size=(resamples, trials))


def estimate(value: float, resamples: np.ndarray) -> Estimate:
    """Returns a value with the percentile interval of its bootstrap resamples, (m)."""
    tail = (1 - CONFIDENCE) / 2
    low, high = np.nanquantile(resamples, [tail, 1 - tail])
    return Estimate(value, float(low), float(high))


def kendall_tau(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Returns Kendall's tau-b of each row, (m, n), (m, n) -> (m); NaN if all values are equal."""
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
    """Returns which trials one rung stops, (m, n), by scores in order of arrival, (m, n).

    The rule is the scheduler's: a trial is stopped if its score lies below the
    (1 - 1 / reduction_factor) quantile of the scores before it.
    """
    stops = np.zeros(arriving.shape, dtype=bool)
    for place in range(1, arriving.shape[1]):
        cutoff = np.percentile(arriving[:, :place], (1 - 1 / reduction_factor) * 100, axis=1)
        stops[:, place] = arriving[:, place] < cutoff
    return stops


def _in_any_order(
    early: np.ndarray,
    final: np.ndarray,
    drawn: np.ndarray,
    reduction_factor: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Returns the share wrongly stopped in each row of trials, (m), a mean over random orders."""
    repeated = np.repeat(drawn, ORDERS, axis=0)
    arriving = rng.permuted(repeated, axis=1)
    shares = wrongly_stopped(early[arriving], final[arriving], reduction_factor)
    mean: np.ndarray = shares.reshape(-1, ORDERS).mean(axis=1)
    return mean


def wrongly_stopped(
    arriving: np.ndarray, final: np.ndarray, reduction_factor: float
) -> np.ndarray:
    """Returns the share of the best trials that a rung stops, (m); rows in order of arrival."""
    best = max(1, round(TOP_SHARE * final.shape[1]))
    top = np.argsort(-final, axis=1, kind="stable")[:, :best]
    share: np.ndarray = np.take_along_axis(stopped(arriving, reduction_factor), top, axis=1).mean(
        axis=1
    )
    return share
