from pathlib import Path

from study.analysis.benchmark.answer import BenchmarkAnswer, answer, figure, profiles
from study.analysis.benchmark.method_pairs import cell_pairs, method_pairs
from study.analysis.benchmark.next_runs import next_runs
from study.analysis.benchmark.reading import read_benchmark
from tests.study.analysis.benchmark.made_results import Row, run, write


def two_tasks() -> list[Row]:
    """LoRA is better on one task, by more than the seeds vary; on the other by less."""
    rows = [run("", task, "kmer", "", 0.35) for task in ("a", "b")]
    for seed, noise in enumerate((-0.01, 0.01)):
        rows += [run("net", "a", "lora", seed, 0.6 + noise), run("net", "b", "lora", seed, 0.3)]
        rows += [run("net", "a", "fmft", seed, 0.5 + noise)]
        rows += [run("net", "b", "fmft", seed, 0.29 + 3 * noise)]
    return rows


def answered(folder: Path, rows: list[Row]) -> BenchmarkAnswer:
    benchmark = read_benchmark(write(folder / "made", rows))
    cells = cell_pairs(benchmark)
    return answer(benchmark, method_pairs(cells), next_runs(cells))


def test_methods_stand_by_their_mean_rank(tmp_path: Path) -> None:
    found = answered(tmp_path, two_tasks())
    first, second = found.standings
    assert (first.method, first.best, first.cells, first.rank.rank) == ("lora", 2, 2, 1.0)
    assert (second.method, second.rank.rank) == ("fmft", 2.0)
    assert (first.rank.low, first.rank.high) == (1.0, 2.0)  # Two tasks are few.
    assert round(second.behind, 4) == 0.055


def test_what_seeds_and_baselines_leave_open_is_said(tmp_path: Path) -> None:
    found = answered(tmp_path, two_tasks())
    expected = "lora has the best mean rank, 1.00 (95 % interval 1.00 to 2.00), over 2 cells"
    assert expected in found.sentences[0]
    assert found.sentences[1] == "In 1 of them no method is better than the best baseline."
    assert found.sentences[2].startswith("lora - fmft, the two best, over tasks like these 2: +0.")
    assert found.sentences[3] == (
        "A verdict on single cells that holds for the 2 pairs of methods in all cells together "
        "needs 8 seeds or more, whatever the difference; the most that a cell has is 2."
    )


def test_a_benchmark_of_one_method_has_no_standing(tmp_path: Path) -> None:
    found = answered(tmp_path, [run("net", "a", "lora", 0, 0.5)])
    assert found.standings == []
    assert found.sentences == ["No two methods have a score on the same task and backbone yet."]


def test_the_chart_has_a_point_for_each_mean(tmp_path: Path) -> None:
    chart = figure(read_benchmark(write(tmp_path / "made", two_tasks())))
    assert chart is not None
    assert sorted(chart.columns["mean"]) == sorted([0.35, 0.35, 0.6, 0.3, 0.5, 0.29])
    assert chart.columns["backbone"].count("no backbone") == 2  # type: ignore[attr-defined]


def test_related_tasks_count_once_in_a_mean_rank(tmp_path: Path) -> None:
    rows = [
        run("net", task, method, 0, mcc)
        for task in ("prom/all", "prom/tata", "prom/notata", "own")
        for method, mcc in (("lora", 0.6 if task == "own" else 0.4), ("fmft", 0.5))
    ]
    found = answered(tmp_path, rows)
    assert {one.method: one.rank.rank for one in found.standings} == {"lora": 1.5, "fmft": 1.5}
    assert {one.rank.groups for one in found.standings} == {2}


def test_unusable_runs_are_a_hurdle_with_exact_intervals(tmp_path: Path) -> None:
    rows = [
        run("net", task, method, seed, 0.0 if method == "lora" and seed < 4 else 0.5 + seed / 100)
        for task in "abc"
        for method in ("lora", "fmft")
        for seed in range(5)
    ]
    found = answered(tmp_path, rows)
    rates = {one.method: (one.collapsed.k, one.collapsed.n) for one in found.standings}
    assert rates == {"lora": (12, 15), "fmft": (0, 15)}
    expected = "lora fails or collapses more often than fmft: 12 of 15 runs against 0 of 15"
    assert any(sentence.startswith(expected) for sentence in found.sentences)


def test_if_nearly_all_runs_are_unusable_that_comes_first(tmp_path: Path) -> None:
    rows = [
        run("net", "a", method, seed, 0.0 if seed else 0.5)
        for method in ("lora", "fmft")
        for seed in range(6)
    ]
    found = answered(tmp_path, rows)
    assert found.sentences[0].startswith("10 of 12 runs failed or collapsed")


def test_profiles_count_the_cells_in_which_a_method_is_near_the_best(tmp_path: Path) -> None:
    chart = profiles(read_benchmark(write(tmp_path / "made", two_tasks())))
    assert chart is not None
    columns = (chart.columns[name] for name in ("method", "behind", "share"))
    points = {(method, round(gap, 6), share) for method, gap, share in zip(*columns, strict=True)}
    assert points == {
        ("lora", 0.0, 0.0), ("lora", 0.0, 0.5), ("lora", 0.0, 1.0),
        ("fmft", 0.0, 0.0), ("fmft", 0.01, 0.5), ("fmft", 0.1, 1.0),
    }  # fmt: skip
