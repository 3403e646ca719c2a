"""Classification metrics: limits, score of guessing, and the direction that is better.

Names of metrics are those of tables, e.g. `test_mcc`, `dev_loss` or `dev_mcc_at_bT`. Their
definitions are in `study.tasks.metrics`.
"""

import math
from typing import Literal, get_args

Metric = Literal[
    "mcc", "auc", "f1", "accuracy", "loss", "f1_macro", "f1_weighted", "auprc", "brier", "ece"
]
METRICS: tuple[Metric, ...] = get_args(Metric)
LIMITS = {
    "mcc": (-1.0, 1.0),
    "auc": (0.0, 1.0),
    "f1": (0.0, 1.0),
    "accuracy": (0.0, 1.0),
    "loss": (0.0, math.inf),
    "f1_macro": (0.0, 1.0),
    "f1_weighted": (0.0, 1.0),
    "auprc": (0.0, 1.0),
    "brier": (0.0, 1.0),
    "ece": (0.0, 1.0),
}
"""Lowest and highest possible value."""
GUESSING = {
    "mcc": 0.0,
    "auc": 0.5,
    "f1": 0.0,
    "accuracy": 0.0,
    "f1_macro": 0.0,
    "f1_weighted": 0.0,
    "auprc": 0.0,
}
"""Score of a model that guesses, or of a useless one; a lower bound for AUPRC, F1, accuracy."""
NEED_EVERY_CLASS = ("auc", "auprc")
"""Metrics that do not exist on a split without rows of some class."""

_LOWER_IS_BETTER = ("loss", "brier", "ece")
_LESS_IS_BETTER = ("loss", "seconds", "parameters", "gib")


def base_name(metric: str) -> str:
    """Returns the metric without split and suffix: `mcc` for test_mcc and dev_mcc_at_bT."""
    name = metric.removeprefix("dev_").removeprefix("test_")
    found = [known for known in METRICS if name == known or name.startswith(f"{known}_")]
    return max(found, key=len, default=name)


def limits_of(metric: str) -> tuple[float, float]:
    """Returns the lowest and highest possible value of a metric; infinite if there is no limit."""
    low = 0.0 if lower_is_better(metric) else -math.inf
    return LIMITS.get(base_name(metric), (low, math.inf))


def lower_is_better(metric: str) -> bool:
    """Returns whether smaller values of a column are better: errors, losses, times, sizes."""
    return base_name(metric) in _LOWER_IS_BETTER or metric.endswith(_LESS_IS_BETTER)


def direction(metric: str) -> int:
    """Returns 1 if higher values are better, -1 if lower ones are."""
    return -1 if lower_is_better(metric) else 1
