"""Figure 1: trainable parameters against test MCC, for every backbone and method on a task.

The paper shows full fine-tuning on H3; here every method and every task has points. A point is on
the Pareto front if no other has at most as many parameters and at least the MCC, one of them
strictly. Parameters are counted at the start of training, also for AdaLoRA, which prunes some.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from study.analysis.benchmark.reading import BenchmarkResults
from study.analysis.benchmark.scores import CellScores, score_table
from study.paper import reference

PANELS = 12
"""The most tasks in the figure: H3 first, then as in the tables. The csv file has all tasks."""
_FIRST = "emp/H3"


@dataclass(frozen=True)
class ParetoPoint:
    """A backbone with a method on a task."""

    backbone: str
    method: str
    cell: CellScores
    paper_parameters: float | None
    """Trainable parameters printed in the paper; None if it prints no MCC for the task."""
    on_front: bool
    """Whether it is on the task's Pareto front."""

    @property
    def drawable(self) -> bool:
        """Whether this benchmark or the paper has both parameters and an MCC."""
        return self.paper_parameters is not None or coordinates(self.cell) is not None


@dataclass(frozen=True)
class ParetoPanel:
    """One task: its points, and the baselines with their mean MCC."""

    task: str
    points: list[ParetoPoint]
    baselines: list[tuple[str, float]]

    @property
    def drawable(self) -> bool:
        """Whether any point is drawable."""
        return any(point.drawable for point in self.points)


def pareto_panels(benchmark: BenchmarkResults) -> list[ParetoPanel]:
    """Returns a panel for each task, H3 first."""
    tasks = sorted(benchmark.tasks, key=lambda task: task != _FIRST)
    cells = score_table(benchmark, "mcc", tasks)
    return [
        ParetoPanel(
            task,
            _points({key[1:]: c for key, c in cells.cells.items() if key[0] == task and key[1]}),
            [
                (method, cell.mean)
                for method in benchmark.methods("")
                if (cell := cells.cells[task, "", method]).mean is not None
            ],
        )
        for task in tasks
    ]


def pareto_front(points: Iterable[tuple[float, float]]) -> set[tuple[float, float]]:
    """Returns the points (parameters, MCC) that no other point dominates."""
    front: set[tuple[float, float]] = set()
    best = float("-inf")
    for parameters, mcc in sorted(points, key=lambda point: (point[0], -point[1])):
        if mcc > best:
            front.add((parameters, mcc))
            best = mcc
    return front


def records(panels: list[ParetoPanel]) -> list[dict[str, Any]]:
    """Returns one csv row for each point."""
    return [
        {
            "task": panel.task,
            "backbone": point.backbone,
            "method": point.method,
            "trainable_parameters": point.cell.parameters,
            "kept_parameters": point.cell.kept_parameters,
            "mean": point.cell.mean,
            "sd": point.cell.sd,
            "n": point.cell.n,
            "failed": point.cell.failed,
            "collapsed": point.cell.collapsed,
            "front": int(point.on_front) if coordinates(point.cell) else None,
            "paper": point.cell.paper,
            "paper_trainable_parameters": point.paper_parameters,
        }
        for panel in panels
        for point in panel.points
    ]


def coordinates(cell: CellScores) -> tuple[float, float] | None:
    """Returns (trainable parameters, mean MCC) of a cell; None if one of them is missing."""
    if cell.parameters is None or cell.mean is None:
        return None
    return cell.parameters, cell.mean


def _points(cells: dict[tuple[str, str], CellScores]) -> list[ParetoPoint]:
    front = pareto_front(p for cell in cells.values() if (p := coordinates(cell)))
    return [
        ParetoPoint(
            backbone,
            method,
            cell,
            reference.trainable_parameters(backbone, method) if cell.paper is not None else None,
            coordinates(cell) in front,
        )
        for (backbone, method), cell in cells.items()
    ]
