"""Summaries of a configuration over its seeds, with failed and collapsed runs."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from study.analysis.comparison.outputs import read_outputs
from study.analysis.comparison.results import read_results
from study.analysis.comparison.scores.statistics import SeedBootstrap
from study.analysis.comparison.scores.summary import Summary, failure_score, seeds_of, summaries
from tests.study.analysis.comparison.made_comparisons import (
    LORA,
    RS,
    Row,
    crossed,
    failed,
    planned,
    write,
    write_outputs,
)


def summary(folder: Path, rows: list[Row], metric: str = "test_mcc") -> Summary:
    found = read_results(write(folder, rows))
    rng = np.random.default_rng(0)
    bootstrap = SeedBootstrap(seeds_of(found.runs), rng, 500)
    outputs = read_outputs(found, "test")
    return summaries(found, metric, outputs, outputs.influences(metric), bootstrap, rng)[0]


def nine(**changes: float) -> list[Row]:
    return [row | changes for row in crossed([LORA])]


def test_mean_sd_and_counts_are_over_usable_runs(tmp_path: Path) -> None:
    rows = nine()
    scores = [row["test_mcc"] for row in rows[:7]]
    found = summary(tmp_path, [*rows[:7], failed(rows[7]), planned(rows[8])])
    assert (found.n, found.failed, found.pending) == (7, 1, 1)
    assert found.mean.mean == pytest.approx(np.mean(scores))
    assert found.sd == pytest.approx(np.std(scores, ddof=1))
    assert found.iqm_limits is not None
    assert found.iqm is not None
    assert found.iqm_limits[0] <= found.iqm <= found.iqm_limits[1]


def test_a_failed_run_is_the_worst_and_counts_as_guessing(tmp_path: Path) -> None:
    rows = nine()
    found = summary(tmp_path, [*rows[:8], failed(rows[8])])
    assert (found.worst, found.cvar10) == (0, 0)
    assert found.worst_run is not None
    assert found.worst_run.state == "failed"
    lowest = sorted(row["test_mcc"] for row in rows[:8])
    assert found.cvar25 == pytest.approx((lowest[0] + 0.25 * lowest[1]) / 2.25)


def test_a_complete_run_without_a_number_is_a_failure(tmp_path: Path) -> None:
    rows = nine()
    found = summary(tmp_path, [*rows[:8], rows[8] | {"test_mcc": "nan"}])
    assert (found.n, found.failed, found.worst) == (8, 1, 0)


def test_of_a_loss_the_worst_is_the_largest(tmp_path: Path) -> None:
    rows = crossed([LORA], metric="test_loss")
    found = summary(tmp_path, [*rows[:8], failed(rows[8])], "test_loss")
    largest = max(row["test_loss"] for row in rows[:8])
    assert found.worst == largest
    assert found.cvar10 == largest


def test_guessing_is_no_better_than_the_worst_run(tmp_path: Path) -> None:
    rows = nine()
    comparison = read_results(write(tmp_path, [rows[0] | {"test_mcc": -0.2}, *rows[1:]]))
    assert failure_score(comparison, "test_mcc") == -0.2
    assert failure_score(read_results(write(tmp_path, rows)), "test_mcc") == 0


@pytest.mark.parametrize(("mcc", "collapsed"), [(0.009, 1), (-0.009, 1), (0.02, 0), (-0.5, 0)])
def test_without_labels_a_run_has_collapsed_below_a_hundredth(
    tmp_path: Path, mcc: float, collapsed: int
) -> None:
    rows = nine()
    found = summary(tmp_path, [rows[0] | {"test_mcc": mcc}, *rows[1:]])
    assert (len(found.collapsed), found.n) == (collapsed, 9 - collapsed)


@pytest.mark.parametrize(("mcc", "collapsed"), [(0.079, 1), (0.081, 0)])
def test_with_labels_a_run_has_collapsed_within_the_range_of_guessing(
    tmp_path: Path, mcc: float, collapsed: int
) -> None:
    np.savez(tmp_path / "labels.npz", dev=np.arange(10) % 2, test=np.arange(600) % 2)
    rows = nine()
    found = summary(tmp_path, [rows[0] | {"test_mcc": mcc}, *rows[1:]])
    assert len(found.collapsed) == collapsed


@pytest.mark.parametrize(("mcc", "collapsed"), [(0.028, 1), (0.029, 0)])
def test_guessing_of_nine_classes_has_a_narrower_range(
    tmp_path: Path, mcc: float, collapsed: int
) -> None:
    np.savez(tmp_path / "labels.npz", dev=np.arange(10) % 9, test=np.arange(600) % 9)
    rows = nine()
    found = summary(tmp_path, [rows[0] | {"test_mcc": mcc}, *rows[1:]])
    assert len(found.collapsed) == collapsed


def test_a_run_that_predicts_one_class_has_collapsed_regardless_of_its_score(
    tmp_path: Path,
) -> None:
    rows = [row | {"test_accuracy": 0.7} for row in nine()]
    write_outputs(write(tmp_path, rows), rows)
    constant = np.tile(np.float32([0.4, 0.6]), (600, 1))
    np.savez(tmp_path / "outputs" / "run-00004.npz", test=constant)
    found = summary(tmp_path, rows, "test_accuracy")
    assert [run.number for run in found.collapsed] == [4]


def test_a_configuration_without_scores_has_only_counts(tmp_path: Path) -> None:
    rows = crossed([RS, replace(LORA, label="other")], (1, 1, 1))
    found = summary(tmp_path, [failed(rows[0]), rows[1]])
    assert (found.n, found.failed, found.iqm, found.iqm_limits, found.sd) == (
        0,
        1,
        None,
        None,
        None,
    )
    assert found.worst == 0


def test_the_interval_allows_for_runs_that_share_a_seed(tmp_path: Path) -> None:
    """45 runs that vary only between three init seeds are as informative as three runs."""
    shaken = replace(RS, sd={"init": 0.02, "rest": 0.0001})
    found = summary(tmp_path, crossed([shaken], rng=np.random.default_rng(2)))
    assert found.sd is not None
    assert found.mean.high is not None
    assert found.mean.high - found.mean.mean > 2.5 * found.sd / np.sqrt(3)


def test_the_interval_of_a_mean_contains_no_impossible_score(tmp_path: Path) -> None:
    rows = [
        row | {"test_mcc": 1.0 - 0.3 * (row["run"] == 0)} for row in crossed([LORA], (1, 3, 1))
    ]
    found = summary(tmp_path, rows)
    assert found.mean.low is not None
    assert (found.mean.low >= -1, found.mean.high) == (True, 1.0)


def test_the_interval_of_a_loss_ends_at_zero(tmp_path: Path) -> None:
    rows = crossed([LORA], (1, 3, 1), metric="test_loss")
    scored = [row | {"test_loss": 0.9 * (row["run"] == 0) + 0.01} for row in rows]
    assert summary(tmp_path, scored, "test_loss").mean.low == 0


def test_the_mean_with_failures_counts_them_as_guessing(tmp_path: Path) -> None:
    rows = nine()
    found = summary(tmp_path, [*rows[:8], failed(rows[8])])
    assert found.imputed_mean == pytest.approx(sum(row["test_mcc"] for row in rows[:8]) / 9)
