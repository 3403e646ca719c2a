"""Classification metrics: limits, score of guessing, and the direction that is better.

Names of metrics are those of tables, e.g. `test_mcc`, `dev_loss` or `dev_mcc_at_bT`.
"""

import math

LIMITS = {
    "mcc": (-1.0, 1.0),
    "accuracy": (0.0, 1.0),
    "auc": (0.0, 1.0),
    "f1": (0.0, 1.0),
    "loss": (0.0, math.inf),
}
"""Lowest and highest possible value."""
GUESSING = {"mcc": 0.0, "auc": 0.5, "f1": 0.0, "accuracy": 0.0}
"""Score of a model that guesses, or of a useless one; a lower bound for F1 and accuracy."""

_LOWER_IS_BETTER = ("loss", "seconds", "parameters", "gib")


def base_name(metric: str) -> str:
    """Returns the metric without split and suffix: `mcc` for test_mcc and dev_mcc_at_bT."""
    return metric.removeprefix("dev_").removeprefix("test_").split("_")[0]


def limits_of(metric: str) -> tuple[float, float]:
    """Returns the lowest and highest possible value of a metric; infinite if there is no limit."""
    low = 0.0 if lower_is_better(metric) else -math.inf
    return LIMITS.get(base_name(metric), (low, math.inf))


def lower_is_better(metric: str) -> bool:
    """Returns whether smaller values of a column are better: losses, times, sizes."""
    return metric.endswith(_LOWER_IS_BETTER)


def direction(metric: str) -> int:
    """Returns 1 if higher values are better, -1 if lower ones are."""
    return -1 if lower_is_better(metric) else 1
