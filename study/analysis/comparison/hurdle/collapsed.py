"""Which runs have collapsed: they predict one class, or are within the range of guessing.

Guessing at random has |MCC| <= 1.96 / sqrt(rows) in 95 % of cases, as rows MCC^2 is chi-square
with one degree of freedom for independent predictions; with k classes 1.96 / sqrt((k - 1) rows).
"""

import math
from collections.abc import Iterable

from jaxtyping import Int
from numpy import ndarray, ptp

from study.analysis.comparison.outputs import Outputs, split_of
from study.analysis.comparison.results import RunResult

NO_ROWS_BOUND = 0.01
"""Bound on |MCC| if the number of rows is not known."""


def bound_of_guessing(rows: int | None, classes: int = 2) -> float:
    """Returns the largest |MCC| that guessing reaches in 95 % of cases."""
    return 1.96 / math.sqrt(rows * max(1, classes - 1)) if rows else NO_ROWS_BOUND


def has_collapsed(
    mcc: float | None, bound: float, predicted: Int[ndarray, " rows"] | None = None
) -> bool:
    """Returns whether a run with this MCC on a split has collapsed.

    Args:
        mcc: None if not known.
        bound: of `bound_of_guessing`.
        predicted: the class of each row; None if not known.
    """
    constant = predicted is not None and bool(len(predicted)) and not ptp(predicted)
    return constant or (mcc is not None and abs(mcc) <= bound)


def collapsed_runs(runs: Iterable[RunResult], outputs: Outputs, metric: str) -> list[RunResult]:
    """Returns the complete runs that have collapsed on the split of a metric."""
    labels = outputs.labels
    classes = 2 if labels is None else 1 + int(labels.max())
    bound = bound_of_guessing(None if labels is None else len(labels), classes)
    mcc = f"{split_of(metric)}_mcc"
    collapsed = []
    for run in runs:
        output = outputs.runs.get(run.number) if run.number is not None else None
        predicted = None if output is None else output.predicted
        if run.state == "complete" and has_collapsed(run.values.get(mcc), bound, predicted):
            collapsed.append(run)
    return collapsed
