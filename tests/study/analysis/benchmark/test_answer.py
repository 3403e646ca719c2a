from pathlib import Path

from study.analysis.benchmark.answer import answer, figure
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


def test_methods_stand_by_their_mean_rank(tmp_path: Path) -> None:
    found = answer(read_benchmark(write(tmp_path / "made", two_tasks())))
    first, second = found.standings
    assert (first.method, first.best, first.cells, first.rank) == ("lora", 2, 2, 1.0)
    assert (second.method, second.rank) == ("fmft", 2.0)
    assert round(second.behind, 4) == 0.055


def test_what_seeds_and_baselines_leave_open_is_said(tmp_path: Path) -> None:
    found = answer(read_benchmark(write(tmp_path / "made", two_tasks())))
    assert "lora has the best mean rank, 1.00, over 2 cells" in found.sentences[0]
    assert found.sentences[1].startswith("In 1 of them the best two differ by less")
    assert found.sentences[2] == "In 1 of them no method is better than the best baseline."


def test_a_benchmark_of_one_method_has_no_standing(tmp_path: Path) -> None:
    folder = write(tmp_path / "made", [run("net", "a", "lora", 0, 0.5)])
    found = answer(read_benchmark(folder))
    assert found.standings == []
    assert found.sentences == ["No two methods have a score on the same task and backbone yet."]


def test_the_chart_has_a_point_for_each_mean(tmp_path: Path) -> None:
    chart = figure(read_benchmark(write(tmp_path / "made", two_tasks())))
    assert chart is not None
    assert sorted(chart.columns["mean"]) == sorted([0.35, 0.35, 0.6, 0.3, 0.5, 0.29])
    assert chart.columns["backbone"].count("no backbone") == 2  # type: ignore[attr-defined]
