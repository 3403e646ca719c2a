"""Configurations over several tasks at once: IQM of all runs, P(improvement), tasks as strata."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from study.analysis.seeds.reading import Comparison
from study.analysis.seeds.scale import direction
from study.analysis.seeds.statistics import (
    SeedBootstrap,
    limits,
    weighted_improvement,
    weighted_iqm,
    win_matrix,
)
from study.analysis.seeds.summary import seeds_of


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
    """A configuration's finished runs on a task: scores, and how often each counts in a draw."""

    scores: Float[np.ndarray, " n"]
    weights: Float[np.ndarray, "draws n"]


def pool(comparisons: Sequence[Comparison], metric: str, rng: np.random.Generator) -> list[Pooled]:
    """Returns the configurations that have a score on all of at least two tasks."""
    if len(comparisons) < 2:
        return []
    sign = direction(metric)
    labels = [
        label
        for label in comparisons[0].configurations
        if all(comparison.scores(label, metric) for comparison in comparisons)
    ]
    scored: dict[str, list[_Scored]] = {label: [] for label in labels}
    for comparison in comparisons:
        bootstrap = SeedBootstrap(seeds_of(comparison.runs), rng)
        for label in labels:
            runs = [r for r in comparison.configurations[label] if metric in r.values]
            scores = np.array([sign * run.values[metric] for run in runs])
            scored[label].append(_Scored(scores, bootstrap.weights(seeds_of(runs))))
    return [_pooled(label, scored[label], scored[labels[0]], sign) for label in labels]


def _pooled(label: str, own: list[_Scored], first: list[_Scored], sign: int) -> Pooled:
    scores = np.concatenate([task.scores for task in own])
    # In every draw each task counts as it does in the runs, however many its seeds brought in.
    weights = np.concatenate([_evened(task) for task in own], axis=1)
    whole = np.concatenate([np.full(len(t.scores), 1 / len(t.scores)) for t in own])
    low, high = sorted(sign * limit for limit in limits(weighted_iqm(scores, weights)))
    wins = [win_matrix(t.scores, f.scores) for t, f in zip(own, first, strict=True)]
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
