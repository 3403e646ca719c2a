"""Errors of test sets that every run draws from one table."""

from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from study.analysis.comparison import analyse
from study.analysis.comparison.outputs import read_outputs
from study.analysis.comparison.page.page import render
from study.analysis.comparison.results import ComparisonResults, RunResult
from study.analysis.comparison.sentences.answers import report_lines
from study.errors import InputError
from study.influence import error_of_mean, error_of_overlap, influence
from tests.study.analysis.comparison.made_comparisons import Made, pairs_of, write

TABLE, ROWS, RUNS = 300, 60, 6


def folder_of_runs(
    folder: Path, units_of_row: int = 1, more: int = 0, runs: int = RUNS
) -> ComparisonResults:
    """A folder of runs, each tested on rows of its own."""
    rng, known = np.random.default_rng(0), []
    (folder / "outputs").mkdir(parents=True)
    hard = rng.random(TABLE)
    np.savez(folder / "labels.npz", test=np.arange(ROWS) % 2)
    for number in range(runs):
        rows = np.sort(rng.permutation(TABLE)[: ROWS + more * number])
        labels = rows % 2
        right = 0.9 * hard[rows] + 0.1 * rng.random(len(rows)) < 0.8
        np.savez(
            folder / "outputs" / f"run-{number:05d}.npz",
            test=np.eye(2)[np.where(right, labels, 1 - labels)],
            labels_test=labels,
            units_test=rows // units_of_row,
            share_test=np.array(len(rows) / TABLE),
        )
        known.append(RunResult(number, "a", "lora", (-1, number, number), "complete", "", {}, {}))
    return ComparisonResults(folder, known)


@pytest.mark.parametrize(("units_of_row", "more"), [(1, 0), (2, 3)])
def test_the_error_that_draws_do_not_reduce_is_that_of_common_rows(
    tmp_path: Path, units_of_row: int, more: int
) -> None:
    outputs = read_outputs(folder_of_runs(tmp_path, units_of_row, more), "test")
    found = error_of_mean(np.array(list(outputs.influences("test_accuracy").values())))
    total = 0.0
    for one, other in permutations(outputs.runs.values(), 2):
        psi = [influence("accuracy", o.probabilities, o.labels) for o in (one, other)]
        total += sum(
            psi[0][row] * psi[1][column]
            for row, unit in enumerate(one.units)
            for column in np.flatnonzero(other.units == unit)
        ) / (len(one.units) * len(other.units))
    expected = max(0.0, total / (RUNS * (RUNS - 1))) ** 0.5
    assert expected > 0.01
    assert found == pytest.approx(expected, abs=1e-12)


def test_test_sets_of_few_groups_use_the_upper_bound(tmp_path: Path) -> None:
    outputs = read_outputs(folder_of_runs(tmp_path, units_of_row=30), "test")
    assert outputs.influences("test_mcc") == {}
    assert outputs.share == pytest.approx(ROWS / TABLE)
    scores = np.array([0.1, 0.3, 0.2])
    assert error_of_overlap(scores, 0.2) == pytest.approx(0.1 * 0.25**0.5 * 4.303 / 1.96, rel=1e-3)


def test_the_bound_is_the_error_of_a_table_where_only_rows_vary() -> None:
    rng, means, taus = np.random.default_rng(1), [], []
    for _ in range(100):
        table = rng.normal(size=TABLE)
        scores = np.array([table[rng.permutation(TABLE)[:ROWS]].mean() for _ in range(60)])
        means.append(scores.mean())
        taus.append(error_of_overlap(scores, ROWS / TABLE))
    assert np.sqrt(np.mean(np.square(taus))) == pytest.approx(np.std(means), rel=0.25)


@pytest.mark.parametrize(
    ("array", "bad"), [("units_test", np.ones((3, 1), int)), ("labels_test", np.array(["a"]))]
)
def test_damaged_units_and_labels_are_refused(tmp_path: Path, array: str, bad: np.ndarray) -> None:
    comparison = folder_of_runs(tmp_path)
    path = tmp_path / "outputs" / "run-00000.npz"
    with np.load(path) as stored:
        arrays = dict(stored)
    np.savez(path, **arrays | {array: bad})
    with pytest.raises(InputError, match=rf"{array} must be a vector of"):
        read_outputs(comparison, "test")


def test_the_page_says_over_what_its_intervals_are(tmp_path: Path) -> None:
    made = [Made(label, "lora", 0.6, False, {"rest": 0.02}, {}) for label in "ab"]
    rows = pairs_of(made, 10)
    known = folder_of_runs(tmp_path / "x", runs=len(rows))
    folder = write(known.folder, rows)
    analysis = analyse([folder])
    assert "on this test set" not in render(analysis.tasks[0], analysis, [])
    text = "\n".join(report_lines(analysis))
    assert "has drawn its train and dev rows too, and its test rows" in text
    assert "over seeds, splits and test rows" in text
    assert "over seeds and splits of this table" in text
    assert "this test set" not in text
    for file in (folder / "outputs").iterdir():
        file.unlink()
    assert "task.resplit" not in "\n".join(report_lines(analyse([folder])))
