"""Scores of a split from its logits; the names are those of `study.spec.metrics.METRICS`."""

import math

import numpy as np
from jaxtyping import Float, Int

from study.classification import calibration, class_scores, confusion_matrix, log_softmax
from study.spec.metrics import METRICS


def classification_metrics(
    logits: Float[np.ndarray, "rows classes"], labels: Int[np.ndarray, " rows"]
) -> dict[str, float]:
    """Returns every metric of `METRICS`, in natural units (MCC in [-1, 1], loss in nats).

    The prediction is the class of the largest logit. All are NaN if a logit is not finite.

    - `mcc`: Matthews' coefficient; with more than two classes R_K (Gorodkin 2004).
    - `auc`, `auprc`: area under the ROC curve, and average precision (the sum over thresholds of
      precision times the gain in recall). With two classes of class 1; with more the mean of all
      classes, each against the rest. NaN if a class has no row.
    - `f1_macro`, `f1_weighted`: mean of the F1 of all classes that are in labels or predictions,
      all counting the same, and each by its number of rows. `f1`: of class 1 with two classes,
      `f1_macro` with more.
    - `loss`: cross-entropy, without class weights.
    - `brier`: half of the squared distance between the probabilities and the true class (Brier
      1950), from 0 to 1; with two classes (p_1 - label)^2.
    - `ece`: expected calibration error, see `study.classification.Calibration`.
    """
    if not np.isfinite(logits).all():
        return dict.fromkeys(METRICS, float("nan"))
    logits = logits.astype(np.float64)
    classes, rows = logits.shape[1], np.arange(len(labels))
    logs = log_softmax(logits)
    probabilities = np.exp(logs)
    confusion = confusion_matrix(labels, logits.argmax(axis=1), classes)
    scores = {
        "mcc": _mcc(confusion),
        **_areas(logits, labels),
        **_f1(confusion),
        "accuracy": float(confusion.trace() / len(labels)),
        "loss": float(-logs[rows, labels].mean()),
        "brier": float(((probabilities - np.eye(classes)[labels]) ** 2).sum(axis=1).mean() / 2),
        "ece": calibration(probabilities, labels).error,
    }
    return {name: scores[name] for name in METRICS}


def _mcc(confusion: Int[np.ndarray, "classes classes"]) -> float:
    """Returns Matthews' coefficient, 0 where it is undefined.

    Equals scikit-learn's, which warns if labels and predictions are all of one class.
    """
    rows, right = int(confusion.sum()), int(confusion.trace())
    true, guessed = confusion.sum(axis=1), confusion.sum(axis=0)
    spread = int(rows**2 - true @ true) * int(rows**2 - guessed @ guessed)
    return (rows * right - int(true @ guessed)) / math.sqrt(spread) if spread else 0.0


def _f1(confusion: Int[np.ndarray, "classes classes"]) -> dict[str, float]:
    scores = class_scores(confusion)
    f1 = np.nan_to_num(scores.f1)
    macro = float(np.nanmean(scores.f1))
    return {
        "f1": float(f1[1]) if len(f1) == 2 else macro,
        "f1_macro": macro,
        "f1_weighted": float(scores.support @ f1 / scores.support.sum()),
    }


def _areas(
    logits: Float[np.ndarray, "rows classes"], labels: Int[np.ndarray, " rows"]
) -> dict[str, float]:
    """Returns `auc` and `auprc`."""
    classes = logits.shape[1]
    if len(np.unique(labels)) < classes:
        return {"auc": float("nan"), "auprc": float("nan")}
    from sklearn import metrics as sk  # Seconds, which a driver does not need.

    scored = [1] if classes == 2 else range(classes)
    odds = [(labels == k, _log_odds(logits, k)) for k in scored]
    return {
        "auc": float(np.mean([sk.roc_auc_score(*one) for one in odds])),
        "auprc": float(np.mean([sk.average_precision_score(*one) for one in odds])),
    }


def _log_odds(logits: Float[np.ndarray, "rows classes"], k: int) -> Float[np.ndarray, " rows"]:
    """Returns log(p_k / (1 - p_k)), in the order of p_k, without its rounding to 1."""
    others = np.logaddexp.reduce(np.delete(logits, k, axis=1), axis=1)
    odds: Float[np.ndarray, " rows"] = logits[:, k] - others
    return odds
