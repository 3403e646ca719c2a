"""Table 3: on how many tasks a backbone with a method is among the top two.

Two counts are shown:

- among methods: compared with the other methods of the same backbone (which method to choose for
  this backbone)
- among backbones: compared with the other backbones tuned by the same method. The paper's Table 3
  counts this (see `study.paper`).

Those without a mean on any task are not compared. A task counts if all that are compared have a
mean on it; `Top2.of` is the number of such tasks, and without any there is no count. A mean is
among the top two if fewer than two means are strictly larger, so all tied means count. With fewer
than three to compare, all would be among the top two, so there is no count.

A failed run counts as guessing in these means. Every count has a range: means are drawn around
those measured, with the variance between seeds and that of the test set, and counted again; 95 %
of these counts are in it. It is no confidence interval: the means measured are noisy already, so
that redrawing pulls counts towards the middle.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from study.analysis.benchmark.reading import BenchmarkResults, Metric
from study.analysis.benchmark.scores import ScoreTable, score_table
from study.paper import reference
from study.paper.reference import EMP_TASKS, METHODS, PD_TASKS, Top2

Group = Literal["pd", "emp", "other"]
Among = Literal["methods", "backbones"]
"""What a backbone with a method is compared among."""
BackboneMethod = tuple[str, str]
Draws = Float[np.ndarray, " draws"]
DRAWS = 2000

METRICS: dict[Group, Metric] = {"pd": "auc", "emp": "mcc", "other": "mcc"}
_AMONG: tuple[Among, ...] = ("methods", "backbones")
_PAPER_ROWS = [
    (backbone, method)
    for backbone in ("dnabert-2", "nt-500m-1000g", "opt-125m", "opt-350m")
    for method in METHODS.values()
]


@dataclass(frozen=True)
class TopTwoCount:
    """The count of a backbone with a method, for one group of tasks."""

    backbone: str
    method: str
    group: Group
    among: Among
    tasks: int
    """Number of the group's tasks in the benchmark."""
    compared: int
    """Number of methods or backbones compared, including this one."""
    measured: Top2 | None
    """The count of this benchmark."""
    paper: Top2 | None
    """The count printed in the paper's Table 3."""
    paper_recounted: Top2 | None
    """The same count computed from the paper's Tables 2 and S2."""
    interval: tuple[int, int] | None = None
    """Range of 95 % of the counts of redrawn means; None if a cell has a single seed."""


def groups(benchmark: BenchmarkResults) -> dict[Group, list[str]]:
    """Returns the benchmark's tasks by group: the paper's promoters and histone marks, others."""
    by_group: dict[Group, list[str]] = {"pd": [], "emp": [], "other": []}
    for task in benchmark.tasks:
        group: Group = "pd" if task in PD_TASKS else "emp" if task in EMP_TASKS else "other"
        by_group[group].append(task)
    return {group: tasks for group, tasks in by_group.items() if tasks}


def top_two_counts(benchmark: BenchmarkResults) -> list[TopTwoCount]:
    """Returns the counts of every backbone and method, among methods and among backbones.

    A combination of group and comparison is left out if it has no count, here or in the paper.
    """
    rows = [(b, method) for b in benchmark.backbones for method in benchmark.methods(b)]
    counts = []
    for group, tasks in groups(benchmark).items():
        table = score_table(benchmark, METRICS[group], tasks)
        drawn = _drawn(table, np.random.default_rng(0))
        for among in _AMONG:
            column = [_count(row, group, among, table, drawn, rows) for row in rows]
            if any(c.measured or c.paper or c.paper_recounted for c in column):
                counts += column
    return counts


def top_two(
    row: BackboneMethod,
    peers: Iterable[BackboneMethod],
    tasks: Iterable[str],
    scores: Mapping[tuple[str, str, str], float],
) -> tuple[int, Top2 | None]:
    """Returns the number of peers compared, and on how many tasks `row` is among the top two.

    Args:
        row: a backbone and method.
        peers: what it is compared among, including itself.
        tasks: the tasks to count.
        scores: by (task, backbone, method); larger is better.
    """
    compared, shared = _compared(row, peers, tasks, scores)
    if not shared:
        return len(compared), None
    # Rounded, so that means of the same scores summed in another order tie.
    rounded = {key: round(score, 9) for key, score in scores.items()}
    better = [
        sum(rounded[task, *peer] > rounded[task, *row] for peer in compared) for task in shared
    ]
    return len(compared), Top2(sum(above < 2 for above in better), len(shared))


def _compared(
    row: BackboneMethod,
    peers: Iterable[BackboneMethod],
    tasks: Iterable[str],
    scores: Mapping[tuple[str, str, str], object],
) -> tuple[list[BackboneMethod], list[str]]:
    """Returns the peers with a score, and the tasks on which all of them have one."""
    tasks = list(tasks)
    compared = [peer for peer in peers if any((task, *peer) in scores for task in tasks)]
    if row not in compared or len(compared) < 3:
        return compared, []
    return compared, [task for task in tasks if all((task, *p) in scores for p in compared)]


def _drawn(table: ScoreTable, rng: np.random.Generator) -> dict[tuple[str, str, str], Draws]:
    """Returns draws of the means of all cells with two seeds or more."""
    return {
        key: mean + cell.error_of_mean * rng.normal(size=DRAWS)
        for key, cell in table.cells.items()
        if (mean := cell.ranked_mean) is not None and cell.error_of_mean is not None
    }


def _interval(
    row: BackboneMethod,
    peers: Iterable[BackboneMethod],
    tasks: Iterable[str],
    drawn: Mapping[tuple[str, str, str], Draws],
) -> tuple[int, int] | None:
    compared, shared = _compared(row, peers, tasks, drawn)
    if not shared:
        return None
    counts = np.zeros(DRAWS, dtype=int)
    for task in shared:
        own = drawn[task, *row]
        counts += sum((drawn[task, *peer] > own).astype(int) for peer in compared) < 2
    low, high = np.quantile(counts, [0.025, 0.975], method="nearest")
    return int(low), int(high)


def records(counts: list[TopTwoCount]) -> list[dict[str, Any]]:
    """Returns one csv row for each count."""
    return [
        {
            "backbone": count.backbone,
            "method": count.method,
            "group": count.group,
            "metric": f"test_{METRICS[count.group]}",
            "among": count.among,
            "compared": count.compared,
            "top2": count.measured and count.measured.count,
            "of": count.measured and count.measured.of,
            "top2_low": count.interval and count.interval[0],
            "top2_high": count.interval and count.interval[1],
            "tasks": count.tasks,
            "paper": count.paper and count.paper.count,
            "paper_of": count.paper and count.paper.of,
            "paper_recounted": count.paper_recounted and count.paper_recounted.count,
            "paper_recounted_of": count.paper_recounted and count.paper_recounted.of,
        }
        for count in counts
    ]


def _count(
    row: BackboneMethod,
    group: Group,
    among: Among,
    table: ScoreTable,
    drawn: Mapping[tuple[str, str, str], Draws],
    rows: list[BackboneMethod],
) -> TopTwoCount:
    tasks, peers = table.tasks, _peers(row, rows, among)
    compared, measured = top_two(row, peers, tasks, table.ranked_means())
    interval = _interval(row, peers, tasks, drawn) if measured else None
    if interval and measured:  # Where cells without a second seed were left out of the draws.
        interval = min(interval[0], measured.count), max(interval[1], measured.count)
    paper = reference.top2(*row, group) if among == "backbones" else None
    recounted = paper_recount(row, group, among)
    return TopTwoCount(
        *row, group, among, len(tasks), compared, measured, paper, recounted, interval
    )


def paper_recount(row: BackboneMethod, group: Group, among: Among) -> Top2 | None:
    """Returns the count computed from the paper's Tables 2 and S2; None for rows not in them."""
    tasks = {"pd": PD_TASKS, "emp": EMP_TASKS, "other": ()}[group]
    scores = {
        (task, *other): score
        for task in tasks
        for other in _PAPER_ROWS
        if (score := reference.score(METRICS[group], *other, task)) is not None
    }
    return top_two(row, _peers(row, _PAPER_ROWS, among), tasks, scores)[1]


def _peers(
    row: BackboneMethod, rows: Iterable[BackboneMethod], among: Among
) -> list[BackboneMethod]:
    same = 0 if among == "methods" else 1
    return [other for other in rows if other[same] == row[same]]
