"""Table 3: on how many tasks a backbone with a method is among the top two.

There are two ways to count, and both are shown:

- among the methods of its backbone: which method should this backbone be tuned with?
- among the backbones with its method: which backbone is good with this method? This is what the
  paper's Table 3 counts (see `study.paper`).

A task counts only where everyone who is compared has a value, and nobody is compared who has none
on any task; `of` says how many tasks that leaves, and without any there is no count. Whoever has
fewer than two strictly better means above it is among the top two, so a tie counts for all in it.
Of two, both are always among the top two: with fewer than three to compare there is no count.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from study.analysis.benchmark.cells import table
from study.analysis.benchmark.reading import Benchmark, Metric
from study.paper import reference
from study.paper.reference import EMP_TASKS, METHODS, PD_TASKS, Top2

Group = Literal["pd", "emp", "other"]
Rivals = Literal["methods", "backbones"]
Row = tuple[str, str]
"""Backbone and method."""

METRICS: dict[Group, Metric] = {"pd": "auc", "emp": "mcc", "other": "mcc"}
RIVALS: tuple[Rivals, ...] = ("methods", "backbones")
_OF_THE_PAPER = [
    (backbone, method)
    for backbone in ("dnabert-2", "nt-500m-1000g", "opt-125m", "opt-350m")
    for method in METHODS.values()
]


@dataclass(frozen=True)
class Count:
    """One row of Table 3, for one group of tasks and one way to count."""

    backbone: str
    method: str
    group: Group
    rivals: Rivals
    tasks: int
    """Tasks of the group in the benchmark."""
    compared: int
    """How many were compared, itself included."""
    found: Top2 | None
    printed: Top2 | None
    """The paper's Table 3."""
    recounted: Top2 | None
    """Counted in the same way from the paper's Tables 2 and S2."""


def groups(benchmark: Benchmark) -> dict[Group, list[str]]:
    """The tasks of the benchmark: the paper's promoters and histone marks, and all others."""
    found: dict[Group, list[str]] = {"pd": [], "emp": [], "other": []}
    for task in benchmark.tasks:
        found["pd" if task in PD_TASKS else "emp" if task in EMP_TASKS else "other"].append(task)
    return {group: tasks for group, tasks in found.items() if tasks}


def counts(benchmark: Benchmark) -> list[Count]:
    """Returns the counts of every backbone and method, by group of tasks and way to count.

    A way to count a group by which nobody has a count, here or in the paper, is left out.
    """
    rows = [(b, method) for b in benchmark.backbones for method in benchmark.methods(b)]
    found = []
    for group, tasks in groups(benchmark).items():
        means = table(benchmark, METRICS[group], tasks).means()
        for rivals in RIVALS:
            these = [_count(row, group, rivals, tasks, means, rows) for row in rows]
            if any(count.found or count.printed or count.recounted for count in these):
                found += these
    return found


def top_two(
    row: Row,
    peers: Iterable[Row],
    tasks: Iterable[str],
    scores: Mapping[tuple[str, str, str], float],
) -> tuple[int, Top2 | None]:
    """Returns how many were compared, and on how many tasks `row` is among their top two.

    `scores` are by task, backbone and method; `peers` include the row itself.
    """
    tasks = list(tasks)
    compared = [peer for peer in peers if any((task, *peer) in scores for task in tasks)]
    if row not in compared or len(compared) < 3:
        return len(compared), None
    shared = [task for task in tasks if all((task, *peer) in scores for peer in compared)]
    if not shared:
        return len(compared), None
    # Rounded, so that the same scores in another order tie.
    rounded = {key: round(score, 9) for key, score in scores.items()}
    better = [
        sum(rounded[task, *peer] > rounded[task, *row] for peer in compared) for task in shared
    ]
    return len(compared), Top2(sum(above < 2 for above in better), len(shared))


def records(counts: list[Count]) -> list[dict[str, Any]]:
    """The counts in long form."""
    return [
        {
            "backbone": count.backbone,
            "method": count.method,
            "group": count.group,
            "metric": f"test_{METRICS[count.group]}",
            "among": count.rivals,
            "compared": count.compared,
            "top2": count.found and count.found.count,
            "of": count.found and count.found.of,
            "tasks": count.tasks,
            "paper": count.printed and count.printed.count,
            "paper_of": count.printed and count.printed.of,
            "paper_recounted": count.recounted and count.recounted.count,
            "paper_recounted_of": count.recounted and count.recounted.of,
        }
        for count in counts
    ]


def _count(
    row: Row,
    group: Group,
    rivals: Rivals,
    tasks: list[str],
    means: Mapping[tuple[str, str, str], float],
    rows: list[Row],
) -> Count:
    compared, found = top_two(row, _peers(row, rows, rivals), tasks, means)
    printed = reference.top2(*row, group) if rivals == "backbones" else None
    recounted = recount(row, group, rivals)
    return Count(*row, group, rivals, len(tasks), compared, found, printed, recounted)


def recount(row: Row, group: Group, rivals: Rivals) -> Top2 | None:
    """The count that the paper's own Tables 2 and S2 give; None for what is not in them."""
    tasks = {"pd": PD_TASKS, "emp": EMP_TASKS, "other": ()}[group]
    scores = {
        (task, *other): score
        for task in tasks
        for other in _OF_THE_PAPER
        if (score := reference.score(METRICS[group], *other, task)) is not None
    }
    return top_two(row, _peers(row, _OF_THE_PAPER, rivals), tasks, scores)[1]


def _peers(row: Row, rows: Iterable[Row], rivals: Rivals) -> list[Row]:
    same = 0 if rivals == "methods" else 1
    return [other for other in rows if other[same] == row[same]]
