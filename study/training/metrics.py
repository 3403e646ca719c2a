"""Scores of a split: MCC, AUC, F1, accuracy and cross-entropy from its logits."""

import warnings

import numpy as np
from jaxtyping import Float, Int
from sklearn import metrics as sk

METRICS = ("mcc", "auc", "f1", "accuracy", "loss")


def classification_metrics(
    logits: Float[np.ndarray, "rows classes"], labels: Int[np.ndarray, " rows"]
) -> dict[str, float]:
    """Returns every metric of `METRICS`, in natural units (MCC in [-1, 1], loss in nats).

    F1 is that of class 1 with two classes and the unweighted mean over classes with more. AUC is
    one against the rest, unweighted, with more than two classes; it is NaN when a class is absent
    or a logit is not finite. Predictions are the largest logit.
    """
    classes = logits.shape[1]
    if not np.isfinite(logits).all():
        return dict.fromkeys(METRICS, float("nan"))
    log_probabilities = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    predicted = logits.argmax(axis=1)
    return {
        "mcc": float(sk.matthews_corrcoef(labels, predicted)),
        "auc": _auc(np.exp(log_probabilities), labels),
        "f1": float(
            sk.f1_score(
                labels, predicted, average="binary" if classes == 2 else "macro", zero_division=0
            )
        ),
        "accuracy": float(sk.accuracy_score(labels, predicted)),
        "loss": float(-log_probabilities[np.arange(len(labels)), labels].mean()),
    }


def _auc(
    probabilities: Float[np.ndarray, "rows classes"], labels: Int[np.ndarray, " rows"]
) -> float:
    classes = probabilities.shape[1]
    if len(np.unique(labels)) < classes:
        return float("nan")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if classes == 2:
            return float(sk.roc_auc_score(labels, probabilities[:, 1]))
        normalised = probabilities / probabilities.sum(axis=1, keepdims=True)
        return float(sk.roc_auc_score(labels, normalised, multi_class="ovr"))
