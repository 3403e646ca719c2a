"""Mean ranks of methods over tasks, with an interval.

The interval is Student's for the mean over groups of related tasks, after a rank of 1 and one of
the largest rank have been added to those measured (after Agresti and Coull 1998, who add two
successes and two failures to those of a rate). Ranks are discrete and have limits: without these
two a method that is first in each of a few groups would have an interval without width. The
interval is wide for few groups, and of three or fewer it says nothing.

The expected rank is that of means over as many seeds as were run, on tasks from which these groups
are drawn. The backbones of a task, and related tasks, are no independent evidence: a group has one
rank, the mean over its cells.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.special import stdtrit
from scipy.stats import rankdata

LEVEL = 0.05
"""Probability that the interval misses the expected rank."""


@dataclass(frozen=True)
class MeanRank:
    """The mean rank of a method, 1 is the best; each group of related tasks counts once."""

    rank: float
    low: float
    """Limits of the 95 % interval of the expected rank."""
    high: float
    groups: int


def mean_ranks(cells: Sequence[tuple[str, Mapping[str, float]]]) -> dict[str, MeanRank]:
    """Returns the mean rank of every method.

    Args:
        cells: the group of related tasks of each cell, and the mean score by method; tied means
            share their ranks.
    """
    most = max((len(scores) for _, scores in cells), default=1)
    own: dict[str, dict[str, list[float]]] = {}
    for group, scores in cells:
        ranks = rankdata([-score for score in scores.values()])
        for method, rank in zip(scores, ranks, strict=True):
            own.setdefault(method, {}).setdefault(group, []).append(float(rank))
    found = {}
    for method, by_group in own.items():
        ranks = np.array([np.mean(group) for group in by_group.values()])
        low, high = interval_of_mean((ranks - 1) / max(1, most - 1))
        scale = most - 1
        found[method] = MeanRank(
            float(ranks.mean()), 1 + scale * low, 1 + scale * high, len(ranks)
        )
    return found


def interval_of_mean(x: Float[np.ndarray, " n"]) -> tuple[float, float]:
    """Returns the 95 % interval of the mean of independent numbers between 0 and 1."""
    n, more = len(x), np.concatenate([x, [0.0, 1.0]])
    # The two that were added are no observations: n - 1 degrees of freedom.
    quantile = float(stdtrit(max(1, n - 1), 1 - LEVEL / 2))
    middle, half = float(more.mean()), quantile * float(more.std(ddof=1)) / math.sqrt(n + 2)
    mean = float(x.mean())
    return min(mean, max(0.0, middle - half)), max(mean, min(1.0, middle + half))
