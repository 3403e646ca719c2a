"""Checks of the splits: which classes must exist, and warnings for what is allowed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from study.csv_table import listed
from study.errors import InputError
from study.tasks.labels import class_name
from study.tasks.quality import Quality
from study.tasks.split import Split

SKEW = 0.2
"""A class with less than this fraction of an even share of train (1 / classes) is reported."""


def require_classes(
    where: str, train: Split, dev: Split, test: Split, names: Sequence[str] = ()
) -> int:
    """Returns the number of classes k >= 2: 0..k-1, all in train, two or more in dev and test.

    `names` has their names, if they have any, for messages.

    Raises:
        InputError: a class is missing in train, or a split has only one class.
    """
    classes = sorted(set(train.labels))
    if len(classes) < 2:
        only = f"only label {class_name(classes[0], names)}" if classes else "no row"
        raise InputError(
            f"{where}: train must have two classes or more, but got {only}; add others"
        )
    if classes != list(range(len(classes))):
        gap = next(i for i, label in enumerate(classes) if i != label)
        for name, split in (("dev", dev), ("test", test)):
            if gap in split.labels:
                raise InputError(
                    f"{where}: train must have rows of every class, but got none of class "
                    f"{class_name(gap, names)}, which {name} has; add some, or draw the splits "
                    "otherwise"
                )
        raise InputError(
            f"{where}: the labels of train must be 0..k-1 without a gap, but got none of"
            f" {class_name(gap, names)} (largest label {class_name(classes[-1], names)}); number"
            " the classes from 0"
        )
    for name, split in (("dev", dev), ("test", test)):
        labels = sorted(set(split.labels))
        if labels[-1] >= len(classes):
            known = listed(names[: len(classes)]) if names else f"0..{len(classes) - 1}"
            raise InputError(
                f"{where}: {name} must have only labels of train, {known}, but got"
                f" {class_name(labels[-1], names)}; add rows of it to train or remove it"
            )
        if len(labels) < 2:
            raise InputError(
                f"{where}: {name} must have two classes or more for scores to mean anything, but"
                f" got only label {class_name(labels[0], names)}; draw the splits again"
            )
    return len(classes)


def data_warnings(quality: Quality) -> list[str]:
    """Returns a line for each leak, conflicting label, absent or rare class."""
    return [
        *_rna(quality),
        *_leaks(quality),
        *_near(quality),
        *_conflicts(quality),
        *_class_shares(quality),
    ]


def _near(quality: Quality) -> Iterator[str]:
    if "bases_not_searched" in quality.near:
        yield quality.near_line()
    for name in ("dev", "test"):
        if count := quality.near.get(name):
            has = "has a near copy" if count == 1 else "have a near copy"
            yield (
                f"{_sequences(count)} of {name} {has} in train: {name} scores may be too good;"
                " task.dedup: near takes such rows out of train"
            )


def _rna(quality: Quality) -> Iterator[str]:
    for name, count in quality.rna.items():
        yield f"{name}: {_sequences(count)} of RNA: U is read as T"


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
        absent = [
            class_name(label, quality.classes)
            for label, count in enumerate(split.class_rows)
            if not count
        ]
        if absent:
            yield f"{name} has no row of class {', '.join(absent)}"
    train = quality.splits["train"]
    label, count = min(enumerate(train.class_rows), key=lambda item: item[1])
    if count * len(train.class_rows) < SKEW * train.rows:
        share = 100 * count / train.rows
        name = class_name(label, quality.classes)
        yield f"class {name} is {share:.1f} % of train: read MCC and F1, not accuracy"


def _sequences(count: int) -> str:
    return f"{count} sequence" if count == 1 else f"{count} sequences"
