"""Probabilities, confusion matrix, scores of classes and calibration of a classifier's outputs.

Classes are numbered 0, …, k - 1 with k >= 2; rows are those of a split.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

BINS = 15
"""Bins of the calibration: ((j - 1) / 15, j / 15] for j = 1, …, 15, as in Guo et al. 2017."""


def log_softmax(logits: Float[np.ndarray, "rows classes"]) -> Float[np.ndarray, "rows classes"]:
    """Returns the logarithms of the class probabilities, in float64."""
    wide = logits.astype(np.float64)
    logs: Float[np.ndarray, "rows classes"]
    logs = wide - np.logaddexp.reduce(wide, axis=1, keepdims=True)
    return logs


def probabilities(logits: Float[np.ndarray, "rows classes"]) -> Float[np.ndarray, "rows classes"]:
    """Returns the class probabilities, in float64."""
    found: Float[np.ndarray, "rows classes"] = np.exp(log_softmax(logits))
    return found


def balanced_weights(rows: Int[np.ndarray, " classes"]) -> Float[np.ndarray, " classes"]:
    """Returns total / (classes * rows) for the rows of each class, as in scikit-learn.

    Every class has the same sum of weights, and the mean weight of a row is 1.
    """
    weights: Float[np.ndarray, " classes"] = rows.sum() / (len(rows) * np.maximum(rows, 1))
    return weights


def confusion_matrix(
    labels: Int[np.ndarray, " rows"], predicted: Int[np.ndarray, " rows"], classes: int
) -> Int[np.ndarray, "classes classes"]:
    """Returns the number of rows of each true class (first axis) and predicted class (second)."""
    pairs = np.bincount(classes * labels + predicted, minlength=classes**2)
    return pairs.reshape(classes, classes)


@dataclass(frozen=True)
class ClassScores:
    """Scores of each class against the others; NaN where they have no denominator."""

    precision: Float[np.ndarray, " classes"]
    """Of the rows that are predicted to be of the class, the share that is."""
    recall: Float[np.ndarray, " classes"]
    """Of the rows of the class, the share that is predicted to be."""
    f1: Float[np.ndarray, " classes"]
    """Their harmonic mean; NaN if no row is of the class, and none predicted to be."""
    support: Int[np.ndarray, " classes"]
    """The number of rows of the class."""


def class_scores(confusion: Int[np.ndarray, "classes classes"]) -> ClassScores:
    """Returns the scores of each class from a confusion matrix."""
    right, true, shown = confusion.diagonal(), confusion.sum(axis=1), confusion.sum(axis=0)
    with np.errstate(invalid="ignore"):
        return ClassScores(right / shown, right / true, 2 * right / (true + shown), true)


@dataclass(frozen=True)
class Calibration:
    """Rows by the probability of their predicted class (the confidence), in `BINS` equal bins."""

    rows: Int[np.ndarray, " bins"]
    confidence: Float[np.ndarray, " bins"]
    """The mean confidence; NaN in a bin without rows."""
    accuracy: Float[np.ndarray, " bins"]
    """The share of rows whose prediction is right; NaN in a bin without rows."""

    @property
    def error(self) -> float:
        """The expected calibration error: the mean over rows of abs(accuracy - confidence)."""
        gaps = np.nan_to_num(np.abs(self.accuracy - self.confidence))
        return float(self.rows @ gaps / self.rows.sum())


def calibration(
    probabilities: Float[np.ndarray, "rows classes"], labels: Int[np.ndarray, " rows"]
) -> Calibration:
    """Returns the calibration of predictions (Guo et al., arXiv 1706.04599, equation 3)."""
    confidence = probabilities.max(axis=1)
    bins = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    rows = np.bincount(bins, minlength=BINS)
    right = probabilities.argmax(axis=1) == labels
    with np.errstate(invalid="ignore"):
        return Calibration(
            rows,
            np.bincount(bins, confidence, minlength=BINS) / rows,
            np.bincount(bins, right, minlength=BINS) / rows,
        )
