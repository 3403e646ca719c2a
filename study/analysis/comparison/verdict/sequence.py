"""Confidence sequence of a mean difference: an interval that may be looked at after every pair.

    symbol     meaning                                                           shape
    d          differences of the pairs, in the order in which they were planned  (n,)
    u          a candidate of the true mean on this test set
    x          d - u
    s_i        root mean square of x_1 ... x_i
    delta      a standardised difference, mean / sd, on which the test bets
    E_i(u)     the e-process of the null hypothesis "x is symmetric around zero"
    tau        sd over test sets of the mean difference
    c          quantile of |standard normal| for the part of alpha that the test set gets

If x is symmetric around zero, its sign is a fair coin given its size. So the factor

    2 sigmoid(2 delta sqrt(1 + delta^2) x_i / s_i)

has mean 1 given all that was seen before and |x_i|: the product over the pairs, and the mean of
such products over a grid of delta, is a nonnegative martingale that starts at 1. By Ville's
inequality it ever exceeds 1 / alpha with probability at most alpha, whatever the distribution, its
tails included. The factor is the likelihood ratio of the sign for normal differences with mean
delta times their sd, so that it grows fast if the differences are nearly normal.

The interval over seeds is the set of all u whose E_i(u) has never exceeded 1 / alpha. All pairs
share one test set, whose error more pairs do not reduce: it moves all differences by about
tau times a normal number. Half of alpha is spent on it, and the interval becomes wider by c tau on
both sides. The result contains the true mean difference over seeds and test sets at all looks
together with probability 1 - alpha.

References: Ville 1939; Howard, Ramdas, McAuliffe and Sekhon 2021 (confidence sequences); Ramdas,
Gruenwald, Vovk and Shafer 2023 (e-processes).
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.special import ndtri

LEVEL = 0.05
"""Probability that the sequence ever misses the true difference."""
DELTAS = np.array([0.25, 0.4, 0.6, 0.8, 1.0, 1.3, 1.7, 2.2, 3.0])
"""Standardised differences on which the test bets, each with both signs and equal weights."""
_GRID = 241
"""Candidates on each side of the mean when the interval is bracketed."""
_BISECTIONS = 30


@dataclass(frozen=True)
class AnytimeEstimate:
    """The mean difference after some pairs, valid however often it was looked at before."""

    pairs: int
    mean: float
    low: float | None
    """Lower limit of the confidence sequence; None while there are too few pairs to have one."""
    high: float | None
    e_value: float
    """Evidence against "no difference on this test set" so far; 1 without evidence."""
    p_value: float
    """Smallest error level at which the sequence excludes 0, the test set counted; at most 1."""
    level: float
    """Probability that the sequence ever misses the true difference."""


def log_e_process(x: Float[np.ndarray, "*sets n"]) -> Float[np.ndarray, "*sets n"]:
    """Returns log E_i(0) after each of the differences `x`."""
    counts = np.arange(1, x.shape[-1] + 1)
    size = np.sqrt(np.cumsum(x**2, axis=-1) / counts)
    scaled = np.divide(x, size, out=np.zeros_like(size), where=size > 0)
    bets = np.concatenate([DELTAS, -DELTAS])
    logs = np.empty((len(bets), *x.shape))
    for place, delta in enumerate(bets):
        z = 2 * delta * math.sqrt(1 + delta**2) * scaled
        logs[place] = np.cumsum(math.log(2) - np.logaddexp(0, -z), axis=-1)
    mixed: Float[np.ndarray, "*sets n"] = np.logaddexp.reduce(logs, axis=0) - math.log(len(bets))
    return mixed


def anytime_estimate(
    d: Float[np.ndarray, " n"], tau: float = 0.0, level: float = LEVEL
) -> AnytimeEstimate:
    """Returns the mean of independent differences with its confidence sequence.

    Args:
        d: differences of pairs in planned order.
        tau: sd over test sets of the mean difference; 0 leaves the test set out.
        level: probability that the sequence ever misses the true difference.
    """
    if not len(d):
        return AnytimeEstimate(0, math.nan, None, None, 1.0, 1.0, level)
    low, high = _limits(d, tau, level)
    return AnytimeEstimate(
        pairs=len(d),
        mean=float(d.mean()),
        low=low,
        high=high,
        e_value=math.exp(min(700.0, _largest(d, np.zeros(1))[0])),
        p_value=_p_value(d, tau),
        level=level,
    )


def spent(tau: float, level: float) -> tuple[float, float]:
    """Returns the error level left for the seeds, and how far the test set widens the interval."""
    if tau <= 0:
        return level, 0.0
    return level / 2, tau * float(ndtri(1 - level / 4))


def _limits(
    d: Float[np.ndarray, " n"], tau: float, level: float
) -> tuple[float | None, float | None]:
    for_seeds, wider = spent(tau, level)
    bound = -math.log(for_seeds)
    low, high = (_limit(d, bound, side) for side in (-1.0, 1.0))
    return (None if low is None else low - wider), (None if high is None else high + wider)


def _limit(d: Float[np.ndarray, " n"], bound: float, side: float) -> float | None:
    """Returns the outermost u on one side of the mean whose e-process stayed below the bound.

    None if even an infinitely distant u is not excluded.
    """
    mean, spread = float(d.mean()), float(np.abs(d - d.mean()).max())
    if spread <= 1e-12 * max(1.0, abs(mean)):
        return mean if _far(len(d)) >= bound else None
    if _far(len(d)) < bound:
        return None
    # From near the mean to where all differences are nearly equal compared with u.
    steps = spread * np.geomspace(1e-4, 1e4, _GRID)
    inside = _largest(d, mean + side * steps) < bound
    if not inside.any():
        return mean
    last = int(np.flatnonzero(inside)[-1])
    if last == _GRID - 1:
        return None
    near, far = float(steps[last]), float(steps[last + 1])
    for _ in range(_BISECTIONS):
        middle = (near + far) / 2
        if _largest(d, np.array([mean + side * middle]))[0] < bound:
            near = middle
        else:
            far = middle
    return mean + side * far


def _far(n: int) -> float:
    """Returns the log of the e-process after n equal differences."""
    return float(log_e_process(np.ones(n))[-1])


def _largest(
    d: Float[np.ndarray, " n"], u: Float[np.ndarray, " candidates"]
) -> Float[np.ndarray, " candidates"]:
    """Returns the log of the largest value so far of the e-process of each candidate."""
    logs = log_e_process(d - u[:, None])
    largest: Float[np.ndarray, " candidates"] = np.maximum(logs.max(axis=-1), 0.0)
    return largest


def _p_value(d: Float[np.ndarray, " n"], tau: float) -> float:
    """Returns the smallest level at which 0 is excluded, by bisection of its logarithm."""
    mean = float(d.mean())

    def excluded(log_level: float) -> bool:
        for_seeds, wider = spent(tau, math.exp(log_level))
        # The e-process falls from 0 towards the mean: its smallest value is at one of the ends.
        ends = np.array([0.0, math.copysign(wider, mean)])
        return wider < abs(mean) and bool(_largest(d, ends).min() >= -math.log(for_seeds))

    if not excluded(0.0 - 1e-9):
        return 1.0
    low, high = -60.0, 0.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if excluded(middle) else (middle, high)
    return math.exp(high)
