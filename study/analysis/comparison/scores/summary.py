"""Summary statistics of each configuration over its runs; failed and collapsed runs.

No run is dropped silently. A failed run has no score: mean, sd and IQM are over the finished runs,
and the failures are counted beside them. For the worst score, CVaR and imputed means a failed run
has the score of guessing (MCC 0, AUC 0.5, AUPRC, F1 and accuracy 0), or the worst score of the
folder if that is worse or the metric has no such value. In P(improvement) a failed run loses
against every finished run.

A run has collapsed if it predicts one class only, or if its MCC is within the range of guessing:
|MCC| <= 1.96 / sqrt(rows), as n MCC^2 is chi-square with one degree of freedom for independent
predictions; with k classes 1.96 / sqrt((k - 1) rows). Collapsed runs are finished runs and count
everywhere.
"""

import math
import statistics
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Int

from study.analysis.comparison.outputs import Outputs, split_of
from study.analysis.comparison.results import STATES, ComparisonResults, RunResult, RunState
from study.analysis.comparison.scores.crossed import MeanEstimate, estimate_mean, layout_of
from study.analysis.comparison.scores.statistics import (
    SeedBootstrap,
    cvar,
    iqm,
    limits,
    weighted_iqm,
)
from study.spec.metrics import GUESSING, base_name, direction, limits_of

_NO_ROWS_BOUND = 0.01
"""Bound on |MCC| if the number of rows is not known."""


@dataclass(frozen=True)
class Summary:
    """Statistics of one configuration, in metric units."""

    label: str
    method: str
    states: dict[RunState, int]
    collapsed: list[RunResult]
    scores: list[float]
    """Of the finished runs, in the order of results.csv."""
    mean: MeanEstimate
    """Over the finished runs; its interval is clipped to the limits of the metric."""
    imputed_mean: float | None
    """Mean over all runs that ended, a failed run at `failure_score`."""
    iqm: float | None
    iqm_limits: tuple[float, float] | None
    """95 %, by the bootstrap over seeds (`SeedBootstrap`); None for fewer than two scores."""
    worst: float | None
    worst_run: RunResult | None
    """The run with the worst score, a failed one at `failure_score`."""
    cvar10: float | None
    cvar25: float | None

    @property
    def n(self) -> int:
        """Number of finished runs with a score."""
        return len(self.scores)

    @property
    def sd(self) -> float | None:
        """Sample standard deviation over the finished runs; None for fewer than two."""
        return statistics.stdev(self.scores) if self.n > 1 else None

    @property
    def failed(self) -> int:
        """Number of runs that ended without a score."""
        return self.states["failed"] + self.states["complete"] - self.n

    @property
    def pending(self) -> int:
        """Number of runs that have not ended yet."""
        return self.states["planned"] + self.states["running"]


def seeds_of(runs: Iterable[RunResult]) -> Int[np.ndarray, "n factors"]:
    """Returns the seeds of runs as rows (mask, init, data)."""
    return np.array([run.key for run in runs], dtype=int).reshape(-1, 3)


def summaries(
    comparison: ComparisonResults,
    metric: str,
    outputs: Outputs,
    bootstrap: SeedBootstrap,
    rng: np.random.Generator,
) -> list[Summary]:
    """Returns the statistics of every configuration, in the order of results.csv."""
    floor = failure_score(comparison, metric)
    return [
        _summary(
            comparison, label, metric, floor, _collapsed(runs, outputs, metric), bootstrap, rng
        )
        for label, runs in comparison.configurations.items()
    ]


def failure_score(comparison: ComparisonResults, metric: str) -> float:
    """Returns the score imputed for a failed run: guessing, or the worst score if worse."""
    sign = direction(metric)
    scores = [sign * run.values[metric] for run in comparison.runs if metric in run.values]
    guess = GUESSING.get(base_name(metric))
    if guess is not None:
        scores.append(sign * guess)
    return sign * min(scores)


def _summary(
    comparison: ComparisonResults,
    label: str,
    metric: str,
    floor: float,
    collapsed: list[RunResult],
    bootstrap: SeedBootstrap,
    rng: np.random.Generator,
) -> Summary:
    runs = comparison.configurations[label]
    finished = [run for run in runs if metric in run.values]
    scores = [run.values[metric] for run in finished]
    sign = direction(metric)
    failed = [r for r in runs if r.state in ("complete", "failed") and metric not in r.values]
    ended = [(sign * run.values.get(metric, floor), run) for run in (*finished, *failed)]
    worst = min(ended, key=lambda pair: pair[0], default=None)
    values, seeds = np.array(scores), seeds_of(finished)
    drawn = weighted_iqm(values, bootstrap.weights(seeds)) if len(scores) > 1 else None
    states = Counter(run.state for run in runs)
    layout = layout_of(tuple(run.key for run in finished))
    signed = [score for score, _ in ended]
    return Summary(
        label=label,
        method=runs[0].method,
        states={state: states[state] for state in STATES},
        collapsed=collapsed,
        scores=scores,
        mean=_clipped(estimate_mean(values, layout, rng), metric),
        imputed_mean=sign * statistics.fmean(signed) if signed else None,
        iqm=iqm(scores) if scores else None,
        iqm_limits=None if drawn is None else limits(drawn),
        worst=sign * worst[0] if worst else None,
        worst_run=worst[1] if worst else None,
        cvar10=sign * cvar(signed, 0.1) if signed else None,
        cvar25=sign * cvar(signed, 0.25) if signed else None,
    )


def _clipped(estimate: MeanEstimate, metric: str) -> MeanEstimate:
    """Returns the estimate with its interval clipped to the limits of the metric."""
    if estimate.low is None or estimate.high is None:
        return estimate
    least, most = limits_of(metric)
    return replace(estimate, low=max(least, estimate.low), high=min(most, estimate.high))


def _collapsed(runs: Iterable[RunResult], outputs: Outputs, metric: str) -> list[RunResult]:
    labels = outputs.labels
    # Of k classes guessed at random, the MCC has the variance 1 / ((k - 1) rows).
    size = 0 if labels is None else len(labels) * max(1, int(labels.max()))
    bound = 1.96 / math.sqrt(size) if size else _NO_ROWS_BOUND
    collapsed = []
    for run in runs:
        mcc = run.values.get(f"{split_of(metric)}_mcc")
        output = outputs.runs.get(run.number) if run.number is not None else None
        predicted = None if output is None else output.predicted
        constant = predicted is not None and len(predicted) > 0 and not np.ptp(predicted)
        if run.state == "complete" and (constant or (mcc is not None and abs(mcc) <= bound)):
            collapsed.append(run)
    return collapsed
