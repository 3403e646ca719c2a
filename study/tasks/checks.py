"""Checks over the splits: which classes must exist, and what is suspicious but allowed."""

from __future__ import annotations

from collections.abc import Iterator

from study.errors import InputError
from study.tasks.quality import Quality
from study.tasks.split import Split

SKEW = 0.2
"""A class with less than this share of its even part (1 / classes) of train is worth a word."""


def require_classes(where: str, train: Split, dev: Split, test: Split) -> int:
    """The number of classes k >= 2; they are 0..k-1, all in train, two or more in dev and test.

    Raises:
        InputError: a number is left out, train lacks a class, or a split has a single one.
    """
    classes = sorted(set(train.labels))
    if len(classes) < 2:
        rows = f"every label is {classes[0]}" if classes else "it has no row"
        raise InputError(f"{where}: train must hold two classes or more, but {rows}")
    if classes != list(range(len(classes))):
        gap = next(i for i, label in enumerate(classes) if i != label)
        raise InputError(
            f"{where}: the labels of train must be 0..k-1 without a gap, but {gap} is missing"
            f" (largest label {classes[-1]}); number the classes from 0"
        )
    for name, split in (("dev", dev), ("test", test)):
        found = sorted(set(split.labels))
        if found[-1] >= len(classes):
            raise InputError(
                f"{where}: {name} has label {found[-1]}, which train lacks"
                f" (its classes: 0..{len(classes) - 1}); add rows of it to train or remove it"
            )
        if len(found) < 2:
            raise InputError(
                f"{where}: {name} must hold two classes or more, but every label is {found[0]}:"
                " its scores would mean nothing; draw the splits anew"
            )
    return len(classes)


def data_warnings(quality: Quality) -> list[str]:
    """One line for each suspicious finding: leaks, conflicting labels, absent or rare classes."""
    return [*_leaks(quality), *_conflicts(quality), *_class_shares(quality)]


def _leaks(quality: Quality) -> Iterator[str]:
    for (one, other), shared in quality.shared.items():
        if shared.same or shared.reverse:
            more = f", {shared.reverse} more as reverse complement" if shared.reverse else ""
            yield (
                f"{one} and {other} share {_sequences(shared.same)}{more}:"
                f" {other} scores are too good"
            )


def _conflicts(quality: Quality) -> Iterator[str]:
    if quality.conflicts:
        yield f"{_sequences(quality.conflicts)} with different labels: no model gets both right"


def _class_shares(quality: Quality) -> Iterator[str]:
    for name, split in quality.splits.items():
        absent = [str(label) for label, count in enumerate(split.class_rows) if not count]
        if absent:
            yield f"{name} has no row of class {', '.join(absent)}"
    train = quality.splits["train"]
    label, count = min(enumerate(train.class_rows), key=lambda item: item[1])
    if count * len(train.class_rows) < SKEW * train.rows:
        share = 100 * count / train.rows
        yield f"class {label} is {share:.1f} % of train: read MCC and F1, not accuracy"


def _sequences(count: int) -> str:
    return f"{count} sequence" if count == 1 else f"{count} sequences"
