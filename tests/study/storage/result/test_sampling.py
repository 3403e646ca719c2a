"""The error that comes from the number of rows of a split."""

import numpy as np
import pytest

from study.storage.result.sampling import half_width


@pytest.mark.parametrize(
    ("metric", "score", "rows", "expected"),
    [("test_mcc", 0.0, 400, 0.098), ("dev_accuracy", 0.5, 400, 0.049), ("mcc", 1.0, 400, 0.0)],
)
def test_the_half_width_falls_with_the_root_of_the_rows(
    metric: str, score: float, rows: int, expected: float
) -> None:
    assert half_width(metric, score, rows) == pytest.approx(expected)


def test_the_auc_of_guessing_has_the_variance_of_the_rank_sum() -> None:
    # (m + n + 1) / (12 m n), with m = n = 100.
    expected = 1.96 * (201 / (12 * 100 * 100)) ** 0.5
    assert half_width("test_auc", 0.5, 200) == pytest.approx(expected)


def test_the_error_of_other_metrics_is_not_known() -> None:
    assert half_width("test_loss", 0.5, 100) is None


@pytest.mark.parametrize(
    ("metric", "score", "rows", "expected"),
    [("mcc", 0.78, 1497, 0.032), ("mcc", 0.72, 613, 0.055), ("auc", 0.90, 613, 0.025)],
)
def test_sampling_errors_match_known_values(
    metric: str, score: float, rows: int, expected: float
) -> None:
    assert half_width(metric, score, rows) == pytest.approx(expected, abs=0.0006)


def test_the_sampling_error_matches_a_simulation_of_test_rows() -> None:

    rng, rows, accuracy = np.random.default_rng(0), 1000, 0.9
    labels = np.arange(rows) % 2
    wrong = rng.random((2000, rows)) > accuracy
    found = [np.corrcoef(labels, labels ^ w)[0, 1] for w in wrong]
    assert half_width("mcc", 0.8, rows) == pytest.approx(1.96 * np.std(found), rel=0.06)


def test_the_sampling_error_of_five_classes_matches_a_simulation() -> None:
    rng, rows, accuracy, classes = np.random.default_rng(0), 1000, 0.8, 5
    labels, found = np.arange(rows) % classes, []
    for _ in range(600):
        shift = (rng.random(rows) > accuracy) * rng.integers(1, classes, size=rows)
        counts = np.bincount(classes * labels + (labels + shift) % classes, minlength=classes**2)
        confusion = counts.reshape(classes, classes) / rows
        true, shown = confusion.sum(axis=1), confusion.sum(axis=0)
        spread = (1 - true @ true) * (1 - shown @ shown)
        found.append((confusion.trace() - true @ shown) / spread**0.5)
    assert np.mean(found) == pytest.approx(0.75, abs=0.01)
    assert half_width("mcc", 0.75, rows, classes) == pytest.approx(1.96 * np.std(found), rel=0.1)


def test_the_error_of_an_auc_of_several_classes_is_not_known() -> None:
    assert half_width("test_auc", 0.8, 100, classes=3) is None
    assert half_width("test_accuracy", 0.5, 400, classes=9) == pytest.approx(0.049)


def test_a_perfect_score_has_no_sampling_error() -> None:
    assert half_width("mcc", 1.0, 100) == 0.0
    assert half_width("auc", 1.0, 100) == 0.0
