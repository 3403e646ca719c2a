"""Runs that have collapsed: they predict one class for all sequences.

A collapsed run is an outcome of its own, not a low score: where one run in ten collapses the mean
over a few runs is either that of the others, or far below it, and no interval of it holds. So a
score is the mean over the runs that did not collapse, and the rate of collapse stands beside it.

Comparisons and benchmarks also leave out runs within the range of guessing (analysis/hurdle),
where both configurations lose them alike. A score of its own would be biased by that: of a weak
configuration only the luckier runs would remain.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from study.storage.result.estimates import Estimate

Scores = Mapping[str, Sequence[float | None]]
"""Metric with its split, as dev_mcc -> one value for each run."""
NAMES = ("mcc", "accuracy", "f1_weighted")


def is_one_class(
    mcc: float | None, accuracy: float | None = None, f1: float | None = None
) -> bool:
    """Whether scores are those of predicting one class for all sequences.

    Then MCC is exactly 0, which a model that guesses can have too. If the class has a share a of
    the rows, the accuracy is a, its F1 2 a / (1 + a), and the weighted F1 a times that; without
    these two, as in journals of older versions, the MCC decides.
    """
    if mcc != 0 or accuracy is None or f1 is None:
        return mcc == 0
    return math.isclose(f1, 2 * accuracy**2 / (1 + accuracy), rel_tol=1e-6)


def collapsed(*splits: Scores) -> list[bool]:
    """Returns for each run whether it predicts one class on any of these splits.

    A split may lack metrics, or all runs.
    """
    found: list[bool] = []
    for scores in splits:
        split = next(iter(scores), "").split("_")[0]
        columns = [scores.get(f"{split}_{name}", ()) for name in NAMES]
        runs = max(map(len, columns))
        filled = [[*column, *[None] * (runs - len(column))] for column in columns]
        here = [is_one_class(*values) for values in zip(*filled, strict=True)]
        length = max(len(found), runs)
        pad = [[*one, *[False] * (length - len(one))] for one in (found, here)]
        found = [a or b for a, b in zip(*pad, strict=True)]
    return found


def lost_text(one: "Estimate") -> str:
    """Returns how many runs failed and collapsed, with the interval of the rate of collapse."""
    rate = one.rate
    failed = "" if not one.failed else f"{one.failed} of {one.failed + one.scored} failed, "
    number = "none" if not rate.k else f"{rate.k} of {rate.n}"
    ends = f"{rate.low:.0%} to {rate.high:.0%}"
    return f"{failed}{number} collapsed, a rate of {ends} (95 %)"
