"""How well the winner tells the classes apart: scores of each class, confusion matrices.

Everything is of the weights in best/, from best/predictions.npz.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int

from study.analysis.study.reading import StudyData
from study.analysis.text import NOTHING
from study.classification import balanced_weights, class_scores, confusion_matrix
from study.storage.predictions import SPLITS, Predictions, SplitPredictions

MOST = 24
"""Largest number of classes of a confusion matrix on the page."""
NAMED = 3
"""Number of confusions that are named."""


@dataclass(frozen=True)
class Cell:
    """Rows of one true class that are predicted to be of one class."""

    rows: int
    share: float
    """Of the true class, in percent; 0 if it has no row."""
    right: bool


@dataclass(frozen=True)
class Matrix:
    """The confusion matrix of a split."""

    split: str
    rows: int
    lines: list[tuple[str, list[Cell]]]
    """(true class, a cell for each predicted class)."""
    confusions: str
    """The most frequent ones in words; empty with two classes or without any."""


@dataclass(frozen=True)
class Classes:
    """What the section says."""

    trial: int
    names: tuple[str, ...]
    columns: list[tuple[str, list[str]]]
    """(split or nothing, columns below it)."""
    rows: list[tuple[str, list[str]]]
    """(class, cells)."""
    matrices: list[Matrix]
    """Test, then dev; empty with more than `MOST` classes."""


def classes(study: StudyData) -> Classes | None:
    """Returns the section; None before the winner is measured, and for older versions' folders."""
    predictions, winner = study.predictions, study.record.winner
    if predictions is None or winner is None:
        return None
    names, splits = predictions.classes, _splits(predictions)
    train = _train_rows(study, len(names))
    weights = _weights(study, train)
    columns = [
        *([("train", ["rows", *(["weight in the loss"] if weights else [])])] if train else []),
        *((split, ["rows", "precision", "recall", "F1"]) for split, _ in splits),
    ]
    cells = [_cells(confusion) for _, confusion in splits]
    rows = [
        (
            name,
            [
                *([f"{train[k]:,}"] if train else []),
                *([f"{weights[k]:.3g}"] if weights else []),
                *(cell for split in cells for cell in split[k]),
            ],
        )
        for k, name in enumerate(names)
    ]
    matrices = [_matrix(*one, names) for one in splits] if len(names) <= MOST else []
    return Classes(winner.trial, names, columns, rows, matrices)


def _splits(predictions: Predictions) -> list[tuple[str, Int[np.ndarray, "classes classes"]]]:
    """Returns the confusion matrices, that of test first."""
    return [(name, confusion_of(predictions.splits[name])) for name in reversed(SPLITS)]


def confusion_of(split: SplitPredictions) -> Int[np.ndarray, "classes classes"]:
    """Returns the confusion matrix of a split."""
    return confusion_matrix(split.labels, split.predicted, split.logits.shape[1])


def _cells(confusion: Int[np.ndarray, "classes classes"]) -> list[list[str]]:
    scores = class_scores(confusion)
    each = zip(scores.support, scores.precision, scores.recall, scores.f1, strict=True)
    return [[f"{rows:,}", *map(_shown, values)] for rows, *values in each]


def _shown(score: float) -> str:
    return NOTHING if np.isnan(score) else f"{score:.3f}"


def _train_rows(study: StudyData, count: int) -> Sequence[int]:
    """Returns the rows of each class in train; empty if the journal does not have them."""
    quality: Mapping[str, Any] = (study.opened and study.opened.quality) or {}
    rows: Sequence[int] = quality.get("splits", {}).get("train", {}).get("class_rows", ())
    return rows if len(rows) == count else ()


def _weights(study: StudyData, train: Sequence[int]) -> Sequence[float]:
    """Returns the class weights of the winner's loss; empty without any, or if not known."""
    leader, chosen = study.leader, study.spec.training.class_weights
    if leader is not None and "class_weights" in study.spec.domains:
        chosen = leader.settings.get("class_weights", "none")
    if chosen == "balanced":
        return [float(one) for one in balanced_weights(np.array(train))] if train else ()
    return chosen if isinstance(chosen, tuple) and len(chosen) == len(train) else ()


def _matrix(
    split: str, confusion: Int[np.ndarray, "classes classes"], names: Sequence[str]
) -> Matrix:
    totals = np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    shares = 100 * confusion / totals
    lines = [
        (
            name,
            [Cell(int(confusion[k, j]), float(shares[k, j]), j == k) for j in range(len(names))],
        )
        for k, name in enumerate(names)
    ]
    words = "; ".join(_confusions(confusion, names)) if len(names) > 2 else ""
    return Matrix(split, int(confusion.sum()), lines, words)


def _confusions(
    confusion: Int[np.ndarray, "classes classes"], names: Sequence[str]
) -> Iterator[str]:
    """Yields the most frequent confusions of two classes, in words."""
    wrong = confusion * (1 - np.eye(len(names), dtype=int))
    for place in np.argsort(-wrong, axis=None, kind="stable")[:NAMED]:
        true, shown = divmod(int(place), len(names))
        if count := int(wrong[true, shown]):
            total = int(confusion[true].sum())
            yield f"{names[true]} predicted as {names[shown]}: {count} of {total}"
