"""The error of a score that comes from the number of rows it is measured on."""

import math

_Z = 1.96


def half_width(metric: str, score: float, rows: int) -> float | None:
    """Returns the half-width of the 95 % interval of a score on a split of `rows` rows.

    None for a metric other than mcc, auc and accuracy, with or without the name of a split. For
    mcc and auc both classes are assumed to have half of the rows each.
    """
    error = _ERRORS.get(metric.removeprefix("dev_").removeprefix("test_"))
    return None if error is None else _Z * error(score, rows)


def _mcc_error(mcc: float, rows: int) -> float:
    """Binomial standard error: MCC = 2 accuracy - 1 if both classes have equal errors."""
    return math.sqrt(max(0.0, 1 - mcc**2) / rows)


def _auc_error(auc: float, rows: int) -> float:
    """Standard error of Hanley & McNeil 1982."""
    half = rows / 2
    both_positive, both_negative = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    spread = (half - 1) * (both_positive + both_negative - 2 * auc**2)
    return math.sqrt(max(0.0, auc * (1 - auc) + spread)) / half


def _accuracy_error(accuracy: float, rows: int) -> float:
    return math.sqrt(max(0.0, accuracy * (1 - accuracy)) / rows)


_ERRORS = {"mcc": _mcc_error, "auc": _auc_error, "accuracy": _accuracy_error}
