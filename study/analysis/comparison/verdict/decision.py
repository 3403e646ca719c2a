"""What an interval of a difference decides: better, worse, equal or undecided.

One interval decides all of it. It must hold for all pairs of a family together: with K pairs each
interval has the error level 0.05 / K (Bonferroni), so that with probability 0.95 none of the
decisions is wrong, at any look.
"""

from typing import Literal

from study.spec.metrics import limits_of

Decision = Literal["better", "worse", "equal", "undecided"]
FAMILY_LEVEL = 0.05
"""Probability of at least one wrong decision among all pairs that are analysed together."""
ROPE = 0.01
"""Default half-width of the rope for metrics between limits, such as MCC and AUC."""


def default_rope(metric: str) -> float:
    """Returns the half-width of the region of practical equivalence of a metric.

    0.01 for metrics with two limits; 0 for others, such as losses: then nothing is "equal".
    """
    low, high = limits_of(metric)
    bounded = abs(low) < float("inf") and abs(high) < float("inf")
    return ROPE if bounded else 0.0


def decide(low: float | None, high: float | None, rope: float, sign: int = 1) -> Decision:
    """Returns the decision on a - b by the interval of the difference.

    Args:
        low: lower limit; None if unknown.
        high: upper limit; None if unknown.
        rope: half-width of the region in which a difference does not matter, in metric units.
        sign: 1 if a higher score is better, -1 for losses.
    """
    if low is not None and high is not None and max(abs(low), abs(high)) <= rope:
        return "equal"
    if low is not None and low > 0:
        return "better" if sign > 0 else "worse"
    if high is not None and high < 0:
        return "worse" if sign > 0 else "better"
    return "undecided"
