from pathlib import Path

import numpy as np

from study.analysis.benchmark.method_pairs import cell_pairs, method_pairs, records
from study.analysis.benchmark.next_runs import next_runs
from study.analysis.benchmark.reading import read_benchmark
from tests.study.analysis.benchmark.made_results import Row, run, write


def made(ahead: float, seeds: int, rows: int) -> list[Row]:
    """LoRA is ahead on six tasks with two backbones each."""
    rng = np.random.default_rng(0)
    return [
        run(backbone, task, method, seed, 0.5 + more + 0.01 * rng.normal(), test_rows=rows)
        for task in "abcdef"
        for backbone in ("x", "y")
        for method, more in (("lora", ahead), ("fmft", 0.0))
        for seed in range(seeds)
    ]


def test_a_clear_difference_is_believed_in_every_cell_and_over_tasks(tmp_path: Path) -> None:
    cells = cell_pairs(read_benchmark(write(tmp_path, made(0.2, 5, 5000))))
    (pair,) = method_pairs(cells)
    assert pair.over_tasks is not None
    assert pair.over_tasks.groups == 6  # A task with two backbones counts once.
    sign = 1 if pair.a == "lora" else -1
    assert sign * pair.over_tasks.overall.mean > 0.15
    assert max(pair.over_tasks.overall.better, pair.over_tasks.overall.worse) > 0.99
    assert len(pair.beliefs) == 12
    assert all(sign * own.mean > 0.15 for _, own in pair.beliefs)
    assert len(records([pair])) == 13


def test_collapsed_and_failed_runs_are_left_out_of_differences_and_counted(
    tmp_path: Path,
) -> None:
    rows = [run("x", "a", m, s, 0.5 + s / 100, test_rows=600) for m in "vw" for s in range(5)]
    rows[0] |= {"test_mcc": 0.01}  # Within the range of guessing.
    rows[6] |= {"state": "failed", "test_mcc": "", "test_auc": ""}
    (cell,) = cell_pairs(read_benchmark(write(tmp_path, rows)))
    assert len(cell.differences) == 3
    assert (cell.only_a, cell.only_b, cell.seeds) == (1, 1, 5)


def test_few_seeds_decide_nothing_and_more_are_asked_for_where_they_help(tmp_path: Path) -> None:
    further = next_runs(cell_pairs(read_benchmark(write(tmp_path, made(0.2, 5, 5000)))))
    assert further is not None
    assert further.seeds < further.fewest
    cell, more = further.cheapest[0]
    assert more.median is not None
    assert len(cell.differences) + more.median >= further.fewest
    equal = next_runs(cell_pairs(read_benchmark(write(tmp_path / "equal", made(0.0, 5, 600)))))
    assert equal is not None
    assert (equal.cheapest, equal.hopeless) == ([], 12)
