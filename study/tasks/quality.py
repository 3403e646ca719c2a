"""Measurements of the data: sizes, classes, GC content, copies within and between splits.

A reverse complement counts as a copy, since a backbone may predict it from the other strand.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
from jaxtyping import Float

from study.tasks.assignment import Assignment
from study.tasks.labels import class_name
from study.tasks.near_copies import JACCARD, K
from study.tasks.split import SPLITS, Split, reverse_complement

MOST_IN_A_LINE = 3
"""Classes whose shares are in the line of a split; with more each class has a line."""


@dataclass(frozen=True)
class SplitQuality:
    """One split. Tuples have an entry per class; the GC content of a class without rows is NaN."""

    rows: int
    class_rows: tuple[int, ...]
    gc_mean: tuple[float, ...]
    """Mean over sequences of the fraction of G and C among A, C, G and T."""
    gc_sd: tuple[float, ...]
    bases: tuple[int, float, int]
    """The shortest length, the median, the longest."""
    copies: int
    """Rows that repeat an earlier row's sequence exactly."""
    reverse_copies: int
    """Pairs of different sequences that are each other's reverse complement."""
    conflicts: int
    """Sequences with different labels."""


@dataclass(frozen=True)
class SharedRows:
    """Distinct sequences of one split that are also in an earlier one."""

    same: int
    reverse: int
    """Not there as they are, but as their reverse complement."""


@dataclass(frozen=True)
class Quality:
    """The splits by name, and the sequences that each pair of them shares."""

    splits: dict[str, SplitQuality]
    shared: dict[tuple[str, str], SharedRows]
    conflicts: int
    """Sequences with different labels, in all splits together."""
    dropped: dict[str, int] = field(default_factory=dict)
    """Rows removed from train, by reason; empty without `task.dedup`."""
    assignment: Assignment | None = None
    """Which rows of train `task.split` has made dev and test, if any."""
    classes: tuple[str, ...] = ()
    """Names of the classes 0..k-1; empty if the labels are numbers."""
    rna: dict[str, int] = field(default_factory=dict)
    """Rows in which U was read as T, by file: `train` is that of train, also if others are drawn
    from it."""
    near: dict[str, int] = field(default_factory=dict)
    """Rows of dev and test with a near copy in train, and of train with one in these; or the
    bases that were too many to look for them."""

    def lines(self) -> list[str]:
        """Returns lines of text: for each split, for each of many classes, for all splits."""
        lines = [_line(name, split, self.classes) for name, split in self.splits.items()]
        lines += self._class_lines()
        lines.append("shared: " + ("; ".join(self._common()) or "nothing"))
        lines += [self.near_line()] if self.near else []
        if self.assignment is not None:
            lines.append(f"drawn from train by task.split: {self.assignment.text()}")
        if self.rna:
            rows = ", ".join(f"{count} {split}" for split, count in self.rna.items())
            lines.append(f"sequences of RNA, in which U is read as T: {rows}")
        return [*lines, *([dropped_line(self.dropped)] if self.dropped else [])]

    def _class_lines(self) -> Iterator[str]:
        """Yields a line for each class if there are too many for the lines of the splits."""
        train = self.splits["train"]
        if not _are_many(train):
            return
        yield f"classes: shares of {' / '.join(self.splits)} (GC in train)"
        for label in range(len(train.class_rows)):
            rows = [split.class_rows[label] / split.rows for split in self.splits.values()]
            shares = " / ".join(f"{share:.1%}" for share in rows)
            yield f"{class_name(label, self.classes)}: {shares}{_gc(train, label)}"

    def _common(self) -> Iterator[str]:
        for (one, other), shared in self.shared.items():
            if shared.same or shared.reverse:
                reverse = f" (and {shared.reverse} on the other strand)" if shared.reverse else ""
                yield f"{one} and {other} {shared.same}{reverse}"
        if self.conflicts:
            yield f"with different labels: {self.conflicts} in all"

    def record(self) -> dict[str, Any]:
        """Returns the fields by name, for the journal; a pair of splits is `train, dev`."""
        return {
            "splits": {name: vars(split) for name, split in self.splits.items()},
            "shared": {", ".join(pair): vars(shared) for pair, shared in self.shared.items()},
            "conflicts": self.conflicts,
            "dropped": self.dropped,
            "drawn": {} if self.assignment is None else self.assignment.rows(),
            "assignment": {} if self.assignment is None else self.assignment.record(),
            "classes": self.classes,
            "rna": self.rna,
            "near": {**self.near, "k": K, "jaccard": JACCARD} if self.near else {},
        }

    def near_line(self) -> str:
        """Returns a line on the near copies that were found, or that none were looked for."""
        if skipped := self.near.get("bases_not_searched"):
            return f"near copies: not looked for in {skipped:,} bases; task.dedup: near does"
        dev, test = self.near["dev"], self.near["test"]
        return (
            f"near copies in train: {dev} of dev, {test} of test ({K}-mer Jaccard >= {JACCARD:g})"
        )


def measure(
    train: Split,
    dev: Split,
    test: Split,
    num_labels: int,
    classes: tuple[str, ...] = (),
) -> Quality:
    """Measures the splits, none of them empty, of a task with classes 0..`num_labels` - 1."""
    splits = dict(zip(SPLITS, (train, dev, test), strict=True))
    known = {name: set(split.sequences) for name, split in splits.items()}
    other = {name: set(map(reverse_complement, known[name])) for name in SPLITS}
    return Quality(
        {name: _measure(s, num_labels, known[name], other[name]) for name, s in splits.items()},
        {(a, b): _share(known[a], other[a], known[b]) for a, b in combinations(SPLITS, 2)},
        len(conflicting(*splits.values())),
        classes=classes,
    )


def _measure(split: Split, num_labels: int, known: set[str], other: set[str]) -> SplitQuality:
    labels = np.asarray(split.labels)
    lengths = [len(sequence) for sequence in split.sequences]
    gc = gc_content(split.sequences)
    by_class = [gc[labels == label] for label in range(num_labels)]
    palindromes = sum(sequence == reverse_complement(sequence) for sequence in known & other)
    return SplitQuality(
        rows=len(split),
        class_rows=tuple(map(len, by_class)),
        gc_mean=tuple(_finite_mean(values) for values in by_class),
        gc_sd=tuple(_finite_sd(values) for values in by_class),
        bases=(min(lengths), float(np.median(lengths)), max(lengths)),
        copies=len(split) - len(known),
        reverse_copies=(len(known & other) - palindromes) // 2,
        conflicts=len(conflicting(split)),
    )


def _share(one: set[str], one_reversed: set[str], other: set[str]) -> SharedRows:
    return SharedRows(len(one & other), len((one_reversed & other) - one))


def conflicting(*splits: Split) -> set[str]:
    """Returns the sequences with different labels; strands are not compared."""
    labels: dict[str, int] = {}
    return {
        sequence
        for split in splits
        for sequence, label in zip(split.sequences, split.labels, strict=True)
        if labels.setdefault(sequence, label) != label
    }


def gc_content(sequences: Sequence[str]) -> Float[np.ndarray, " rows"]:
    """Returns the fraction of G and C among A, C, G and T of each sequence; NaN if all are N."""
    strong = np.array([s.count("G") + s.count("C") for s in sequences], float)
    weak = np.array([s.count("A") + s.count("T") for s in sequences], float)
    known = np.where(strong + weak > 0, strong + weak, np.nan)
    gc: Float[np.ndarray, " rows"] = strong / known
    return gc


def _finite_mean(values: Float[np.ndarray, " rows"]) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else float("nan")


def _finite_sd(values: Float[np.ndarray, " rows"]) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.std()) if len(finite) else float("nan")


def dropped_line(dropped: dict[str, int]) -> str:
    """Returns a line with the number of rows removed from train, by reason."""
    reasons = ", ".join(f"{count} {reason}" for reason, count in dropped.items())
    return f"dropped from train: {sum(dropped.values())} rows ({reasons})"


def _line(name: str, split: SplitQuality, classes: Sequence[str]) -> str:
    shortest, median, longest = split.bases
    bases = f"{longest}" if shortest == longest else f"{shortest} to {longest} (median {median:g})"
    counts = {
        "copies": split.copies,
        "on both strands": split.reverse_copies,
        "with different labels": split.conflicts,
    }
    problems = "".join(f", {what}: {count}" for what, count in counts.items() if count)
    shares = "" if _are_many(split) else "".join(_shares(split, classes))
    return f"{name}: {split.rows:,} sequences of {bases} bases{shares}{problems}"


def _are_many(split: SplitQuality) -> bool:
    return len(split.class_rows) > MOST_IN_A_LINE


def _shares(split: SplitQuality, classes: Sequence[str]) -> Iterator[str]:
    for label, rows in enumerate(split.class_rows):
        yield f", class {class_name(label, classes)} {rows / split.rows:.1%}{_gc(split, label)}"


def _gc(split: SplitQuality, label: int) -> str:
    known = split.class_rows[label]
    return f" (GC {split.gc_mean[label]:.2f} ± {split.gc_sd[label]:.2f})" if known else ""
