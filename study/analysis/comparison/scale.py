"""The scale of a score: near its limits, equal steps of an MCC or an AUC are not equal gains.

From 0.98 to 0.99 halves the errors, from 0.60 to 0.61 changes little. Bounded scores have a scale
without limits, on which seeds scatter alike everywhere: Fisher's z, arctanh(MCC), for MCC, and the
logit for accuracy, AUC and F1. A loss is used as it is.

The rule: scores stay as they are unless the steps differ in size by more than FACTOR within the
middle 80 % of them. Where they do not, the scale is nearly a straight line over the data, shares
and comparisons come out the same, and numbers are easier to read raw. A few collapsed runs, which
lie outside the middle, do not decide.
    MCC from 0.55 to 0.75: 1.6 fold, raw      MCC from 0.90 to 0.96: 2.4 fold, Fisher's z

On their scale the limits themselves are infinitely far. A score closer to one than half of what a
single row is worth, (high - low) / (2 rows), cannot be told from it, and counts as that close.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import expit, logit

FACTOR = 2.0
LIMITS = {"mcc": (-1.0, 1.0), "accuracy": (0.0, 1.0), "auc": (0.0, 1.0), "f1": (0.0, 1.0)}
"""By metric, those that have limits on both sides."""
GUESSING = {"mcc": 0.0, "auc": 0.5, "f1": 0.0, "accuracy": 0.0}
"""By metric, what guessing or a useless model has at least."""

_LOWER = ("loss", "seconds", "parameters", "gib")

Name = Literal["raw", "Fisher z", "logit"]


@dataclass(frozen=True)
class Scale:
    """A way to write scores, and back."""

    name: Name
    edge: float = 0.0
    """How close to a limit a score may be before it is moved."""

    def forward(self, scores: np.ndarray | Sequence[float]) -> np.ndarray:
        """Returns scores on this scale; nan stays nan."""
        found = np.asarray(scores, dtype=float)
        if self.name == "Fisher z":
            found = np.arctanh(np.clip(found, -1 + self.edge, 1 - self.edge))
        elif self.name == "logit":
            found = logit(np.clip(found, self.edge, 1 - self.edge))
        return found

    def inverse(self, values: np.ndarray | Sequence[float]) -> np.ndarray:
        """Returns the scores of values on this scale."""
        found = np.asarray(values, dtype=float)
        if self.name == "Fisher z":
            found = np.tanh(found)
        elif self.name == "logit":
            found = expit(found)
        return found


def lower_is_better(metric: str) -> bool:
    """Returns whether a small value of a column is a good one: losses, times, sizes."""
    return metric.endswith(_LOWER)


def direction(metric: str) -> int:
    """Returns 1 where more is better, -1 where less is."""
    return -1 if lower_is_better(metric) else 1


def score_name(metric: str) -> str:
    """Returns `mcc` of test_mcc, dev_mcc_at_bT and the like."""
    return metric.removeprefix("dev_").removeprefix("test_").split("_")[0]


def limits_of(metric: str) -> tuple[float, float]:
    """Returns the least and the most that a metric can be; infinite where it has no limit."""
    least = 0.0 if lower_is_better(metric) else -math.inf
    return LIMITS.get(score_name(metric), (least, math.inf))


def scale_of(metric: str, scores: np.ndarray | Sequence[float], rows: int) -> Scale:
    """Returns the scale on which scores of a metric are to be compared, by the rule above.

    Args:
        metric: as in results.csv: "test_mcc", "dev_auc", ...
        scores: all that are compared; nan is passed over.
        rows: of the split that was scored.
    """
    name = score_name(metric)
    values = np.asarray(scores, dtype=float)
    values = values[~np.isnan(values)]
    if name not in LIMITS or not len(values):
        return Scale("raw")
    low, high = LIMITS[name]
    edge = (high - low) / (2 * rows)
    middle = np.clip(np.quantile(values, [0.1, 0.9]), low + edge, high - edge)
    turn = (low + high) / 2
    # Steps are smallest in the middle of the range: there, if the scores lie on both sides of it.
    inner = turn if middle[0] < turn < middle[1] else middle[np.abs(middle - turn).argmin()]
    steps = [1 / ((x - low) * (high - x)) for x in (*middle, inner)]
    if max(steps) <= FACTOR * min(steps):
        return Scale("raw")
    return Scale("Fisher z" if name == "mcc" else "logit", edge)
