"""Scores of a split from its logits: MCC, AUC, F1, accuracy, cross-entropy."""

import math

import numpy as np
from jaxtyping import Float, Int

METRICS = ("mcc", "auc", "f1", "accuracy", "loss")


def classification_metrics(
    logits: Float[np.ndarray, "rows classes"], labels: Int[np.ndarray, " rows"]
) -> dict[str, float]:
    """Returns every metric of `METRICS`, in natural units (MCC in [-1, 1], loss in nats).

    F1 is that of class 1 with two classes, and the unweighted mean over classes with more. With
    more than two classes, AUC is one-vs-rest, unweighted; it is NaN if a class is absent. The
    prediction is the class of the largest logit. All are NaN if a logit is not finite.
    """
    if not np.isfinite(logits).all():
        return dict.fromkeys(METRICS, float("nan"))
    from sklearn import metrics as sk  # Seconds, which a driver does not need.

    logits = logits.astype(np.float64)
    classes = logits.shape[1]
    log_probabilities = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    predicted = logits.argmax(axis=1)
    return {
        "mcc": _mcc(labels, predicted, classes),
        "auc": _auc(log_probabilities, labels),
        "f1": float(
            sk.f1_score(
                labels, predicted, average="binary" if classes == 2 else "macro", zero_division=0
            )
        ),
        "accuracy": float(sk.accuracy_score(labels, predicted)),
        "loss": float(-log_probabilities[np.arange(len(labels)), labels].mean()),
    }


def _mcc(
    labels: Int[np.ndarray, " rows"], predicted: Int[np.ndarray, " rows"], classes: int
) -> float:
    """Returns Matthews' coefficient (Gorodkin 2004, R_K), 0 where it is undefined.

    Equals scikit-learn's, which warns if labels and predictions are all of one class.
    """
    rows, right = len(labels), int((labels == predicted).sum())
    true = np.bincount(labels, minlength=classes)
    guessed = np.bincount(predicted, minlength=classes)
    spread = int(rows**2 - true @ true) * int(rows**2 - guessed @ guessed)
    return (rows * right - int(true @ guessed)) / math.sqrt(spread) if spread else 0.0


def _auc(
    log_probabilities: Float[np.ndarray, "rows classes"], labels: Int[np.ndarray, " rows"]
) -> float:
    classes = log_probabilities.shape[1]
    if len(np.unique(labels)) < classes:
        return float("nan")
    from sklearn import metrics as sk

    if classes == 2:
        # The log-odds have the order of the probability of class 1 and do not saturate at 1.
        return float(sk.roc_auc_score(labels, log_probabilities[:, 1] - log_probabilities[:, 0]))
    return float(sk.roc_auc_score(labels, np.exp(log_probabilities), multi_class="ovr"))
