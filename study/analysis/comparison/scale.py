"""Variance-stabilising scales of bounded scores: Fisher's z and the logit.

Near its limits, equal steps of a bounded score are not equal gains: from 0.98 to 0.99 an accuracy
halves the errors, from 0.60 to 0.61 it changes little. On Fisher's z, arctanh(MCC), for MCC and
the logit for accuracy, AUC and F1, scores have no limits and similar variance everywhere. Metrics
without two limits, such as losses, are analysed as they are.

Scores stay on the raw scale unless the derivative of the transformation varies by more than FACTOR
over the central 80 % of them. Otherwise the transformation is nearly linear over the data, shares
and comparisons are the same, and raw numbers are easier to read. A few collapsed runs lie outside
the central 80 % and do not change the scale.
    MCC from 0.55 to 0.75: factor 1.6, raw      MCC from 0.90 to 0.96: factor 2.4, Fisher's z

The limits themselves are transformed to infinity. Scores closer to a limit than
(high - low) / (2 rows), half of what one row is worth, are clipped to that distance.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import expit, logit

from study.spec.metrics import base_name, limits_of

FACTOR = 2.0

Name = Literal["raw", "Fisher z", "logit"]


@dataclass(frozen=True)
class Scale:
    """A transformation of scores and its inverse."""

    name: Name
    edge: float = 0.0
    """Smallest distance from a limit; closer scores are clipped."""

    def forward(self, scores: np.ndarray | Sequence[float]) -> np.ndarray:
        """Returns the scores on this scale; NaN stays NaN."""
        values = np.asarray(scores, dtype=float)
        if self.name == "Fisher z":
            values = np.arctanh(np.clip(values, -1 + self.edge, 1 - self.edge))
        elif self.name == "logit":
            values = logit(np.clip(values, self.edge, 1 - self.edge))
        return values

    def inverse(self, values: np.ndarray | Sequence[float]) -> np.ndarray:
        """Returns the scores of values on this scale."""
        scores = np.asarray(values, dtype=float)
        if self.name == "Fisher z":
            scores = np.tanh(scores)
        elif self.name == "logit":
            scores = expit(scores)
        return scores


def scale_of(metric: str, scores: np.ndarray | Sequence[float], rows: int) -> Scale:
    """Returns the scale on which scores of a metric are analysed, by the rule above.

    Args:
        metric: a column of results.csv, e.g. "test_mcc".
        scores: all scores that are analysed together; NaN is ignored.
        rows: number of rows of the split that was scored.
    """
    low, high = limits_of(metric)
    values = np.asarray(scores, dtype=float)
    values = values[~np.isnan(values)]
    if not np.isfinite([low, high]).all() or not len(values):
        return Scale("raw")
    edge = (high - low) / (2 * rows)
    central = np.clip(np.quantile(values, [0.1, 0.9]), low + edge, high - edge)
    midpoint = (low + high) / 2
    # The derivative is smallest at the midpoint, if the scores lie on both sides of it.
    nearest = central[np.abs(central - midpoint).argmin()]
    inner = midpoint if central[0] < midpoint < central[1] else nearest
    derivatives = [1 / ((x - low) * (high - x)) for x in (*central, inner)]
    if max(derivatives) <= FACTOR * min(derivatives):
        return Scale("raw")
    return Scale("Fisher z" if base_name(metric) == "mcc" else "logit", edge)
