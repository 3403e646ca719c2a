"""Classifiers without a backbone: the most frequent class, GC content, k-mer counts.

Each returns the metrics of a trial on dev and test, with the same names: `dev_mcc`, `test_auc`, …
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float
from sklearn.linear_model import LogisticRegression

from study.tasks.metrics import classification_metrics
from study.tasks.quality import gc_content
from study.tasks.split import Split
from study.tasks.task import Task

_CODES = np.full(256, -1, np.int64)
_CODES[np.frombuffer(b"ACGT", np.uint8)] = np.arange(4)

Logits = Float[np.ndarray, "rows classes"]


def majority_class(task: Task) -> dict[str, float]:
    """Predicts the most frequent class of train, the first of equals, with the shares of train."""
    shares = np.bincount(task.train.labels, minlength=task.num_labels) / len(task.train)
    return _scores(task, lambda split: np.tile(np.log(shares), (len(split), 1)))


def gc_logistic_regression(task: Task) -> dict[str, float]:
    """L2 logistic regression (C = 1) on the GC content, standardized by train.

    A sequence of only N has the mean of train.
    """
    train = gc_content(task.train.sequences)
    mean, sd = np.nanmean(train), np.nanstd(train)

    def features(split: Split) -> Float[np.ndarray, "rows 1"]:
        known = (gc_content(split.sequences) - mean) / (sd or 1.0)
        column: Float[np.ndarray, " rows"] = np.nan_to_num(known)
        return column[:, None]

    return _logistic_regression(task, features)


def kmer_logistic_regression(task: Task, k: int = 5) -> dict[str, float]:
    """L2 logistic regression (C = 1) on the counts of all overlapping `k`-mers.

    A count is divided by the largest count of its word in train.
    """
    scale = np.maximum(kmer_counts(task.train.sequences, k).max(axis=0), 1)

    def features(split: Split) -> Float[np.ndarray, "rows words"]:
        counts = kmer_counts(split.sequences, k)
        counts /= scale
        return counts

    return _logistic_regression(task, features)


BASELINES: dict[str, Callable[[Task], dict[str, float]]] = {
    "majority": majority_class,
    "gc": gc_logistic_regression,
    "kmer": kmer_logistic_regression,
}


def kmer_counts(sequences: list[str], k: int) -> Float[np.ndarray, "rows words"]:
    """Returns the counts of the 4**k words in each sequence; words with N are not counted."""
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


def _logistic_regression(
    task: Task, features: Callable[[Split], Float[np.ndarray, "rows features"]]
) -> dict[str, float]:
    model = LogisticRegression(max_iter=1000)
    model.fit(features(task.train), task.train.labels)

    def logits(split: Split) -> Logits:
        decision = model.decision_function(features(split))
        return decision if decision.ndim > 1 else np.stack([0 * decision, decision], axis=1)

    return _scores(task, logits)


def _scores(task: Task, logits: Callable[[Split], Logits]) -> dict[str, float]:
    return {
        f"{name}_{metric}": value
        for name, split in (("dev", task.dev), ("test", task.test))
        for metric, value in classification_metrics(
            logits(split), np.asarray(split.labels)
        ).items()
    }
