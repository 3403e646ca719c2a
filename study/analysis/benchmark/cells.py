"""Cells: what the runs of one task, backbone and method say, with the published number beside it.

The mean and the sample standard deviation are over the complete runs, collapsed ones included:
leaving these out would flatter a method that collapses.
"""

import math
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from study.analysis.benchmark.reading import STATES, Benchmark, Metric, Run, State
from study.paper import reference
from study.paper.reference import Anchor


@dataclass(frozen=True)
class Cell:
    """A metric of one task, backbone and method over its seeds."""

    metric: Metric
    scores: tuple[float, ...]
    states: dict[State, int]
    """How many runs are in each state."""
    collapsed: int
    paper: float | None
    anchor: Anchor | None
    test_rows: int | None
    parameters: float | None
    """The median of the runs' trainable parameters."""
    kept_parameters: float | None
    """The mean of what the complete runs keep of them to the end."""

    @property
    def n(self) -> int:
        """Runs with a score."""
        return len(self.scores)

    @property
    def failed(self) -> int:
        """Runs that ended without a score: they failed, or the score is not a number."""
        return self.states["failed"] + self.states["complete"] - self.n

    @property
    def pending(self) -> int:
        """Runs that are still to end."""
        return self.states["running"] + self.states["planned"]

    @cached_property
    def mean(self) -> float | None:
        """Mean over the runs with a score."""
        return statistics.fmean(self.scores) if self.scores else None

    @cached_property
    def sd(self) -> float | None:
        """Sample standard deviation; None for fewer than two scores."""
        if self.mean is None or self.n < 2:
            return None
        return math.sqrt(math.fsum((x - self.mean) ** 2 for x in self.scores) / (self.n - 1))

    @property
    def sampling(self) -> float | None:
        """95 % half-width of the sampling error of one run's score, where test_rows is known."""
        if self.mean is None or self.test_rows is None:
            return None
        return half_width(self.metric, self.mean, self.test_rows)


@dataclass(frozen=True)
class Table:
    """The cells of a metric on some tasks, for the baselines and every backbone."""

    metric: Metric
    tasks: list[str]
    blocks: list[tuple[str, list[str]]]
    """Backbone and its methods; "" and the baselines first, if there are any."""
    cells: dict[tuple[str, str, str], Cell]
    """By task, backbone and method."""

    def row(self, backbone: str, method: str) -> list[Cell]:
        """The cells of all tasks, in their order."""
        return [self.cells[task, backbone, method] for task in self.tasks]

    @cached_property
    def usual_n(self) -> int | None:
        """The most common n of the cells of backbones, the larger of two; None without a score."""
        found = Counter(cell.n for (_, backbone, _), cell in self.cells.items() if backbone)
        del found[0]
        return max(found, key=lambda n: (found[n], n), default=None)

    def means(self) -> dict[tuple[str, str, str], float]:
        """The means that exist, by task, backbone and method."""
        return {key: cell.mean for key, cell in self.cells.items() if cell.mean is not None}


def table(benchmark: Benchmark, metric: Metric, tasks: Sequence[str]) -> Table:
    """Returns the cells of `tasks`; a cell without runs has nothing but published numbers."""
    names = [name for name in ("", *benchmark.backbones) if benchmark.methods(name)]
    blocks = [(name, benchmark.methods(name)) for name in names]
    runs: dict[tuple[str, str, str], list[Run]] = {}
    for run in benchmark.runs:
        runs.setdefault((run.task, run.backbone, run.method), []).append(run)
    rows = {task: benchmark.test_rows(task) for task in tasks}
    cells = {
        key: _cell(metric, key, runs.get(key, []), rows[task])
        for task in tasks
        for backbone, methods in blocks
        for method in methods
        for key in [(task, backbone, method)]
    }
    return Table(metric, list(tasks), blocks, cells)


def records(table: Table) -> list[dict[str, Any]]:
    """The table in long form, a row a cell."""
    return [
        {
            "task": task,
            "backbone": backbone,
            "method": method,
            "metric": f"test_{table.metric}",
            "mean": cell.mean,
            "sd": cell.sd,
            "n": cell.n,
            "failed": cell.failed,
            "collapsed": cell.collapsed,
            **{state: cell.states[state] for state in ("running", "planned", "unavailable")},
            "sampling_half_width": cell.sampling,
            "paper": cell.paper,
            "gue_anchor": cell.anchor and cell.anchor.mcc,
            "gue_anchor_method": cell.anchor and cell.anchor.method,
        }
        for (task, backbone, method), cell in table.cells.items()
    ]


def _cell(
    metric: Metric, key: tuple[str, str, str], runs: list[Run], test_rows: int | None
) -> Cell:
    task, backbone, method = key
    states = Counter(run.state for run in runs)
    parameters = [run.trainable_parameters for run in runs if run.trainable_parameters]
    kept = [
        run.kept_parameters
        for run in runs
        if run.state == "complete" and run.kept_parameters is not None
    ]
    return Cell(
        metric=metric,
        scores=tuple(run.scores[metric] for run in runs if metric in run.scores),
        states={state: states[state] for state in STATES},
        collapsed=sum(run.collapsed for run in runs),
        paper=reference.score(metric, backbone, method, task),
        anchor=reference.anchor(backbone, task) if metric == "mcc" else None,
        test_rows=test_rows,
        parameters=statistics.median(parameters) if parameters else None,
        kept_parameters=statistics.fmean(kept) if kept else None,
    )


_Z = 1.96


def half_width(metric: Metric, score: float, rows: int) -> float:
    """Returns the half-width of a 95 % interval around `score`, from a test split of `rows`."""
    error = _mcc_error if metric == "mcc" else _auc_error
    return _Z * error(score, rows)


def _mcc_error(mcc: float, rows: int) -> float:
    """Binomial: with equal classes and equal errors in both, MCC = 2 accuracy - 1."""
    return math.sqrt(max(0.0, 1 - mcc**2) / rows)


def _auc_error(auc: float, rows: int) -> float:
    """Hanley & McNeil 1982, with half of the rows in each class."""
    half = rows / 2
    both_positive, both_negative = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    spread = (half - 1) * (both_positive + both_negative - 2 * auc**2)
    return math.sqrt(max(0.0, auc * (1 - auc) + spread)) / half
