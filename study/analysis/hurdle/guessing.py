"""Which runs have collapsed: they predict one class, or are within the range of guessing.

Guessing at random has |MCC| <= 1.96 / sqrt(rows) in 95 % of cases, as rows MCC^2 is chi-square
with one degree of freedom for independent predictions; with k classes 1.96 / sqrt((k - 1) rows).
"""

import math

from jaxtyping import Int
from numpy import ndarray, ptp

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
