import random
from pathlib import Path

import numpy as np
import pytest

from study.analysis.benchmark.reading import read_benchmark
from study.analysis.benchmark.top_two import (
    TopTwoCount,
    groups,
    paper_recount,
    top_two,
    top_two_counts,
)
from study.paper.reference import EMP_TASKS, PD_TASKS, Top2
from tests.study.analysis.benchmark.made_results import FOUR, Row, full_grid, run, write

PEERS = [("b", method) for method in ("w", "x", "y", "z")]


def scores(**by_method: list[float | None]) -> dict[tuple[str, str, str], float]:
    """Scores of backbone b on tasks t0, t1, ..."""
    return {
        (f"t{number}", "b", method): score
        for method, found in by_method.items()
        for number, score in enumerate(found)
        if score is not None
    }


def count_of(method: str, found: dict[tuple[str, str, str], float], tasks: int) -> object:
    return top_two(("b", method), PEERS, [f"t{n}" for n in range(tasks)], found)


def counted(rows: list[Row], folder: Path) -> dict[tuple[str, str, str, str], TopTwoCount]:
    counts = top_two_counts(read_benchmark(write(folder, rows)))
    return {(c.backbone, c.method, c.group, c.among): c for c in counts}


def test_the_two_best_of_a_task_are_counted() -> None:
    found = scores(w=[0.4, 0.1], x=[0.3, 0.2], y=[0.2, 0.3], z=[0.1, 0.4])
    assert [count_of(m, found, 2) for m in "wxyz"] == [(4, Top2(1, 2))] * 4


def test_a_tie_counts_for_all_in_it() -> None:
    found = scores(w=[0.9], x=[0.5], y=[0.5], z=[0.1])
    assert [count_of(m, found, 1) for m in "wxyz"] == [
        (4, Top2(1, 1)),
        (4, Top2(1, 1)),
        (4, Top2(1, 1)),
        (4, Top2(0, 1)),
    ]


def test_means_of_the_same_scores_in_another_order_tie() -> None:
    found = scores(w=[0.9], x=[0.1 + 0.2], y=[0.3], z=[0.3])
    assert [count_of(m, found, 1) for m in "xyz"] == [(4, Top2(1, 1))] * 3


def test_a_task_without_all_values_does_not_count() -> None:
    found = scores(w=[0.4, 0.4], x=[0.3, None], y=[0.2, 0.2], z=[0.1, 0.1])
    assert count_of("w", found, 2) == (4, Top2(1, 1))
    assert count_of("x", found, 2) == (4, Top2(1, 1))


def test_a_method_without_any_value_is_not_compared() -> None:
    found = scores(w=[0.4, 0.4], x=[0.3, 0.2], y=[0.2, 0.3])
    assert count_of("x", found, 2) == (3, Top2(1, 2))
    assert count_of("z", found, 2) == (3, None)


def test_two_peers_or_no_shared_task_give_no_count() -> None:
    assert count_of("w", scores(w=[0.4], x=[0.3]), 1) == (2, None)
    apart = scores(w=[0.4, None], x=[None, 0.4], y=[0.2, 0.2])
    assert count_of("w", apart, 2) == (3, None)


def test_a_benchmark_is_counted_among_methods_and_among_backbones(tmp_path: Path) -> None:
    means = {"a": (0.9, 0.8, 0.7), "b": (0.5, 0.6, 0.4), "c": (0.3, 0.2, 0.1)}
    rows = [
        run(backbone, task, method, seed, mcc + sign, 0.5)
        for task in ("emp/H3", "emp/H4")
        for backbone, found in means.items()
        for method, mcc in zip(("fmft", "lora", "adalora"), found, strict=True)
        for seed, sign in enumerate((0.01, -0.01))
    ]
    found = counted(rows, tmp_path)
    assert found["a", "adalora", "emp", "methods"].measured == Top2(0, 2)
    assert found["a", "adalora", "emp", "backbones"].measured == Top2(2, 2)
    assert found["c", "fmft", "emp", "methods"].measured == Top2(2, 2)
    assert found["c", "fmft", "emp", "backbones"].measured == Top2(0, 2)
    assert {key[2] for key in found} == {"emp"}


def test_promoters_are_ranked_by_auc_and_other_tasks_by_mcc(tmp_path: Path) -> None:
    rows = [
        run("a", task, method, 0, mcc, 1 - mcc)
        for task in ("prom/all", "own")
        for method, mcc in (("fmft", 0.9), ("lora", 0.8), ("adalora", 0.1))
    ]
    found = counted(rows, tmp_path)
    assert found["a", "fmft", "pd", "methods"].measured == Top2(0, 1)
    assert found["a", "fmft", "other", "methods"].measured == Top2(1, 1)
    assert ("a", "fmft", "other", "backbones") not in found


def test_core_promoters_are_not_among_the_papers(tmp_path: Path) -> None:
    rows = [run("a", task, "lora", 0) for task in ("prom/core_all", "prom/all", "own", "emp/H4")]
    found = groups(read_benchmark(write(tmp_path, rows)))
    assert found == {"pd": ["prom/all"], "emp": ["emp/H4"], "other": ["prom/core_all", "own"]}


def test_the_counts_of_the_full_grid_equal_those_by_sorting(tmp_path: Path) -> None:
    rows = [r for r in full_grid() if r["state"] == "complete"]
    random.Random(0).shuffle(rows)
    found = counted(rows, tmp_path)
    for backbone in ("opt-125m", "dnabert-2"):
        expected = dict.fromkeys(FOUR, 0)
        for task in EMP_TASKS:
            means = {}
            for method in FOUR:
                key = (task, backbone, method)
                own = [r["test_mcc"] for r in rows if _key(r) == key]
                means[method] = sum(own) / len(own)
            for method in sorted(means, key=lambda m: -means[m])[:2]:
                expected[method] += 1
        for method in FOUR:
            assert found[backbone, method, "emp", "methods"].measured == Top2(expected[method], 10)


def _key(row: Row) -> tuple[str, str, str]:
    return row["task"], row["backbone"], row["method"]


def test_the_papers_printed_and_recounted_counts_are_given(tmp_path: Path) -> None:
    rows = [run("opt-125m", task, "lora", 0, 0.5, 0.8) for task in ("emp/H3", "prom/all")]
    found = counted(rows, tmp_path)
    among_backbones = found["opt-125m", "lora", "emp", "backbones"]
    assert among_backbones.paper == Top2(2, 10)
    assert among_backbones.paper_recounted == Top2(4, 10)
    assert among_backbones.measured is None
    assert found["opt-125m", "lora", "emp", "methods"].paper is None


@pytest.mark.parametrize(
    ("row", "group", "methods", "backbones"),
    [
        (("opt-125m", "adalora_rs"), "pd", Top2(3, 3), Top2(3, 3)),
        (("opt-350m", "adalora_rs"), "emp", Top2(10, 10), Top2(3, 10)),
        (("opt-350m", "lora"), "emp", Top2(0, 10), Top2(3, 10)),
    ],
)
def test_a_recount_uses_the_papers_tables(
    row: tuple[str, str], group: str, methods: Top2, backbones: Top2
) -> None:
    assert paper_recount(row, group, "methods") == methods  # type: ignore[arg-type]
    assert paper_recount(row, group, "backbones") == backbones  # type: ignore[arg-type]
    assert paper_recount(("mine", "lora"), "pd", "methods") is None
    assert paper_recount(row, "other", "methods") is None
    assert len(PD_TASKS) == 3


def _rows(rng: np.random.Generator, means: dict[str, float]) -> list[Row]:
    """Five seeds on ten tasks; seeds vary by 0.01, and 40,000 test rows by 0.004."""
    return [
        run("opt-125m", task, method, seed, mean + 0.01 * rng.normal(), test_rows=40_000)
        for task in EMP_TASKS
        for method, mean in means.items()
        for seed in range(5)
    ]


def among_methods(rows: list[Row], folder: Path) -> dict[str, TopTwoCount]:
    found = counted(rows, folder)
    return {key[1]: count for key, count in found.items() if key[3] == "methods"}


def test_the_range_of_a_count_holds_the_count_of_the_true_means(tmp_path: Path) -> None:
    rng, apart = np.random.default_rng(0), {"fmft": 0.9, "lora": 0.7, "adalora": 0.5, "ia3": 0.3}
    clear = among_methods(_rows(rng, apart), tmp_path)
    assert [clear[name].interval for name in apart] == [(10, 10), (10, 10), (0, 0), (0, 0)]
    equal = among_methods(_rows(rng, dict.fromkeys(apart, 0.5)), tmp_path)
    assert {count.measured.count for count in equal.values() if count.measured} != {5}
    # Any count may be that of the true means, which differ by little or nothing.
    assert {count.interval for count in equal.values()} == {(0, 10)}


def test_failed_runs_count_as_guessing_and_leave_the_range_open(tmp_path: Path) -> None:
    means = {"fmft": 0.9, "lora": 0.8, "adalora": 0.5, "ia3": 0.3}
    rows = _rows(np.random.default_rng(0), means)
    lost = {"state": "failed", "test_mcc": "", "test_auc": ""}
    failing = [r | lost if r["method"] == "lora" and r["seed"] < 4 else r for r in rows]
    found = among_methods(failing, tmp_path)
    assert found["lora"].measured == Top2(0, 10)
    assert found["lora"].interval == (0, 10)
    assert found["ia3"].interval == (0, 0)
