"""Figure 1: trainable parameters against test MCC, for every backbone and method on a task.

The paper draws full fine-tuning on H3; here every method and every task has its points. A point
is on the front if none has at most its parameters and at least its MCC, one of them strictly.
Parameters are those at the start, for AdaLoRA too, which ends with fewer.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from study.analysis.benchmark.cells import Cell, table
from study.analysis.benchmark.reading import Benchmark
from study.paper import reference

PANELS = 12
"""How many tasks the picture shows: H3 first, then as in the tables. The csv has all."""
_FIRST = "emp/H3"


@dataclass(frozen=True)
class Point:
    """A backbone with a method on a task; `front`: on the task's Pareto front."""

    backbone: str
    method: str
    cell: Cell
    paper_parameters: float | None
    """What the paper says is trained, where it has an MCC too."""
    front: bool

    @property
    def drawable(self) -> bool:
        """Whether there is something to draw, of this benchmark or of the paper."""
        return self.paper_parameters is not None or place(self.cell) is not None


@dataclass(frozen=True)
class Panel:
    """One task: its points, and the MCC of every baseline that has one."""

    task: str
    points: list[Point]
    baselines: list[tuple[str, float]]

    @property
    def drawable(self) -> bool:
        """Whether a point is drawable."""
        return any(point.drawable for point in self.points)


def panels(benchmark: Benchmark) -> list[Panel]:
    """Returns a panel a task, H3 first."""
    tasks = sorted(benchmark.tasks, key=lambda task: task != _FIRST)
    cells = table(benchmark, "mcc", tasks)
    return [
        Panel(
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


def front(points: Iterable[tuple[float, float]]) -> set[tuple[float, float]]:
    """Returns the points (parameters, MCC) that no other has at least matched in both."""
    found: set[tuple[float, float]] = set()
    best = float("-inf")
    for parameters, mcc in sorted(points, key=lambda point: (point[0], -point[1])):
        if mcc > best:
            found.add((parameters, mcc))
            best = mcc
    return found


def records(panels: list[Panel]) -> list[dict[str, Any]]:
    """All points in long form."""
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
            "front": int(point.front) if place(point.cell) else None,
            "paper": point.cell.paper,
            "paper_trainable_parameters": point.paper_parameters,
        }
        for panel in panels
        for point in panel.points
    ]


def place(cell: Cell) -> tuple[float, float] | None:
    """Where a cell lies, parameters and mean MCC; None if one of them is missing."""
    if cell.parameters is None or cell.mean is None:
        return None
    return cell.parameters, cell.mean


def _points(cells: dict[tuple[str, str], Cell]) -> list[Point]:
    best = front(p for cell in cells.values() if (p := place(cell)))
    return [
        Point(
            backbone,
            method,
            cell,
            reference.trainable_parameters(backbone, method) if cell.paper is not None else None,
            place(cell) in best,
        )
        for (backbone, method), cell in cells.items()
    ]
