"""How far one run's test score can be off because the test split is a sample: 95 % half-widths.

Two classes of the same size are assumed, which the paper's tasks nearly are. Seeds come on top.
"""

import math

from study.analysis.benchmark.reading import Metric

_Z = 1.96


def half_width(metric: Metric, score: float, rows: int) -> float:
    """Returns the half-width of a 95 % interval around `score`, from a test split of `rows`."""
    error = _mcc_error if metric == "mcc" else _auc_error
    return _Z * error(score, rows)


def _mcc_error(mcc: float, rows: int) -> float:
    """Binomial: with equal classes and equal errors in both, MCC = 2 accuracy - 1."""
    return math.sqrt(max(0.0, 1 - mcc**2) / rows)


def _auc_error(auc: float, rows: int) -> float:
    """Hanley & McNeil 1982, with half of the rows in each class."""
    half = rows / 2
    both_positive, both_negative = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    spread = (half - 1) * (both_positive + both_negative - 2 * auc**2)
    return math.sqrt(max(0.0, auc * (1 - auc) + spread)) / half
