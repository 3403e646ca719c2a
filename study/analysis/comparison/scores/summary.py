"""A configuration over its seeds: mean, IQM, worst part, what failed and what collapsed.

Nothing is dropped in silence. A failed run has no score, so mean, sd and IQM are over the finished
runs, with the failures counted beside them. Where the bad end is what counts, a failed run counts
as a bad score: in worst and CVaR as guessing (MCC 0, AUC 0.5, F1 and accuracy 0) or as the worst
score in the folder if that is worse or guessing is not known; in P(improvement) it loses against
every finished run.

A run has collapsed if it answers one class alone, or if its MCC is within what chance makes of
guessing: |MCC| <= 1.96 / sqrt(rows), the 95 % bound for independent answers (n MCC^2 is then
chi-square with one degree of freedom). Collapsed runs are finished runs, and count everywhere.
"""

import math
import statistics
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Int

from study.analysis.comparison.outputs import Outputs, split_of
from study.analysis.comparison.reading import STATES, Comparison, Run, State
from study.analysis.comparison.scale import GUESSING, direction, limits_of, score_name
from study.analysis.comparison.scores.crossed import Estimate, estimate, layout_of
from study.analysis.comparison.scores.statistics import (
    SeedBootstrap,
    cvar,
    iqm,
    limits,
    weighted_iqm,
)

_NO_ROWS_BOUND = 0.01
"""On |MCC|, where it is not known how many rows were answered."""


@dataclass(frozen=True)
class Summary:
    """One configuration's scores, in the metric's own direction."""

    label: str
    method: str
    states: dict[State, int]
    collapsed: list[Run]
    scores: list[float]
    """Of the finished runs."""
    mean: Estimate
    """Of the finished runs; its interval ends where the metric does."""
    charged_mean: float | None
    """Of all that ended, a failed run at `failure_score`."""
    iqm: float | None
    iqm_limits: tuple[float, float] | None
    """95 %, by the stratified bootstrap of `statistics`; None for fewer than two scores."""
    worst: float | None
    worst_run: Run | None
    """Of a failed run its guessing score."""
    cvar10: float | None
    cvar25: float | None

    @property
    def n(self) -> int:
        """Finished runs with a score."""
        return len(self.scores)

    @property
    def sd(self) -> float | None:
        """Sample standard deviation over finished runs; None for fewer than two."""
        return statistics.stdev(self.scores) if self.n > 1 else None

    @property
    def failed(self) -> int:
        """Runs that ended without a score."""
        return self.states["failed"] + self.states["complete"] - self.n

    @property
    def pending(self) -> int:
        """Runs that are still to end."""
        return self.states["planned"] + self.states["running"]


def seeds_of(runs: Iterable[Run]) -> Int[np.ndarray, "n factors"]:
    """Returns the seeds of runs as rows of (mask, init, data)."""
    return np.array([run.key for run in runs], dtype=int).reshape(-1, 3)


def summaries(
    comparison: Comparison,
    metric: str,
    outputs: Outputs,
    bootstrap: SeedBootstrap,
    rng: np.random.Generator,
) -> list[Summary]:
    """Returns a summary of every configuration, in the order of results.csv."""
    floor = failure_score(comparison, metric)
    return [
        _summary(
            comparison, label, metric, floor, _collapsed(runs, outputs, metric), bootstrap, rng
        )
        for label, runs in comparison.configurations.items()
    ]


def failure_score(comparison: Comparison, metric: str) -> float:
    """Returns what a failed run counts as in worst and CVaR."""
    sign = direction(metric)
    found = [sign * run.values[metric] for run in comparison.runs if metric in run.values]
    guess = GUESSING.get(score_name(metric))
    if guess is not None:
        found.append(sign * guess)
    return sign * min(found)


def _summary(
    comparison: Comparison,
    label: str,
    metric: str,
    floor: float,
    collapsed: list[Run],
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
    bad = [score for score, _ in ended]
    return Summary(
        label=label,
        method=runs[0].method,
        states={state: states[state] for state in STATES},
        collapsed=collapsed,
        scores=scores,
        mean=_within(estimate(values, layout_of(tuple(run.key for run in finished)), rng), metric),
        charged_mean=sign * statistics.fmean(bad) if bad else None,
        iqm=iqm(scores) if scores else None,
        iqm_limits=None if drawn is None else limits(drawn),
        worst=sign * worst[0] if worst else None,
        worst_run=worst[1] if worst else None,
        cvar10=sign * cvar(bad, 0.1) if bad else None,
        cvar25=sign * cvar(bad, 0.25) if bad else None,
    )


def _within(found: Estimate, metric: str) -> Estimate:
    """The mean with an interval that holds no impossible score."""
    if found.low is None or found.high is None:
        return found
    least, most = limits_of(metric)
    return replace(found, low=max(least, found.low), high=min(most, found.high))


def _collapsed(runs: Iterable[Run], outputs: Outputs, metric: str) -> list[Run]:
    rows = None if outputs.labels is None else len(outputs.labels)
    bound = 1.96 / math.sqrt(rows) if rows else _NO_ROWS_BOUND
    found = []
    for run in runs:
        mcc = run.values.get(f"{split_of(metric)}_mcc")
        output = outputs.runs.get(run.number) if run.number is not None else None
        predicted = None if output is None else output.predicted
        constant = predicted is not None and len(predicted) > 0 and not np.ptp(predicted)
        if run.state == "complete" and (constant or (mcc is not None and abs(mcc) <= bound)):
            found.append(run)
    return found
