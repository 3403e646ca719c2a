"""Scores of several runs of the same settings with different seeds."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from study.rates import Rate
from study.spec.metrics import limits_of
from study.storage.result.sampling import half_width


@dataclass(frozen=True)
class Estimate:
    """A metric over runs with different seeds, in the metric's unit."""

    metric: str
    """With its split: dev_mcc, test_auc."""
    scores: tuple[float, ...]
    """Of the runs that have one and did not collapse; of all with one if every one did."""
    failed: int
    """The number of runs without a score."""
    collapsed: int
    """The number of runs that predict one class for all sequences; see `collapse.py`."""
    scored: int
    """The number of runs with a score."""
    mean: float
    sd: float | None
    """Sample standard deviation; None for a single run."""
    iqm: float | None
    """Interquartile mean, the mean of the middle half; None for a single run."""
    low: float | None
    """The 95 % interval of the mean over seeds, on these rows (Student's t); None for one run."""
    high: float | None
    sampling_half_width: float | None
    """The half-width of the 95 % interval that comes from the number of rows of the split: with
    other rows of the same kind the score would be within it. None if not known."""

    @property
    def over_splits(self) -> tuple[float, float] | None:
        """The 95 % interval over seeds and splits: with other seeds and other rows.

        None for a single run, or if the error of the rows is not known.
        """
        if self.low is None or self.high is None or self.sampling_half_width is None:
            return None
        half = self.sampling_half_width
        least, most = limits_of(self.metric)
        return (
            max(least, self.mean - math.hypot(self.mean - self.low, half)),
            min(most, self.mean + math.hypot(self.high - self.mean, half)),
        )

    @property
    def count(self) -> int:
        """The number of runs that the mean is taken over."""
        return len(self.scores)

    @property
    def rate(self) -> Rate:
        """The rate of collapse among the runs with a score, with its exact 95 % interval."""
        return Rate(self.collapsed, self.scored)


def estimate(
    metric: str,
    values: Sequence[float | None],
    rows: int | None = None,
    classes: int = 2,
    collapsed: Sequence[bool] = (),
) -> Estimate | None:
    """Returns the estimate of a metric from its values of some runs; None without a value.

    Args:
        metric: with its split, as dev_mcc.
        values: one for each run; None for a run without a score.
        rows: of the split; None if not known.
        classes: of the task.
        collapsed: for each run whether it collapsed; empty if none did.
    """
    marked = zip(values, collapsed or [False] * len(values), strict=True)
    scored = [(value, lost) for value, lost in marked if value is not None]
    if not scored:
        return None
    lost = sum(lost for _, lost in scored)
    known = tuple(value for value, out in scored if not out or lost == len(scored))
    mean = statistics.fmean(known)
    several, all_lost = len(known) > 1, lost == len(scored)
    low, high = _interval(metric, known, mean) if several and not all_lost else (None, None)
    return Estimate(
        metric=metric,
        scores=known,
        failed=len(values) - len(scored),
        collapsed=lost,
        scored=len(scored),
        mean=mean,
        sd=statistics.stdev(known) if several else None,
        iqm=interquartile_mean(known) if several else None,
        low=low,
        high=high,
        sampling_half_width=None if rows is None else half_width(metric, mean, rows, classes),
    )


def interquartile_mean(values: Sequence[float]) -> float:
    """Returns the mean of the middle half; values at its edges count in part."""
    count, total, weights = len(values), 0.0, 0.0
    for place, value in enumerate(sorted(values)):
        # The share of [place, place + 1] that lies in the middle half of [0, count].
        weight = max(0.0, min(place + 1, 0.75 * count) - max(place, 0.25 * count))
        total, weights = total + weight * value, weights + weight
    return total / weights


def _interval(metric: str, values: Sequence[float], mean: float) -> tuple[float, float]:
    """Student's t interval of the mean, clipped to the range of the metric."""
    from scipy import special  # Not scipy.stats, which takes seconds to import.

    quantile = float(special.stdtrit(len(values) - 1, 0.975))
    half = quantile * statistics.stdev(values) / len(values) ** 0.5
    least, most = limits_of(metric)
    return max(least, mean - half), min(most, mean + half)
