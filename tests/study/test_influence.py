"""Influences against a numerical derivative and a bootstrap; errors against simulation."""

import numpy as np
import pytest

from study.influence import error_of_difference, error_of_mean, influence
from study.tasks.metrics import classification_metrics

METRICS = ("mcc", "auc", "accuracy", "loss", "brier", "f1", "f1_macro", "f1_weighted")


def made(rows: int, classes: int, seed: int, skill: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, rows)
    logits = rng.normal(size=(rows, classes)) + skill * np.eye(classes)[labels]
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), labels


def score(metric: str, probabilities: np.ndarray, labels: np.ndarray) -> float:
    return classification_metrics(np.log(probabilities), labels)[metric]


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("metric", METRICS)
def test_an_influence_is_the_change_when_a_row_becomes_more_frequent(
    metric: str, classes: int
) -> None:
    probabilities, labels = made(60, classes, 0)
    psi = influence(metric, probabilities, labels)
    assert psi is not None
    assert psi.mean() == pytest.approx(0, abs=1e-9)
    often, one = 2000, 7
    many = np.repeat(np.arange(60), often)
    more = np.append(many, one)
    change = score(metric, probabilities[more], labels[more]) - score(
        metric, probabilities[many], labels[many]
    )
    assert change * len(more) == pytest.approx(psi[one], rel=2e-3, abs=1e-4)


@pytest.mark.parametrize("metric", ["mcc", "auc", "f1_macro"])
def test_the_error_of_one_run_is_that_of_the_bootstrap(metric: str) -> None:
    probabilities, labels = made(400, 2, 1)
    psi = influence(metric, probabilities, labels)
    assert psi is not None
    rng = np.random.default_rng(2)
    drawn = [rng.integers(0, 400, 400) for _ in range(160)]
    spread = np.std([score(metric, probabilities[rows], labels[rows]) for rows in drawn])
    assert error_of_mean(psi[None]) == pytest.approx(spread, rel=0.2)


def test_two_methods_that_err_on_the_same_rows_have_a_small_error_of_the_difference() -> None:
    first, labels = made(600, 2, 3)
    second, _ = made(600, 2, 4)
    near = first + 0.02 * (second - first)
    a, b, c = (influence("mcc", one, labels) for one in (first, near, second))
    assert a is not None
    assert b is not None
    assert c is not None
    assert error_of_difference(a[None], b[None]) < 0.4 * error_of_difference(a[None], c[None])
    assert error_of_difference(a[None], a[None]) == 0


def test_noise_of_seeds_on_the_rows_is_removed() -> None:
    rng, rows, n, sd = np.random.default_rng(5), 1500, 12, 0.5
    by_row = sd * rng.normal(size=rows)
    influences = by_row + 3 * rng.normal(size=(n, rows))
    assert error_of_mean(influences) == pytest.approx(sd / rows**0.5, rel=0.15)
    nothing = 3 * rng.normal(size=(200, n, rows // 5))
    kept = np.mean([error_of_mean(one) ** 2 for one in nothing])
    assert kept < 0.1 * 9 / n / (rows // 5)


def test_scores_that_do_not_exist_have_no_influence() -> None:
    probabilities, labels = made(30, 2, 6)
    constant = np.tile([0.9, 0.1], (30, 1))
    assert influence("mcc", constant, labels) is None
    assert influence("auc", probabilities, np.zeros(30, int)) is None
    assert influence("ece", probabilities, labels) is None
