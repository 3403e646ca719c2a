"""Methods in pairs, on equal seeds: in every cell (task by backbone), and over tasks.

Scores are compared over seeds with which neither run failed or collapsed; runs without a usable
score are counted apart (hurdle/). The error of the test rows comes from the stored predictions,
paired by row; where there are none, from the number of rows, as if the two methods erred
independently of each other, which is too wide where they err on the same rows.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from jaxtyping import Float

from study.analysis.benchmark.reading import BenchmarkResult, BenchmarkResults, group_of, label
from study.analysis.comparison.benchmark import comparisons_of
from study.analysis.comparison.outputs import read_outputs
from study.analysis.comparison.scores.hierarchy import Belief, Cells, OverTasks, over_tasks
from study.analysis.comparison.verdict.decision import FAMILY_LEVEL, default_rope
from study.analysis.hurdle.rates import Hurdle
from study.influence import error_of_difference
from study.rates import Rate
from study.storage.result.sampling import half_width

METRIC = "test_mcc"
ROPE = default_rope(METRIC)
Influences = Mapping[int | None, Float[np.ndarray, " rows"]]


@dataclass(frozen=True)
class CellPair:
    """Methods a and b in one cell; differences are a - b, of the test MCC."""

    task: str
    backbone: str
    a: str
    b: str
    differences: Float[np.ndarray, " n"]
    """By seed, of pairs in which both runs have a usable score."""
    tau: float
    """sd over test sets of the mean difference; 0 if not known."""
    seeds: int
    """Seeds with which both runs have ended."""
    only_a: int
    """Of these, in how many only the run of a has no usable score."""
    only_b: int
    lost_a: int
    """In how many the run of a has no usable score."""
    lost_b: int

    @property
    def cell(self) -> str:
        """Task and backbone."""
        return f"{self.task}, {label(self.backbone)}"


@dataclass(frozen=True)
class MethodPair:
    """Two methods over all cells that have both."""

    a: str
    b: str
    cells: list[CellPair]
    """Those with two usable seeds or more."""
    over_tasks: OverTasks | None
    """None without such cells."""
    hurdle: Hurdle
    """Runs without a usable score over all cells, at the level of all pairs of methods."""

    @property
    def beliefs(self) -> list[tuple[CellPair, Belief]]:
        """What is believed of each cell."""
        known = {} if self.over_tasks is None else self.over_tasks.tasks
        return [(cell, known[cell.cell]) for cell in self.cells]


def cell_pairs(benchmark: BenchmarkResults) -> list[CellPair]:
    """Returns all pairs of methods in all cells that have two methods with runs.

    Raises:
        InputError: a file of predictions cannot be read.
    """
    results: dict[tuple[str, str], list[BenchmarkResult]] = {}
    for one in benchmark.results:
        results.setdefault((one.task, one.backbone), []).append(one)
    found = []
    for (task, backbone), comparison in comparisons_of(benchmark).items():
        influences = read_outputs(comparison, "test").influences(METRIC)
        runs: dict[str, dict[str, BenchmarkResult]] = {}
        for one in results[task, backbone]:
            if one.state in ("complete", "failed"):
                runs.setdefault(one.method, {})[one.seed] = one
        methods = [name for name in benchmark.methods(backbone) if name in runs]
        found += [
            _cell_pair((task, backbone, a, b), runs[a], runs[b], influences)
            for a, b in combinations(methods, 2)
        ]
    return found


def method_pairs(cells: Sequence[CellPair]) -> list[MethodPair]:
    """Returns every pair of methods over all cells, in the order in which they are first met."""
    by_pair: dict[tuple[str, str], list[CellPair]] = {}
    for cell in cells:
        by_pair.setdefault((cell.a, cell.b), []).append(cell)
    return [
        _method_pair(a, b, own, FAMILY_LEVEL / len(by_pair)) for (a, b), own in by_pair.items()
    ]


def _cell_pair(
    key: tuple[str, str, str, str],
    a: Mapping[str, BenchmarkResult],
    b: Mapping[str, BenchmarkResult],
    influences: Influences,
) -> CellPair:
    both = sorted((seed for seed in a if seed in b), key=int)
    good = [(a[seed], b[seed]) for seed in both if _usable(a[seed]) and _usable(b[seed])]
    lost = [(not _usable(a[seed]), not _usable(b[seed])) for seed in both]
    return CellPair(
        *key,
        differences=np.array([one.scores["mcc"] - other.scores["mcc"] for one, other in good]),
        tau=_tau(good, influences),
        seeds=len(both),
        only_a=lost.count((True, False)),
        only_b=lost.count((False, True)),
        lost_a=sum(one for one, _ in lost),
        lost_b=sum(other for _, other in lost),
    )


def _usable(run: BenchmarkResult) -> bool:
    return "mcc" in run.scores and not run.collapsed


def _tau(
    pairs: Sequence[tuple[BenchmarkResult, BenchmarkResult]], influences: Influences
) -> float:
    known = [
        (influences[a.run], influences[b.run])
        for a, b in pairs
        if a.run in influences and b.run in influences
    ]
    if known:
        first, second = (np.array(side) for side in zip(*known, strict=True))
        return error_of_difference(first, second)
    return math.hypot(*(_error_of_rows(side) for side in zip(*pairs, strict=True)))


def _error_of_rows(runs: Iterable[BenchmarkResult]) -> float:
    """Returns the standard error of a mean score over test sets, by the number of rows alone."""
    runs = list(runs)
    rows = next((int(one.test_rows) for one in runs if one.test_rows), None)
    if rows is None:
        return 0.0
    mean = float(np.mean([one.scores["mcc"] for one in runs]))
    return (half_width("mcc", mean, rows, int(runs[0].classes or 2)) or 0.0) / 1.96


def _method_pair(a: str, b: str, cells: Sequence[CellPair], level: float) -> MethodPair:
    known = [cell for cell in cells if len(cell.differences) > 1]
    seeds = sum(cell.seeds for cell in cells)
    hurdle = Hurdle(
        Rate(sum(cell.lost_a for cell in cells), seeds),
        Rate(sum(cell.lost_b for cell in cells), seeds),
        sum(cell.only_a for cell in cells),
        sum(cell.only_b for cell in cells),
        level,
    )
    if not known:
        return MethodPair(a, b, [], None, hurdle)
    groups = [group_of(cell.task) for cell in known]
    model = Cells(
        d=np.array([cell.differences.mean() for cell in known]),
        # Equal differences would be an error of 0, which the model does not know.
        s=np.array([max(1e-6, _standard_error(cell.differences)) for cell in known]),
        freedom=np.array([len(cell.differences) - 1 for cell in known]),
        tau=np.array([cell.tau for cell in known]),
        groups=groups,
    )
    overall, own = over_tasks(model, ROPE, 1, np.random.default_rng(0))
    names = [cell.cell for cell in known]
    together = OverTasks(a, b, len(set(groups)), overall, dict(zip(names, own, strict=True)))
    return MethodPair(a, b, known, together, hurdle)


def _standard_error(differences: Float[np.ndarray, " n"]) -> float:
    return float(differences.std(ddof=1)) / math.sqrt(len(differences))


def records(pairs: Iterable[MethodPair]) -> list[dict[str, Any]]:
    """Returns one csv row for each pair over all tasks, and one for it in each cell."""
    rows = []
    for pair in pairs:
        beliefs: list[tuple[str, str, int | None, Belief]] = [
            (cell.task, cell.backbone, len(cell.differences), own) for cell, own in pair.beliefs
        ]
        if pair.over_tasks is not None:
            beliefs.insert(0, ("", "", None, pair.over_tasks.overall))
        rows += [
            {
                "a": pair.a,
                "b": pair.b,
                "task": task,
                "backbone": backbone,
                "metric": METRIC,
                "seeds": seeds,
                "difference": own.mean,
                "low": own.low,
                "high": own.high,
                "a_better": own.better,
                "equal": own.equal,
                "a_worse": own.worse,
            }
            for task, backbone, seeds, own in beliefs
        ]
    return rows
