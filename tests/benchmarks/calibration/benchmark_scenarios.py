"""Bounds of the intervals on the page of a benchmark: mean ranks, Table 3, cells."""

import math
from collections import Counter
from collections.abc import Iterator

import numpy as np

from study.analysis.benchmark.ranks import interval_of_mean
from study.analysis.benchmark.scores import CellScores, ScoreTable
from study.analysis.benchmark.top_two import _interval, top_two
from tests.benchmarks.calibration.scenarios import Rate

METHODS = [("b", name) for name in "wxyz"]
TASKS = [f"t{place}" for place in range(10)]
ROWS, SEEDS, SD = 613, 5, 0.02


def benchmark_scenarios(sets: int) -> Iterator[Rate]:
    """Yields all rates; a tenth of `sets` simulated benchmarks."""
    for groups in (5, 11):
        yield mean_rank(groups, sets)
    few = max(20, sets // 20)
    for name, gap in (("near", 0.02), ("far", 0.15)):
        yield from table_3(name, gap, few)


def mean_rank(groups: int, sets: int) -> Rate:
    """The least coverage of the interval of a mean rank among four methods, over distributions."""
    rng, found = np.random.default_rng(30), []
    for first in (0.97, 0.8, 0.25):  # Probability that the method is the best of four.
        held, mean = 0, (1 - first) * 2 / 3
        for _ in range(sets):
            others = rng.integers(1, 4, groups) / 3
            low, high = interval_of_mean(np.where(rng.random(groups) < first, 0.0, others))
            held += low <= mean <= high
        found.append(held / sets)
    return Rate(f"least coverage of a mean rank over {groups} groups", min(found), sets, 0.93)


def table_3(name: str, gap: float, sets: int) -> Iterator[Rate]:
    """Ranges of the counts of Table 3, and intervals of its cells, for four methods."""
    rng, counts, cells_held = np.random.default_rng(31), 0, 0
    for _ in range(sets):
        true, cells = {}, {}
        for task in TASKS:
            for place, method in enumerate(METHODS):
                own = 0.6 + gap * ([1, 0.3, -0.3, -1][place] + 0.3 * rng.normal())
                rows = math.sqrt((1 - own**2) / ROWS) * rng.normal()
                scores = own + rows + SD * rng.normal(size=SEEDS)
                cell = CellScores(
                    "mcc", tuple(map(float, scores)), Counter({"complete": SEEDS}), 0, None,
                    None, ROWS, 2, None, None,
                )  # fmt: skip
                true[task, *method], cells[task, *method] = own, cell
                low, high = cell.interval or (0.0, 0.0)
                cells_held += low <= own <= high
        table = ScoreTable("mcc", TASKS, [("b", list("wxyz"))], cells)
        for method in METHODS:
            low, high = _interval(method, METHODS, table) or (0, len(TASKS))
            _, count = top_two(method, METHODS, TASKS, true)
            counts += count is not None and low <= count.count <= high
    rows_of_table = sets * len(METHODS)
    share = counts / rows_of_table
    yield Rate(f"coverage of counts of Table 3, methods {name}", share, rows_of_table, 0.95)
    of = rows_of_table * len(TASKS)
    yield Rate(
        f"coverage of cells over seeds and test sets, {name}", cells_held / of, of, 0.93, 0.97
    )
