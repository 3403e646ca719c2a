"""Checks over the splits: which classes must exist, and what is suspicious but allowed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from study.errors import InputError
from study.tasks.task import SPLITS, Split

SKEW = 0.2
"""A class with less than this share of its even part (1 / classes) of train is worth a word."""

_COMPLEMENT = str.maketrans("ACGT", "TGCA")


def reverse_complement(sequence: str) -> str:
    """The other strand of an upper-case sequence over A, C, G, T, N, read 5' to 3'."""
    return sequence.translate(_COMPLEMENT)[::-1]


def require_classes(where: str, train: Split, dev: Split, test: Split) -> int:
    """The number of classes k >= 2; they are 0..k-1, all in train, two or more in dev and test.

    Raises:
        InputError: a number is left out, train lacks a class, or a split has a single one.
    """
    classes = sorted(set(train.labels))
    if len(classes) < 2:
        raise InputError(
            f"{where}: train must hold two classes or more, but every label is {classes[0]}"
        )
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


def data_warnings(train: Split, dev: Split, test: Split, num_labels: int) -> list[str]:
    """One line for each suspicious finding: leaks, conflicting labels, absent or rare classes."""
    splits = dict(zip(SPLITS, (train, dev, test), strict=True))
    return [*_leaks(splits), *_conflicts(splits), *_class_shares(splits, num_labels)]


def _leaks(splits: dict[str, Split]) -> Iterator[str]:
    known = {name: set(split.sequences) for name, split in splits.items()}
    for one, other in (("train", "dev"), ("train", "test"), ("dev", "test")):
        same = known[one] & known[other]
        reverse = {s for s in known[other] - same if reverse_complement(s) in known[one]}
        if same or reverse:
            strand = f", {len(reverse)} more as reverse complement" if reverse else ""
            yield (
                f"{one} and {other} share {_sequences(len(same))}{strand}:"
                f" {other} scores are too good"
            )


def _conflicts(splits: dict[str, Split]) -> Iterator[str]:
    labels: dict[str, int] = {}
    conflicting = set()
    for split in splits.values():
        for sequence, label in zip(split.sequences, split.labels, strict=True):
            if labels.setdefault(sequence, label) != label:
                conflicting.add(sequence)
    if conflicting:
        yield f"{_sequences(len(conflicting))} with different labels: no model gets both right"


def _class_shares(splits: dict[str, Split], num_labels: int) -> Iterator[str]:
    for name, split in splits.items():
        counts = Counter(split.labels)
        absent = [label for label in range(num_labels) if label not in counts]
        if absent:
            yield f"{name} has no row of class {', '.join(map(str, absent))}"
    counts = Counter(splits["train"].labels)
    label, count = min(counts.items(), key=lambda item: item[1])
    if count * num_labels < SKEW * len(splits["train"]):
        share = 100 * count / len(splits["train"])
        yield f"class {label} is {share:.1f} % of train: read MCC and F1, not accuracy"


def _sequences(count: int) -> str:
    return f"{count} sequence" if count == 1 else f"{count} sequences"
