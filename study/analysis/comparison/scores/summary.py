"""Summary statistics of each configuration over its runs; failed and collapsed runs.

No run is dropped silently. Mean, sd and IQM are over the usable runs, those that neither failed
nor collapsed; the others are counted beside them, with an exact interval of their rate (hurdle/).
For the worst score, CVaR and imputed means a failed run has the score of guessing (MCC 0, AUC 0.5,
AUPRC, F1 and accuracy 0), or the worst score of the folder if that is worse or the metric has no
such value; a collapsed run has its own. In P(improvement) a failed run loses against every
finished run.
"""

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from study.analysis.comparison.outputs import Outputs
from study.analysis.comparison.results import STATES, ComparisonResults, RunResult, RunState
from study.analysis.comparison.scores.collapsed import collapsed_runs
from study.analysis.comparison.scores.crossed import MeanEstimate, estimate_mean, layout_of
from study.analysis.comparison.scores.statistics import (
    SeedBootstrap,
    cvar,
    iqm,
    limits,
    weighted_iqm,
)
from study.influence import error_of_mean, error_of_overlap
from study.rates import Rate
from study.spec.metrics import GUESSING, base_name, direction, limits_of


@dataclass(frozen=True)
class Summary:
    """Statistics of one configuration, in metric units."""

    label: str
    method: str
    states: dict[RunState, int]
    collapsed: list[RunResult]
    unusable: Rate
    """Runs that failed or collapsed, of those that ended."""
    usable: list[RunResult]
    """In the order of results.csv."""
    scores: list[float]
    """Of the usable runs."""
    mean: MeanEstimate
    """Over the usable runs, on this test set; clipped to the limits of the metric."""
    tau: float | None
    """sd over test sets of the mean; None if not known."""
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
        """Number of usable runs."""
        return len(self.scores)

    @property
    def sd(self) -> float | None:
        """Sample standard deviation over the usable runs; None for fewer than two."""
        return statistics.stdev(self.scores) if self.n > 1 else None

    @property
    def failed(self) -> int:
        """Number of runs that ended without a score."""
        return self.unusable.k - len(self.collapsed)

    @property
    def over_test_sets(self) -> tuple[float, float] | None:
        """The 95 % interval of the mean over seeds and test sets; None if not known."""
        low, high = self.mean.low, self.mean.high
        if self.tau is None or low is None or high is None:
            return None
        z = 1.96 * self.tau
        mean = self.mean.mean
        return mean - math.hypot(mean - low, z), mean + math.hypot(high - mean, z)

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
    influences: Mapping[int | None, Float[np.ndarray, " rows"]],
    bootstrap: SeedBootstrap,
    rng: np.random.Generator,
) -> list[Summary]:
    """Returns the statistics of every configuration, in the order of results.csv."""
    return [
        _summary(
            comparison,
            label,
            metric,
            collapsed_runs([run for run in runs if metric in run.values], outputs, metric),
            influences,
            outputs.share,
            bootstrap,
            rng,
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
    collapsed: list[RunResult],
    influences: Mapping[int | None, Float[np.ndarray, " rows"]],
    share: float | None,
    bootstrap: SeedBootstrap,
    rng: np.random.Generator,
) -> Summary:
    runs, floor = comparison.configurations[label], failure_score(comparison, metric)
    ended = [run for run in runs if run.state in ("complete", "failed")]
    usable = [run for run in ended if metric in run.values and run not in collapsed]
    scores = [run.values[metric] for run in usable]
    sign = direction(metric)
    signed = [sign * run.values.get(metric, floor) for run in ended]
    worst = min(zip(signed, ended, strict=True), key=lambda one: one[0], default=None)
    values, seeds = np.array(scores), seeds_of(usable)
    drawn = weighted_iqm(values, bootstrap.weights(seeds)) if len(scores) > 1 else None
    middle = iqm(scores) if scores else None
    states = Counter(run.state for run in runs)
    known = [influences[run.number] for run in usable if run.number in influences]
    layout = layout_of(tuple(run.key for run in usable))
    return Summary(
        label=label,
        method=runs[0].method,
        states={state: states[state] for state in STATES},
        collapsed=collapsed,
        unusable=Rate(len(ended) - len(usable), len(ended)),
        usable=usable,
        scores=scores,
        mean=_clipped(estimate_mean(values, layout, rng, 1999), metric),
        tau=_tau(known, values, share),
        imputed_mean=sign * statistics.fmean(signed) if signed else None,
        iqm=middle,
        iqm_limits=(
            None
            if drawn is None or middle is None
            else limits(drawn, middle, bootstrap.widening, *limits_of(metric))
        ),
        worst=sign * worst[0] if worst else None,
        worst_run=worst[1] if worst else None,
        cvar10=sign * cvar(signed, 0.1) if signed else None,
        cvar25=sign * cvar(signed, 0.25) if signed else None,
    )


def _tau(
    influences: list[Float[np.ndarray, " rows"]],
    scores: Float[np.ndarray, " n"],
    share: float | None,
) -> float | None:
    """Returns the sd over test sets of the mean, `share` is that of drawn test sets."""
    if influences:
        return error_of_mean(np.array(influences))
    if share is None or len(scores) < 2:
        return None
    return error_of_overlap(scores, share)


def _clipped(estimate: MeanEstimate, metric: str) -> MeanEstimate:
    """Returns the estimate with its interval clipped to the limits of the metric."""
    if estimate.low is None or estimate.high is None:
        return estimate
    least, most = limits_of(metric)
    return replace(estimate, low=max(least, estimate.low), high=min(most, estimate.high))
