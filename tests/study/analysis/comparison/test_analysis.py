"""Comparison folders from results.csv to sentences, tables and page."""

import csv
import html
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from study.analysis.comparison import Analysis, analyse, write_analysis
from study.analysis.comparison.analysis import is_decided
from study.analysis.comparison.sentences.answers import answers, report_lines
from study.errors import InputError
from tests.study.analysis.comparison.made_comparisons import (
    ADALORA,
    LORA,
    RS,
    Row,
    crossed,
    failed,
    finalists,
    pairs_of,
    planned,
    write,
    write_outputs,
    write_spec,
)

CLEAR = (replace(RS, level=0.7), ADALORA, LORA)


def words(*folders: Path, metric: str | None = None) -> str:
    return "\n".join(report_lines(analyse(folders, metric)))


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The default design with failed, collapsed, planned and missing runs."""
    rows = crossed()
    rows[3], rows[50], rows[60] = failed(rows[3]), failed(rows[50]), planned(rows[60])
    rows[65]["test_mcc"] = 0.01
    del rows[70]
    return write_outputs(write(tmp_path_factory.mktemp("seeds") / "tata", rows), rows)


@pytest.fixture(scope="module")
def found(mixed: Path) -> Analysis:
    return analyse([mixed])


@pytest.fixture(scope="module")
def report_text(found: Analysis) -> str:
    return "\n".join(report_lines(found))


def test_a_clear_winner_is_still_best(tmp_path: Path) -> None:
    text = words(write(tmp_path, pairs_of(CLEAR, 24)))
    assert "Yes: it is better than every other configuration." in text
    assert "p = 0.1 against p = 0: adalora_rs is better. Difference (first - second) +0.0" in text
    assert "is better on 24 of 24 pairs of runs" in text
    assert "best of 3 configurations on 24 of 24 equal seeds" in text


def test_a_clear_winner_of_an_earlier_version_is_still_best(tmp_path: Path) -> None:
    text = words(write(tmp_path, crossed(CLEAR)))
    assert "p = 0.1 against p = 0: adalora_rs is better. Difference (first - second) +0.0" in text
    assert "is better on 45 of 45 equal seeds" in text


def test_a_clear_loser_is_named(tmp_path: Path) -> None:
    text = words(write(tmp_path, crossed([replace(RS, level=0.5), ADALORA])))
    assert "p = 0.1 against p = 0: adalora is better. Difference (first - second) -0.1" in text
    assert "No: adalora (adalora_rs - adalora = -0.1" in text


def test_equal_configurations_are_undecided(tmp_path: Path) -> None:
    text = words(write(tmp_path, crossed([RS, replace(ADALORA, level=RS.level)])))
    assert "p = 0.1 against p = 0: undecided" in text
    assert "Undecided against adalora (adalora_rs - adalora = " in text


def test_failed_collapsed_planned_and_missing_runs_are_named(report_text: str) -> None:
    assert (
        "71 runs of 4 configurations with 5 mask seeds, 3 init seeds, 3 data seeds" in report_text
    )
    assert "1 planned, 68 complete, 2 failed" in report_text
    assert "adalora_rs (mask 0, init 1, data 0): diverged at step 120" in report_text
    assert "Collapsed: fmft (init 0, data 2)" in report_text
    assert (
        "Not finished yet, so that all results are preliminary: lora (init 2, data 0)"
        in report_text
    )
    assert "Missing from the crossed design: fmft (init 2, data 1)" in report_text
    assert "Runs that failed or collapsed: adalora_rs 1 of 45 (" in report_text


def test_variance_ranks_and_disagreement_have_their_sentences(report_text: str) -> None:
    assert "adalora_rs: of the variance between runs, mask " in report_text
    assert "Which source is the largest is undecided" in report_text
    assert "two runs that differ only in the mask seed share" in report_text
    assert "with another mask seed" in report_text


def test_a_single_seed_is_named_with_the_unknown_component(tmp_path: Path) -> None:
    text = words(write(tmp_path, crossed([RS, ADALORA], (5, 1, 3))))
    assert "Only one init seed has scores: the variance due to init seeds is unknown" in text
    assert "The init component cannot be estimated: " in text
    assert "mask " in text


def test_one_run_of_one_configuration_has_a_mean_without_interval(tmp_path: Path) -> None:
    text = words(write(tmp_path, crossed([RS], (1, 1, 1))))
    assert "(no interval from 1 run)" in text


def test_variance_components_of_finalists_cannot_be_separated(tmp_path: Path) -> None:
    folder = write(tmp_path / "study" / "finalists", finalists())
    analysis = analyse([folder])
    text = "\n".join(report_lines(analysis))
    assert analysis.metric == "dev_mcc"
    assert "the seeds of a run all change together" in text
    assert "further pairs (80 % interval " in text
    assert "It was chosen by these scores, so that its mean is biased upwards" in text
    assert analysis.tasks[0].leader in text
    write_analysis(analysis)


def test_several_tasks_are_ranked_with_a_warning_that_they_are_few(tmp_path: Path) -> None:
    folders = [
        write(tmp_path / f"task{n}", crossed(CLEAR, (2, 2, 2), np.random.default_rng(n)))
        for n in range(3)
    ]
    analysis = analyse(folders)
    text = "\n".join(report_lines(analysis))
    assert "== task1 ==" in text
    assert "Mean ranks (1 is best): adalora_rs 1.00" in text
    assert "3 tasks are too few for this test: its smallest possible p-value is 0.25" in text
    first = analysis.tasks[0].pairs[0]
    alone = analyse(folders[:1]).tasks[0].pairs[0]
    assert first.over_seeds == alone.over_seeds
    assert (first.family, alone.family) == (9, 3)
    written = write_analysis(analysis)
    assert [path.parent.name for path in written[-3:]] == ["task0", "task1", "task2"]
    assert "critical difference" in (folders[1] / "report.html").read_text().lower()


def test_the_same_folder_and_seed_give_the_same_sentences(mixed: Path, report_text: str) -> None:
    assert words(mixed) == report_text


def test_tables_have_the_numbers_and_the_page_the_pictures(mixed: Path, found: Analysis) -> None:
    written = {path.name for path in write_analysis(found)}
    assert written == {
        "configurations.csv", "comparisons.csv", "components.csv", "stability.csv", "ranks.csv",
        "disagreement.csv", "report.html",
    }  # fmt: skip
    with (mixed / "tables" / "configurations.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["configuration"], row["n"], row["failed"]) for row in rows] == [
        ("adalora_rs", "44", "1"), ("adalora", "8", "1"), ("lora", "8", "0"), ("fmft", "7", "0"),
    ]  # fmt: skip
    assert float(rows[0]["mean_low"]) < float(rows[0]["mean"]) < float(rows[0]["mean_high"])
    page = (mixed / "report.html").read_text()
    assert page.count("data:image/svg+xml") == 6
    text = html.unescape(page)
    assert all(sentence.strip() in text for sentence in report_lines(found))


def test_a_table_of_an_earlier_analysis_is_removed(tmp_path: Path) -> None:
    folders = [write(tmp_path / name, crossed([ADALORA, LORA], (1, 2, 2))) for name in "ab"]
    write_analysis(analyse(folders))
    assert (folders[0] / "tables" / "tasks.csv").is_file()
    write_analysis(analyse(folders[:1]))
    assert not (folders[0] / "tables" / "tasks.csv").exists()


@pytest.mark.parametrize(
    ("name", "is_folder", "message"),
    [
        ("tables", False, "tables: must be a folder, but got a file"),
        ("report.html", True, "report.html: must be a file, but got a folder"),
        ("tables/tasks.csv", True, "tasks.csv: must be "),
    ],
)
def test_a_file_in_place_of_a_folder_or_the_reverse_is_refused(
    tmp_path: Path, name: str, is_folder: bool, message: str
) -> None:
    found = analyse([write(tmp_path, crossed([LORA], (1, 2, 1)))])
    if is_folder:
        (tmp_path / name).mkdir(parents=True)
    else:
        (tmp_path / name).touch()
    with pytest.raises(InputError, match=message):
        write_analysis(found)
    assert not list(tmp_path.glob("*.partial"))


def test_names_of_the_user_are_escaped(tmp_path: Path) -> None:
    folder = write(tmp_path, crossed([replace(LORA, label="<b>$x$</b>"), ADALORA]))
    write_analysis(analyse([folder]))
    assert "<b>$x$" not in (folder / "report.html").read_text()


def test_the_metric_is_test_mcc_if_all_runs_have_it_else_dev_mcc(tmp_path: Path) -> None:
    rows: list[Row] = [row | {"dev_mcc": 0.5} for row in crossed([LORA, ADALORA], (1, 2, 2))]
    rows[0]["test_mcc"] = "nan"
    assert analyse([write(tmp_path, rows)]).metric == "test_mcc"
    only_first = [row | {"test_mcc": ""} if row["run"] > 3 else row for row in rows]
    assert analyse([write(tmp_path, only_first)]).metric == "dev_mcc"
    assert analyse([tmp_path], "test_mcc").metric == "test_mcc"
    without = [{name: row[name] for name in row if name != "dev_mcc"} for row in only_first]
    with pytest.raises(InputError, match="choose another column with --metric: test_mcc"):
        analyse([write(tmp_path, without)])


@pytest.mark.parametrize("metric", ["auc", "loss"])
def test_without_a_metric_that_of_the_search_is_analysed(tmp_path: Path, metric: str) -> None:
    rows = [row | {f"test_{metric}": 0.7 + 0.001 * n} for n, row in enumerate(crossed([RS]))]
    folder = write_spec(write(tmp_path, rows), metric=metric)
    assert analyse([folder]).metric == f"test_{metric}"
    (task,) = analyse([write_spec(folder)]).tasks
    assert task.metric == "test_mcc"


def test_tasks_that_were_searched_by_different_metrics_need_one_named(tmp_path: Path) -> None:
    rows = [row | {"test_auc": 0.7} for row in crossed([RS])]
    one = write_spec(write(tmp_path / "one", rows), metric="auc")
    other = write_spec(write(tmp_path / "other", rows))
    with pytest.raises(InputError, match=r"other: the search metric must be auc, .* but got mcc"):
        analyse([one, other])
    assert analyse([one, other], "test_mcc").metric == "test_mcc"


def test_a_metric_without_a_number_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path, [row | {"test_f1": ""} for row in crossed([LORA])])
    with pytest.raises(InputError, match="must have a number in test_f1, but got none"):
        analyse([folder], "test_f1")


def test_a_folder_that_is_given_twice_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path, crossed([LORA]))
    with pytest.raises(InputError, match="given once, but got it 2 times"):
        analyse([folder, folder])


@pytest.mark.process
def test_neither_ray_nor_torch_is_needed(tmp_path: Path) -> None:
    folder = write(tmp_path, crossed([RS, ADALORA]))
    script = (
        "import sys\nfrom pathlib import Path\n"
        "from study.analysis.comparison import analyse, write_analysis\n"
        "write_analysis(analyse([Path(sys.argv[1])]))\n"
        "heavy = {'ray', 'torch', 'optuna', 'mlflow', 'transformers', 'sklearn', 'pandas'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(folder)], check=True, timeout=120)
    assert (folder / "report.html").is_file()


def test_of_many_sentences_the_rest_is_left_to_the_tables(tmp_path: Path) -> None:
    many = [replace(RS, label=f"rs{n}", settings={**RS.settings, "p": n / 100}) for n in range(13)]
    text = words(write(tmp_path, crossed(many, (2, 1, 1))))
    assert "2 more sentences of this kind are left out; the tables have all numbers." in text


def test_a_look_gives_the_decision_of_the_whole_analysis(tmp_path: Path) -> None:
    for n, level in enumerate((0.7, 0.607)):
        rows = pairs_of([replace(RS, level=level), ADALORA], 20)
        folder = write_outputs(write(tmp_path / str(n), rows), rows)
        found = analyse([folder])
        assert is_decided(folder, "test_mcc") is found.decided is (n == 0)


def test_before_any_score_nothing_is_decided(tmp_path: Path) -> None:
    rows = [failed(row) for row in pairs_of([RS, ADALORA], 3)]
    assert not is_decided(write(tmp_path, rows), "test_mcc")


def test_if_most_runs_collapse_that_is_said_first(tmp_path: Path) -> None:
    rows = pairs_of([RS, ADALORA], 10)
    for row in rows[:14]:
        row["test_mcc"] = 0.001
    (task,) = analyse([write(tmp_path, rows)]).tasks
    assert answers(task)[1].sentences[0].startswith("Most runs gave no usable score: 14 of 20")


def test_pairs_over_tasks_have_a_hierarchical_model(tmp_path: Path) -> None:
    folders = [
        write(tmp_path / f"t{n}", pairs_of([replace(RS, level=0.64 + 0.01 * n), ADALORA], 15, n))
        for n in range(3)
    ]
    found = analyse(folders)
    (one,) = found.over_tasks
    assert (one.a, one.b, list(one.tasks)) == ("adalora_rs", "adalora", ["t0", "t1", "t2"])
    assert one.overall.better > 0.9
    text = "\n".join(report_lines(found))
    assert "adalora_rs - adalora over tasks like these 3: +0.04" in text
    write_analysis(found)
    rows = (folders[0] / "tables" / "over_tasks.csv").read_text().splitlines()
    assert len(rows) == 1 + 4
    assert analyse(folders[:1]).over_tasks == []
