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

A failed run counts as guessing in these means. Every count has a range, a rank confidence set:
the means of a row and of its peers are compared on all tasks, together at an error of 5 %
(Bonferroni), and the range holds the count that the true means would give in at least 95 % of
cases (Mogstad, Romano, Shaikh and Wilhelm 2024). The lower end counts the tasks on which fewer
than two peers may be better, the upper end those on which fewer than two are better for sure. A
mean with a single seed, or with failed or collapsed runs, may be anywhere.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from study.analysis.benchmark.reading import BenchmarkResults, Metric
from study.analysis.benchmark.scores import CellScores, ScoreTable, half_width_of, score_table
from study.paper import reference
from study.paper.reference import EMP_TASKS, METHODS, PD_TASKS, Top2
from study.rates import LEVEL

Group = Literal["pd", "emp", "other"]
Among = Literal["methods", "backbones"]
"""What a backbone with a method is compared among."""
BackboneMethod = tuple[str, str]

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
    """Range that holds the count of the true means in 95 % of cases; None without a count."""


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
        for among in _AMONG:
            column = [_count(row, group, among, table, rows) for row in rows]
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


def _interval(
    row: BackboneMethod, peers: Iterable[BackboneMethod], table: ScoreTable
) -> tuple[int, int]:
    """Returns the rank confidence set of the count, all comparisons of the row together."""
    compared, shared = _compared(row, peers, table.tasks, table.ranked_means())
    others = [peer for peer in compared if peer != row]
    level = LEVEL / (len(others) * len(shared))
    surely = maybe = 0
    for task in shared:
        own = table.cells[task, *row]
        gaps = [_gap(table.cells[task, *peer], own, level) for peer in others]
        surely += sum(high >= 0 for _, high in gaps) < 2
        maybe += sum(low > 0 for low, _ in gaps) < 2
    return surely, maybe


def _gap(peer: CellScores, own: CellScores, level: float) -> tuple[float, float]:
    """Returns the interval of the true mean of a peer minus that of the row."""
    half = half_width_of((peer, own), level) if peer.sound and own.sound else None
    wide, gap = math.inf if half is None else half, (peer.mean or 0.0) - (own.mean or 0.0)
    return gap - wide, gap + wide


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
    rows: list[BackboneMethod],
) -> TopTwoCount:
    tasks, peers = table.tasks, _peers(row, rows, among)
    compared, measured = top_two(row, peers, tasks, table.ranked_means())
    interval = _interval(row, peers, table) if measured else None
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
