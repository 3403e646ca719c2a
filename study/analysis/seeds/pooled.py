"""Configurations over several tasks at once: IQM of all runs, P(improvement), tasks as strata.

A failed run counts: in the IQM at `failure_score`, in P(improvement) as a loss.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from study.analysis.seeds.reading import Comparison, Run
from study.analysis.seeds.scale import direction
from study.analysis.seeds.statistics import (
    SeedBootstrap,
    limits,
    weighted_improvement,
    weighted_iqm,
    win_matrix,
)
from study.analysis.seeds.summary import failure_score, seeds_of


@dataclass(frozen=True)
class Pooled:
    """A configuration over all tasks; 95 % limits by the stratified bootstrap."""

    label: str
    iqm: float
    iqm_limits: tuple[float, float]
    improvement: float
    """Over the first configuration, the mean over tasks; 0.5 of the first itself."""
    improvement_limits: tuple[float, float]


@dataclass(frozen=True)
class _Scored:
    """A configuration's runs that ended on a task, and how often each counts in a draw."""

    scores: Float[np.ndarray, " n"]
    """A failed run at `failure_score`."""
    ranked: Float[np.ndarray, " n"]
    """The same with a failed run below all others."""
    weights: Float[np.ndarray, "draws n"]


def pool(comparisons: Sequence[Comparison], metric: str, rng: np.random.Generator) -> list[Pooled]:
    """Returns the configurations that have ended on all of at least two tasks."""
    if len(comparisons) < 2:
        return []
    sign = direction(metric)
    labels = [
        label
        for label in comparisons[0].configurations
        if all(_ended(comparison, label) for comparison in comparisons)
    ]
    scored: dict[str, list[_Scored]] = {label: [] for label in labels}
    for comparison in comparisons:
        bootstrap = SeedBootstrap(seeds_of(comparison.runs), rng)
        floor = failure_score(comparison, metric)
        for label in labels:
            runs = _ended(comparison, label)
            known = [run.values.get(metric) for run in runs]
            scores = np.array([sign * (floor if score is None else score) for score in known])
            ranked = np.array([-np.inf if score is None else sign * score for score in known])
            scored[label].append(_Scored(scores, ranked, bootstrap.weights(seeds_of(runs))))
    return [_pooled(label, scored[label], scored[labels[0]], sign) for label in labels]


def _ended(comparison: Comparison, label: str) -> list[Run]:
    runs = comparison.configurations.get(label, [])
    return [run for run in runs if run.state in ("complete", "failed")]


def _pooled(label: str, own: list[_Scored], first: list[_Scored], sign: int) -> Pooled:
    scores = np.concatenate([task.scores for task in own])
    # In every draw each task counts as it does in the runs, however many its seeds brought in.
    weights = np.concatenate([_evened(task) for task in own], axis=1)
    whole = np.concatenate([np.full(len(t.scores), 1 / len(t.scores)) for t in own])
    low, high = sorted(sign * limit for limit in limits(weighted_iqm(scores, weights)))
    wins = [win_matrix(t.ranked, f.ranked) for t, f in zip(own, first, strict=True)]
    drawn = [
        weighted_improvement(win, task.weights, other.weights)
        for win, task, other in zip(wins, own, first, strict=True)
    ]
    return Pooled(
        label=label,
        iqm=sign * float(weighted_iqm(scores, whole)),
        iqm_limits=(low, high),
        improvement=float(np.mean([win.mean() for win in wins])),
        improvement_limits=limits(np.mean(drawn, axis=0)),
    )


def _evened(task: _Scored) -> Float[np.ndarray, "draws n"]:
    with np.errstate(invalid="ignore"):
        found: Float[np.ndarray, "draws n"] = task.weights / task.weights.sum(1, keepdims=True)
    return found
