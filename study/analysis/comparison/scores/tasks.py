"""Several tasks: mean ranks, Wilcoxon signed-rank tests, critical difference.

A task counts once, by the mean over its seeds of every configuration that all tasks have. Ranks
are 1 for the best, shared by ties. The picture is Demsar's (2006): configurations whose mean ranks
differ by less than Nemenyi's critical difference are joined. Nemenyi needs no p-value a pair and
is the picture's; the pairs have exact Wilcoxon signed-rank tests of their own, Holm-corrected.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Float
from scipy.stats import rankdata, studentized_range, wilcoxon

from study.analysis.comparison.reading import Comparison, Run
from study.analysis.comparison.scale import direction
from study.analysis.comparison.scores.statistics import (
    SeedBootstrap,
    holm,
    limits,
    weighted_improvement,
    weighted_iqm,
    win_matrix,
)
from study.analysis.comparison.scores.summary import failure_score, seeds_of


@dataclass(frozen=True)
class Rival:
    """Two configurations over tasks."""

    a: str
    b: str
    wins: int
    """Tasks on which a is better."""
    difference: float
    """The median over tasks of the difference of means."""
    p_value: float
    p_corrected: float | None


@dataclass(frozen=True)
class TaskRanking:
    """The configurations common to all tasks, over these."""

    tasks: list[str]
    configurations: list[str]
    means: Float[np.ndarray, "tasks configurations"]
    mean_ranks: Float[np.ndarray, " configurations"]
    critical_difference: float
    """Nemenyi's at 5 %, in ranks."""
    rivals: list[Rival]
    left_out: list[str]
    """Configurations that not every task has."""

    @property
    def smallest_p(self) -> float:
        """The smallest p-value that so few tasks allow, before any correction."""
        return min(1.0, 2.0 ** (1 - len(self.tasks)))

    @property
    def cliques(self) -> list[tuple[int, int]]:
        """(best, worst) places, in order of mean rank, of maximal groups within the difference."""
        ranks = np.sort(self.mean_ranks)
        reach = [
            int(np.searchsorted(ranks, rank + self.critical_difference + 1e-9, side="right")) - 1
            for rank in ranks
        ]
        return [
            (start, end)
            for start, end in enumerate(reach)
            if end > start and (start == 0 or reach[start - 1] < end)
        ]


def rank_tasks(
    means: dict[str, dict[str, float]], lower_is_better: bool = False
) -> TaskRanking | None:
    """Returns the ranking of `means[task][configuration]`.

    None for fewer than two tasks or fewer than two configurations that all tasks have.
    """
    tasks = list(means)
    everywhere = [name for name in means[tasks[0]] if all(name in means[task] for task in tasks)]
    some = {name: None for task in tasks for name in means[task] if name not in everywhere}
    if len(tasks) < 2 or len(everywhere) < 2:
        return None
    table = np.array([[means[task][name] for name in everywhere] for task in tasks])
    signed = -table if lower_is_better else table
    return TaskRanking(
        tasks=tasks,
        configurations=everywhere,
        means=table,
        mean_ranks=rankdata(-signed, axis=1).mean(axis=0),
        critical_difference=critical_difference(len(everywhere), len(tasks)),
        rivals=_rivals(everywhere, signed, -1 if lower_is_better else 1),
        left_out=list(some),
    )


def critical_difference(configurations: int, tasks: int, level: float = 0.05) -> float:
    """Returns Nemenyi's critical difference of mean ranks: q sqrt(k (k + 1) / (6 N))."""
    k = configurations
    q = float(studentized_range.ppf(1 - level, k, np.inf)) / math.sqrt(2)
    return q * math.sqrt(k * (k + 1) / (6 * tasks))


def _rivals(
    names: Sequence[str], signed: Float[np.ndarray, "tasks configurations"], sign: int
) -> list[Rival]:
    pairs = list(combinations(range(len(names)), 2))
    differences = [signed[:, a] - signed[:, b] for a, b in pairs]
    p_values = [float(wilcoxon(d).pvalue) if np.any(d) else 1.0 for d in differences]
    return [
        Rival(names[a], names[b], int((d > 0).sum()), sign * float(np.median(d)), p, corrected)
        for (a, b), d, p, corrected in zip(
            pairs, differences, p_values, holm(p_values), strict=True
        )
    ]


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
