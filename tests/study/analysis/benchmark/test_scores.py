import math
import statistics
from pathlib import Path

import pytest

from study.analysis.benchmark.reading import Metric, read_benchmark
from study.analysis.benchmark.scores import CellScores, records, score_table
from study.storage.result.sampling import half_width
from tests.study.analysis.benchmark.made_results import Row, run, write

KEY = ("opt-125m", "emp/H3", "lora")


def cell(folder: Path, rows: list[Row], metric: Metric = "mcc") -> CellScores:
    """The cell of the first row."""
    benchmark = read_benchmark(write(folder, rows))
    first = rows[0]
    cells = score_table(benchmark, metric, benchmark.tasks).cells
    return cells[first["task"], first["backbone"], first["method"]]


def test_mean_and_sd_are_those_of_the_seeds(tmp_path: Path) -> None:
    scores = [0.52, 0.55, 0.61]
    found = cell(tmp_path, [run(*KEY, seed, score) for seed, score in enumerate(scores)])
    assert found.mean == pytest.approx(0.56)
    # Squared distances 0.0016, 0.0001, 0.0025; divided by 2.
    assert found.sd == pytest.approx(math.sqrt(0.0021))
    assert found.sd == pytest.approx(statistics.stdev(scores))
    assert (found.n, found.failed, found.collapsed) == (3, 0, 0)


def test_one_seed_has_no_sd_and_none_no_mean(tmp_path: Path) -> None:
    one = cell(tmp_path, [run(*KEY, 0, 0.5)])
    assert (one.mean, one.sd, one.n) == (0.5, None, 1)
    none = cell(tmp_path, [run(*KEY, 0, state="planned")])
    assert (none.mean, none.sd, none.n, none.pending) == (None, None, 0, 1)


def test_collapsed_runs_are_in_the_mean_and_counted(tmp_path: Path) -> None:
    found = cell(tmp_path, [run(*KEY, 0, 0.6), run(*KEY, 1, 0.0)])
    assert (found.mean, found.n, found.collapsed) == (0.3, 2, 1)


def test_the_mcc_shows_a_collapse_also_in_the_cell_of_the_auc(tmp_path: Path) -> None:
    found = cell(tmp_path, [run(*KEY, 0, 0.6, 0.8), run(*KEY, 1, 0.0, 0.7)], "auc")
    assert (found.mean, found.collapsed) == (0.75, 1)


def test_failed_runs_and_nan_scores_count_as_failed(tmp_path: Path) -> None:
    rows = [run(*KEY, 0, 0.6), run(*KEY, 1, "nan"), run(*KEY, 2, state="failed")]
    found = cell(tmp_path, [*rows, run(*KEY, 3, state="unavailable")])
    assert (found.mean, found.n, found.failed) == (0.6, 1, 2)
    assert found.states["unavailable"] == 1


def test_published_numbers_are_given_with_the_mean(tmp_path: Path) -> None:
    rows = [run("dnabert-2", "emp/H4", "lora", 0, 0.7), run("mine", "emp/H4", "lora", 0, 0.7)]
    found = cell(tmp_path / "a", rows)
    assert found.paper == 0.799
    assert found.anchor is not None
    assert (found.anchor.mcc, found.anchor.method) == (0.8071, "fmft")
    unknown = cell(tmp_path / "b", rows[::-1])
    assert (unknown.paper, unknown.anchor) == (None, None)


def test_only_the_mcc_has_anchors(tmp_path: Path) -> None:
    row = run("dnabert-2", "prom/tata", "fmft", 0, 0.7, 0.9)
    auc, mcc = cell(tmp_path, [row], "auc"), cell(tmp_path, [row], "mcc")
    assert (auc.paper, auc.anchor) == (0.804, None)
    assert mcc.paper is None
    assert mcc.anchor is not None


def test_a_cell_without_runs_has_only_the_published_number(tmp_path: Path) -> None:
    rows = [run("opt-125m", "emp/H3", "lora", 0, 0.5), run("opt-125m", "emp/H4", "fmft", 0, 0.6)]
    benchmark = read_benchmark(write(tmp_path, rows))
    cells = score_table(benchmark, "mcc", benchmark.tasks).cells
    assert len(cells) == 4
    missing = cells["emp/H4", "opt-125m", "lora"]
    assert (missing.n, missing.mean, missing.paper) == (0, None, 0.725)


def test_baselines_come_first_and_every_cell_has_a_csv_row(tmp_path: Path) -> None:
    rows = [run("opt-125m", "own", "lora", 0, 0.5), run("", "own", "kmer", "", 0.4)]
    benchmark = read_benchmark(write(tmp_path, rows))
    found = records(score_table(benchmark, "mcc", ["own"]))
    assert [(r["backbone"], r["method"], r["mean"], r["n"]) for r in found] == [
        ("", "kmer", 0.4, 1),
        ("opt-125m", "lora", 0.5, 1),
    ]


def test_parameters_are_the_median_of_those_known(tmp_path: Path) -> None:
    counts = [100, 300, "", 120]
    rows = [run(*KEY, s, 0.5, trainable_parameters=c) for s, c in enumerate(counts)]
    assert cell(tmp_path, rows).parameters == 120


def test_the_sampling_error_is_known_if_the_rows_are(tmp_path: Path) -> None:
    assert cell(tmp_path / "a", [run(*KEY, 0, 0.5)]).sampling_error is None
    known = cell(tmp_path / "b", [run(*KEY, 0, 0.5, test_rows=100)]).sampling_error
    several = cell(tmp_path / "c", [run(*KEY, 0, 0.5, test_rows=100, classes=9)]).sampling_error
    assert several == pytest.approx(half_width("mcc", 0.5, 100, 9))
    assert several != known
    assert known == pytest.approx(1.96 * math.sqrt(0.75 / 100))
