"""The error of a score that comes from the number of rows it is measured on."""

import math

_Z = 1.96


def half_width(metric: str, score: float, rows: int, classes: int = 2) -> float | None:
    """Returns the half-width of the 95 % interval of a score on a split of `rows` rows.

    None for a metric other than mcc, auc and accuracy, with or without the name of a split, and
    for auc with more than two classes. For mcc and auc all classes are assumed to have equally
    many rows.
    """
    error = _ERRORS.get(metric.removeprefix("dev_").removeprefix("test_"))
    value = None if error is None else error(score, rows, classes)
    return None if value is None else _Z * value


def _mcc_error(mcc: float, rows: int, classes: int) -> float:
    """Binomial standard error: MCC = (k accuracy - 1) / (k - 1) if k classes have equal errors."""
    accuracy = min(1.0, max(0.0, (mcc * (classes - 1) + 1) / classes))
    return classes / (classes - 1) * _accuracy_error(accuracy, rows, classes)


def _auc_error(auc: float, rows: int, classes: int) -> float | None:
    """Standard error of Hanley & McNeil 1982; None for the mean of several classes."""
    if classes > 2:
        return None
    half = rows / 2
    both_positive, both_negative = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    spread = (half - 1) * (both_positive + both_negative - 2 * auc**2)
    return math.sqrt(max(0.0, auc * (1 - auc) + spread)) / half


def _accuracy_error(accuracy: float, rows: int, classes: int) -> float:
    return math.sqrt(max(0.0, accuracy * (1 - accuracy)) / rows)


_ERRORS = {"mcc": _mcc_error, "auc": _auc_error, "accuracy": _accuracy_error}
