"""Scores of each cell (task, backbone, method) over its seeds, with the published numbers.

Mean and sample standard deviation are over all complete runs. Collapsed runs are included, because
leaving them out would favour a method that collapses. Whatever ranks methods takes `ranked_mean`,
in which a failed run counts as guessing; differences of pairs are over runs that neither failed
nor collapsed (method_pairs.py), beside the rates of those that did.
"""

import math
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from scipy.special import ndtri, stdtrit

from study.analysis.benchmark.reading import (
    STATES,
    BenchmarkResult,
    BenchmarkResults,
    Metric,
    ResultState,
)
from study.paper import reference
from study.paper.reference import Anchor
from study.rates import LEVEL
from study.spec.metrics import GUESSING
from study.storage.result.sampling import half_width


@dataclass(frozen=True)
class CellScores:
    """One metric of a task, backbone and method over its seeds."""

    metric: Metric
    scores: tuple[float, ...]
    states: dict[ResultState, int]
    """Number of runs in each state."""
    collapsed: int
    paper: float | None
    anchor: Anchor | None
    test_rows: int | None
    classes: int
    parameters: float | None
    """Median of the runs' trainable parameters."""
    kept_parameters: float | None
    """Mean over the complete runs of the parameters that remain after pruning."""

    @property
    def n(self) -> int:
        """Number of runs with a score."""
        return len(self.scores)

    @property
    def failed(self) -> int:
        """Number of runs that ended without a finite score."""
        return self.states["failed"] + self.states["complete"] - self.n

    @property
    def pending(self) -> int:
        """Number of runs that have not ended."""
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

    @cached_property
    def ranked_mean(self) -> float | None:
        """Mean over the runs that ended, a failed run at the score of guessing."""
        ended = [*self.scores, *[GUESSING[self.metric]] * self.failed]
        return statistics.fmean(ended) if ended else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of the mean over seeds and test sets.

        None for fewer than two scores, or without the number of test rows. None if runs failed or
        collapsed, too: few seeds do not show how often that happens.
        """
        if self.mean is None or self.sampling_error is None or not self.sound:
            return None
        half = half_width_of((self,), LEVEL)
        return None if half is None else (self.mean - half, self.mean + half)

    @property
    def sound(self) -> bool:
        """Whether no run failed or collapsed."""
        return not self.failed and not self.collapsed

    @property
    def sampling_error(self) -> float | None:
        """95 % half-width of the sampling error of one run; None if it is not known."""
        if self.mean is None or self.test_rows is None:
            return None
        return half_width(self.metric, self.mean, self.test_rows, self.classes)


def half_width_of(cells: Sequence[CellScores], level: float) -> float | None:
    """Returns the half-width of the interval of a mean, or of the difference of two, on all rows.

    The parts of the seeds, with few degrees of freedom, and of the test rows are added as squares
    of their own half-widths, which never is too narrow (Banerjee 1960). Two means are taken to err
    independently. None if a cell has fewer than two scores.

    Args:
        cells: one mean, or two that are compared; of unknown test rows the seeds alone count.
        level: probability that the interval misses.
    """
    parts = []
    for cell in cells:
        if cell.sd is None:
            return None
        quantile = float(stdtrit(cell.n - 1, 1 - level / 2))
        parts.append(quantile * cell.sd / math.sqrt(cell.n))
        parts.append(float(ndtri(1 - level / 2)) * (cell.sampling_error or 0.0) / 1.96)
    return math.hypot(*parts)


@dataclass(frozen=True)
class ScoreTable:
    """One metric on some tasks, for the baselines and every backbone."""

    metric: Metric
    tasks: list[str]
    blocks: list[tuple[str, list[str]]]
    """Each backbone with its methods; the baselines first, with "" as their backbone."""
    cells: dict[tuple[str, str, str], CellScores]
    """By task, backbone and method."""

    def row(self, backbone: str, method: str) -> list[CellScores]:
        """Returns the cells of a backbone and method, in the order of `tasks`."""
        return [self.cells[task, backbone, method] for task in self.tasks]

    @cached_property
    def usual_n(self) -> int | None:
        """The most common number of seeds of a cell, the larger if tied; None without scores."""
        counts = Counter(cell.n for (_, backbone, _), cell in self.cells.items() if backbone)
        del counts[0]
        return max(counts, key=lambda n: (counts[n], n), default=None)

    def means(self) -> dict[tuple[str, str, str], float]:
        """Returns the means by (task, backbone, method), without the cells that have none."""
        return {key: cell.mean for key, cell in self.cells.items() if cell.mean is not None}

    def ranked_means(self) -> dict[tuple[str, str, str], float]:
        """Returns the means in which failed runs count as guessing."""
        known = {key: cell.ranked_mean for key, cell in self.cells.items()}
        return {key: mean for key, mean in known.items() if mean is not None}


def score_table(benchmark: BenchmarkResults, metric: Metric, tasks: Sequence[str]) -> ScoreTable:
    """Returns the scores on `tasks`; a cell without runs has only published numbers."""
    names = [name for name in ("", *benchmark.backbones) if benchmark.methods(name)]
    blocks = [(name, benchmark.methods(name)) for name in names]
    results: dict[tuple[str, str, str], list[BenchmarkResult]] = {}
    for one in benchmark.results:
        results.setdefault((one.task, one.backbone, one.method), []).append(one)
    rows = {task: benchmark.test_rows(task) for task in tasks}
    classes = {task: benchmark.classes(task) for task in tasks}
    cells = {
        key: _cell(metric, key, results.get(key, []), rows[task], classes[task])
        for task in tasks
        for backbone, methods in blocks
        for method in methods
        for key in [(task, backbone, method)]
    }
    return ScoreTable(metric, list(tasks), blocks, cells)


def records(table: ScoreTable) -> list[dict[str, Any]]:
    """Returns one csv row for each cell."""
    return [
        {
            "task": task,
            "backbone": backbone,
            "method": method,
            "metric": f"test_{table.metric}",
            "mean": cell.mean,
            "ranked_mean": cell.ranked_mean,
            "sd": cell.sd,
            "low": cell.interval and cell.interval[0],
            "high": cell.interval and cell.interval[1],
            "n": cell.n,
            "failed": cell.failed,
            "collapsed": cell.collapsed,
            **{state: cell.states[state] for state in ("running", "planned", "unavailable")},
            "sampling_half_width": cell.sampling_error,
            "paper": cell.paper,
            "gue_anchor": cell.anchor and cell.anchor.mcc,
            "gue_anchor_method": cell.anchor and cell.anchor.method,
        }
        for (task, backbone, method), cell in table.cells.items()
    ]


def _cell(
    metric: Metric,
    key: tuple[str, str, str],
    results: list[BenchmarkResult],
    test_rows: int | None,
    classes: int,
) -> CellScores:
    task, backbone, method = key
    states = Counter(one.state for one in results)
    parameters = [one.trainable_parameters for one in results if one.trainable_parameters]
    complete = (one for one in results if one.state == "complete")
    kept = [one.kept_parameters for one in complete if one.kept_parameters is not None]
    return CellScores(
        metric=metric,
        scores=tuple(one.scores[metric] for one in results if metric in one.scores),
        states={state: states[state] for state in STATES},
        collapsed=sum(one.collapsed for one in results),
        paper=reference.score(metric, backbone, method, task),
        anchor=reference.anchor(backbone, task) if metric == "mcc" else None,
        test_rows=test_rows,
        classes=classes,
        parameters=statistics.median(parameters) if parameters else None,
        kept_parameters=statistics.fmean(kept) if kept else None,
    )
