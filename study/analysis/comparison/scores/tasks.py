"""Statistics over several tasks: mean ranks, Wilcoxon tests, critical difference, pooled IQM.

Every task is one observation: the mean over its seeds of each configuration that all tasks have.
Rank 1 is best; ties share the mean of their ranks. In the critical-difference diagram (Demsar
2006) configurations are joined whose mean ranks differ by less than Nemenyi's critical difference.
Pairs are tested by exact Wilcoxon signed-rank tests, Holm-corrected.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations

import numpy as np
from jaxtyping import Float
from scipy.stats import rankdata, studentized_range

from study.analysis.comparison.results import ComparisonResults, RunResult
from study.analysis.comparison.scores.statistics import (
    SeedBootstrap,
    holm,
    iqm,
    limits,
    weighted_improvement,
    weighted_iqm,
    win_matrix,
)
from study.analysis.comparison.scores.summary import failure_score, seeds_of
from study.analysis.comparison.verdict.flips import sign_flip_p
from study.spec.metrics import direction


@dataclass(frozen=True)
class TaskPair:
    """Two configurations over all tasks. The fields are the columns of task_pairs.csv."""

    a: str
    b: str
    wins: int
    """Number of tasks on which a is better."""
    better: str
    """The configuration on whose side the sum of signed ranks is; empty if it is zero."""
    difference: float
    """Median over tasks of the difference of means, a - b."""
    p_value: float
    p_corrected: float | None


@dataclass(frozen=True)
class TaskRanking:
    """Ranking over tasks of the configurations that all tasks have."""

    tasks: list[str]
    configurations: list[str]
    means: Float[np.ndarray, "tasks configurations"]
    mean_ranks: Float[np.ndarray, " configurations"]
    critical_difference: float
    """Nemenyi's at the 5 % level, in ranks."""
    pairs: list[TaskPair]
    left_out: list[str]
    """Configurations that some tasks lack."""

    @property
    def smallest_p(self) -> float:
        """The smallest possible p-value of the signed-rank test over N tasks, 2^(1 - N)."""
        return min(1.0, 2.0 ** (1 - len(self.tasks)))

    @property
    def cliques(self) -> list[tuple[int, int]]:
        """Maximal groups within the critical difference, as (first, last) place by mean rank."""
        ranks = np.sort(self.mean_ranks)
        last = [
            int(np.searchsorted(ranks, rank + self.critical_difference + 1e-9, side="right")) - 1
            for rank in ranks
        ]
        return [
            (start, end)
            for start, end in enumerate(last)
            if end > start and (start == 0 or last[start - 1] < end)
        ]


def rank_tasks(
    means: dict[str, dict[str, float]], lower_is_better: bool = False
) -> TaskRanking | None:
    """Returns the ranking over tasks by `means[task][configuration]`.

    A task may be a group of comparisons, of which the means are taken. None for fewer than two
    tasks, or fewer than two configurations that all tasks have.
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
        pairs=_task_pairs(everywhere, signed, -1 if lower_is_better else 1),
        left_out=list(some),
    )


@cache
def critical_difference(configurations: int, tasks: int, level: float = 0.05) -> float:
    """Returns Nemenyi's critical difference of mean ranks, q sqrt(k (k + 1) / (6 N)).

    q is the quantile of the studentised range over sqrt(2) (Demsar 2006).
    """
    k = configurations
    q = float(studentized_range.ppf(1 - level, k, np.inf)) / math.sqrt(2)
    return q * math.sqrt(k * (k + 1) / (6 * tasks))


def _task_pairs(
    names: Sequence[str], signed: Float[np.ndarray, "tasks configurations"], sign: int
) -> list[TaskPair]:
    pairs = list(combinations(range(len(names)), 2))
    differences = [signed[:, a] - signed[:, b] for a, b in pairs]
    rng = np.random.default_rng(0)
    p_values = [sign_flip_p(_signed_ranks(d), rng) or 1.0 for d in differences]
    return [
        TaskPair(
            a=names[a],
            b=names[b],
            wins=int((d > 0).sum()),
            better=_better(d, names[a], names[b]),
            difference=sign * float(np.median(d)),
            p_value=p,
            p_corrected=corrected,
        )
        for (a, b), d, p, corrected in zip(
            pairs, differences, p_values, holm(p_values), strict=True
        )
    ]


def _signed_ranks(d: Float[np.ndarray, " tasks"]) -> Float[np.ndarray, " untied"]:
    """Returns the ranks of the sizes of differences with their signs, without ties."""
    known = d[d != 0]
    ranks: Float[np.ndarray, " untied"] = np.sign(known) * rankdata(np.abs(known))
    return ranks


def _better(d: Float[np.ndarray, " tasks"], a: str, b: str) -> str:
    """Returns the side of the signed-rank sum, which is what the test is about.

    The number of wins may be on the other side: half of the tasks may tie.
    """
    total = float(_signed_ranks(d).sum())
    return "" if total == 0 else a if total > 0 else b


@dataclass(frozen=True)
class Pooled:
    """A configuration over all tasks; 95 % limits by the bootstrap over seeds within tasks."""

    label: str
    iqm: float
    """Mean over tasks of the interquartile mean of each."""
    iqm_limits: tuple[float, float]
    improvement: float
    """P(improvement) over the first configuration, mean over tasks; 0.5 for the first itself."""
    improvement_limits: tuple[float, float]


@dataclass(frozen=True)
class _Scored:
    """Runs of a configuration that ended on one task, with their bootstrap weights."""

    scores: Float[np.ndarray, " n"]
    """Signed so that higher is better; a failed run at `failure_score`."""
    ranked: Float[np.ndarray, " n"]
    """The same with failed runs at -inf."""
    weights: Float[np.ndarray, "draws n"]
    widening: float
    """Of the bootstrap of the task."""


def pool(
    comparisons: Sequence[ComparisonResults], metric: str, rng: np.random.Generator
) -> list[Pooled]:
    """Returns pooled statistics of the configurations with runs that ended on every task.

    Empty for fewer than two tasks.
    """
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
            weights = bootstrap.weights(seeds_of(runs))
            scored[label].append(_Scored(scores, ranked, weights, bootstrap.widening))
    return [_pooled(label, scored[label], scored[labels[0]], sign) for label in labels]


def _ended(comparison: ComparisonResults, label: str) -> list[RunResult]:
    runs = comparison.configurations.get(label, [])
    return [run for run in runs if run.state in ("complete", "failed")]


def _pooled(label: str, own: list[_Scored], first: list[_Scored], sign: int) -> Pooled:
    widening = max(task.widening for task in own)
    middle = float(np.mean([iqm(list(task.scores)) for task in own]))
    drawn_iqm = np.mean([weighted_iqm(task.scores, task.weights) for task in own], axis=0)
    low, high = sorted(sign * limit for limit in limits(drawn_iqm, middle, widening))
    wins = [win_matrix(t.ranked, f.ranked) for t, f in zip(own, first, strict=True)]
    probability = float(np.mean([win.mean() for win in wins]))
    drawn = [
        weighted_improvement(win, task.weights, other.weights)
        for win, task, other in zip(wins, own, first, strict=True)
    ]
    return Pooled(
        label=label,
        iqm=sign * middle,
        iqm_limits=(low, high),
        improvement=probability,
        improvement_limits=limits(np.mean(drawn, axis=0), probability, widening, 0.0, 1.0),
    )
