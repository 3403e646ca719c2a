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

from study.analysis.seeds.statistics import holm


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
