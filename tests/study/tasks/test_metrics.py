"""Scores against hand-computed values and scikit-learn's."""

import math

import numpy as np
import pytest
from sklearn import metrics as sk

from study.tasks.metrics import METRICS, classification_metrics


def _logits(predictions: list[int], classes: int = 2) -> np.ndarray:
    return np.eye(classes, dtype=np.float32)[predictions] * 2


def test_binary_scores_equal_the_hand_computed() -> None:
    # TP 3, FN 1, FP 1, TN 2
    labels = np.array([1, 1, 1, 1, 0, 0, 0])
    scores = classification_metrics(_logits([1, 1, 1, 0, 1, 0, 0]), labels)
    right, wrong = math.log(1 + math.exp(-2)), math.log(1 + math.exp(2))
    assert scores["accuracy"] == pytest.approx(5 / 7)
    assert scores["f1"] == pytest.approx(6 / 8)
    assert scores["mcc"] == pytest.approx((3 * 2 - 1 * 1) / math.sqrt(4 * 4 * 3 * 3))
    assert scores["loss"] == pytest.approx((5 * right + 2 * wrong) / 7)
    # Of 12 pairs, 6 are in order, 1 is reversed and 5 are ties.
    assert scores["auc"] == pytest.approx((6 + 5 / 2) / 12)


def test_multi_class_scores_equal_scikit_learns() -> None:
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(60, 4)).astype(np.float32)
    labels = generator.integers(0, 4, size=60)
    scores = classification_metrics(logits, labels)
    odds = np.exp(logits.astype(np.float64))
    probabilities = odds / odds.sum(1, keepdims=True)
    predicted = probabilities.argmax(1)
    assert scores["mcc"] == pytest.approx(sk.matthews_corrcoef(labels, predicted))
    assert scores["f1"] == pytest.approx(sk.f1_score(labels, predicted, average="macro"))
    assert scores["loss"] == pytest.approx(sk.log_loss(labels, probabilities))
    assert scores["auc"] == pytest.approx(
        np.mean([sk.roc_auc_score(labels == k, probabilities[:, k]) for k in range(4)])
    )


@pytest.mark.parametrize("classes", [2, 3, 9])
def test_scores_of_two_and_more_classes_equal_scikit_learns(classes: int) -> None:
    generator = np.random.default_rng(classes)
    labels = generator.choice(
        classes, p=np.arange(1, classes + 1) / sum(range(classes + 1)), size=200
    )
    logits = generator.normal(size=(200, classes)) + 1.5 * np.eye(classes)[labels]
    logits[:, 0] -= 9.0 * (classes == 9)  # A class that is never predicted.
    scores = classification_metrics(logits.astype(np.float32), labels)
    odds = np.exp(logits.astype(np.float32).astype(np.float64))
    probabilities, predicted = odds / odds.sum(1, keepdims=True), logits.argmax(1)
    of_one = [1] if classes == 2 else range(classes)
    truth = np.eye(classes)[labels]
    expected = {
        "mcc": sk.matthews_corrcoef(labels, predicted),
        "auc": np.mean([sk.roc_auc_score(truth[:, k], probabilities[:, k]) for k in of_one]),
        "auprc": np.mean(
            [sk.average_precision_score(truth[:, k], probabilities[:, k]) for k in of_one]
        ),
        "f1": sk.f1_score(labels, predicted, average="binary" if classes == 2 else "macro"),
        "f1_macro": sk.f1_score(labels, predicted, average="macro"),
        "f1_weighted": sk.f1_score(labels, predicted, average="weighted"),
        "accuracy": sk.accuracy_score(labels, predicted),
        "loss": sk.log_loss(labels, probabilities),
        "brier": np.mean(
            [sk.brier_score_loss(truth[:, k], probabilities[:, k]) for k in range(classes)]
        )
        * classes
        / 2,
    }
    ece = scores.pop("ece")
    assert scores == pytest.approx(expected)
    assert ece == pytest.approx(literal_ece(probabilities, labels))


def literal_ece(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Row by row, as Guo et al. 2017, equation 3, with 15 bins."""
    bins: dict[int, list[tuple[float, bool]]] = {}
    for row, label in zip(probabilities, labels, strict=True):
        confidence = float(row.max())
        bins.setdefault(math.ceil(confidence * 15), []).append((confidence, row.argmax() == label))
    return sum(
        abs(sum(right for _, right in rows) - sum(confidence for confidence, _ in rows))
        for rows in bins.values()
    ) / len(labels)


def test_the_brier_score_of_two_classes_is_the_squared_error_of_class_1() -> None:
    labels, logits = np.array([1, 0, 1]), np.array([[0.0, 1.0], [0.0, 2.0], [3.0, 0.0]])
    p = 1 / (1 + np.exp(logits[:, 0] - logits[:, 1]))
    assert classification_metrics(logits, labels)["brier"] == pytest.approx(
        sk.brier_score_loss(labels, p)
    )
    assert classification_metrics(logits, labels)["brier"] == pytest.approx(
        np.mean((p - labels) ** 2)
    )


def test_a_certain_right_model_is_calibrated_and_a_certain_wrong_one_is_not() -> None:
    right = classification_metrics(500 * _logits([0, 1, 1]), np.array([0, 1, 1]))
    wrong = classification_metrics(500 * _logits([1, 0, 0]), np.array([0, 1, 1]))
    assert (right["ece"], right["brier"]) == (0, 0)
    assert (wrong["ece"], wrong["brier"]) == (1, 1)


def test_perfect_and_reversed_predictions_score_one_and_minus_one() -> None:
    labels = np.array([0, 1, 0, 1])
    best = classification_metrics(_logits([0, 1, 0, 1]), labels)
    worst = classification_metrics(_logits([1, 0, 1, 0]), labels)
    assert [best[name] for name in ("mcc", "auc", "f1", "accuracy")] == [1, 1, 1, 1]
    assert [worst[name] for name in ("mcc", "auc", "f1", "accuracy")] == [-1, 0, 0, 0]


def test_a_constant_prediction_has_chance_scores_without_a_warning() -> None:
    scores = classification_metrics(_logits([0, 0, 0, 0]), np.array([0, 1, 0, 1]))
    assert (scores["mcc"], scores["f1"], scores["auc"]) == (0, 0, 0.5)


@pytest.mark.parametrize("classes", [2, 3])
def test_auc_is_nan_where_a_class_is_absent_and_the_rest_is_not(classes: int) -> None:
    scores = classification_metrics(_logits([0, 0, 1], classes), np.array([0, 0, 0]))
    assert [math.isnan(scores.pop(name)) for name in ("auc", "auprc")] == [True, True]
    assert all(math.isfinite(score) for score in scores.values())


def test_a_single_label_rightly_predicted_scores_without_a_warning() -> None:
    scores = classification_metrics(_logits([0, 0]), np.array([0, 0]))
    assert (scores["mcc"], scores["f1"], scores["accuracy"]) == (0, 0, 1)


@pytest.mark.parametrize("poison", [math.nan, math.inf])
def test_a_logit_that_is_not_finite_makes_every_score_nan(poison: float) -> None:
    logits = _logits([0, 1, 1])
    logits[1, 0] = poison
    scores = classification_metrics(logits, np.array([0, 1, 0]))
    assert tuple(scores) == METRICS
    assert all(math.isnan(score) for score in scores.values())


def test_auc_distinguishes_very_confident_predictions() -> None:
    # In float32 both probabilities of class 1 are 1.
    logits = np.array([[0, 30], [0, 40]], dtype=np.float32)
    assert classification_metrics(logits, np.array([0, 1]))["auc"] == 1


def test_the_order_of_the_rows_does_not_matter() -> None:
    generator = np.random.default_rng(1)
    logits = generator.normal(size=(30, 2)).astype(np.float32)
    labels, order = generator.integers(0, 2, size=30), generator.permutation(30)
    assert classification_metrics(logits, labels) == pytest.approx(
        classification_metrics(logits[order], labels[order])
    )
