"""The floors a backbone must clear: k-mer logistic regression and the majority class."""

from __future__ import annotations

from collections import Counter

import numpy as np
from jaxtyping import Float

from study.tasks.task import Split, Task

_CODES = np.full(256, -1, np.int64)
_CODES[np.frombuffer(b"ACGT", np.uint8)] = np.arange(4)


def kmer_logistic_regression(task: Task, k: int = 5, seed: int = 0) -> dict[str, float]:
    """Returns dev_mcc, dev_auc, test_mcc and test_auc of an L2 logistic regression (C = 1).

    Features are the counts of all overlapping `k`-mers, divided by their largest count in
    train; AUC is one against the rest with more than two classes, NaN where a class is absent.
    """
    from sklearn.linear_model import LogisticRegression

    counts = kmer_counts(task.train.sequences, k)
    scale = np.maximum(counts.max(axis=0), 1)
    model = LogisticRegression(max_iter=1000, random_state=seed)
    model.fit(counts / scale, task.train.labels)
    scores: dict[str, float] = {}
    for name, split in (("dev", task.dev), ("test", task.test)):
        probabilities = model.predict_proba(kmer_counts(split.sequences, k) / scale)
        scores |= _scores(name, split, probabilities)
    return scores


def majority_class(task: Task) -> dict[str, float]:
    """Returns dev_accuracy and test_accuracy of always answering train's commonest class."""
    commonest = Counter(task.train.labels).most_common(1)[0][0]
    return {
        f"{name}_accuracy": split.labels.count(commonest) / len(split)
        for name, split in (("dev", task.dev), ("test", task.test))
    }


def kmer_counts(sequences: list[str], k: int) -> Float[np.ndarray, "rows words"]:
    """How often each of the 4**k words occurs in each sequence; words with N count nowhere."""
    counts = np.zeros((len(sequences), 4**k), np.float32)
    weights = 4 ** np.arange(k)[::-1]
    for row, sequence in enumerate(sequences):
        codes = _CODES[np.frombuffer(sequence.encode("ascii"), np.uint8)]
        if len(codes) < k:
            continue
        windows = np.lib.stride_tricks.sliding_window_view(codes, k)
        words = windows[(windows >= 0).all(axis=1)] @ weights
        counts[row] = np.bincount(words, minlength=4**k)
    return counts


def _scores(
    name: str, split: Split, probabilities: Float[np.ndarray, "rows classes"]
) -> dict[str, float]:
    from sklearn.metrics import matthews_corrcoef, roc_auc_score

    classes = probabilities.shape[1]
    complete = len(set(split.labels)) == classes
    ranked = probabilities[:, 1] if classes == 2 else probabilities
    auc = roc_auc_score(split.labels, ranked, multi_class="ovr") if complete else float("nan")
    mcc = matthews_corrcoef(split.labels, probabilities.argmax(axis=1))
    return {f"{name}_mcc": float(mcc), f"{name}_auc": float(auc)}
