"""Draws dev and test splits from the rows of train, by shares and a seed."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import chain, compress

from study.errors import InputError
from study.tasks.labels import class_name
from study.tasks.split import Split, reverse_complement


def draw_splits(
    where: str, whole: Split, shares: Mapping[str, float], seed: int, classes: Sequence[str] = ()
) -> dict[str, Split]:
    """Returns the drawn splits, and what remains as `train`; rows keep their order.

    Of each class a split gets its share of the rows, and at least one. Rows with the same sequence
    or its reverse complement, which count as one class, are never separated, so that shares are
    exact up to the size of such groups. The draw depends on sequences, labels and seed, not on
    the order of the rows.

    Raises:
        InputError: a class has fewer groups than there are splits.
    """
    by_class: dict[int, list[list[int]]] = defaultdict(list)
    groups = _groups(whole)
    for key in sorted(groups, key=lambda key: hashlib.sha256(f"{seed} {key}".encode()).digest()):
        by_class[min(whole.labels[row] for row in groups[key])].append(groups[key])
    chosen = ["train"] * len(whole)
    for label, left in sorted(by_class.items()):
        if len(left) <= len(shares):
            raise InputError(
                f"{where}: each class must have {len(shares) + 1} different sequences or more, "
                f"but got {len(left)} of class {class_name(label, classes)}; join or remove rare "
                "classes, or name a split column in task.split.column"
            )
        total = sum(map(len, left))
        for place, (split, share) in enumerate(shares.items()):
            most = len(left) - (len(shares) - place)  # One is for train, one for each later split.
            taken, left = _take(left, max(1, round(share * total)), most)
            for row in chain.from_iterable(taken):
                chosen[row] = split
    return {name: whole.where(split == name for split in chosen) for name in ("train", *shares)}


def _groups(whole: Split) -> dict[str, list[int]]:
    """Returns the rows of each sequence; a sequence and its reverse complement are one."""
    groups: dict[str, list[int]] = defaultdict(list)
    for row, sequence in enumerate(whole.sequences):
        groups[min(sequence, reverse_complement(sequence))].append(row)
    return groups


def _take(
    groups: Sequence[list[int]], wanted: int, most: int
) -> tuple[list[list[int]], list[list[int]]]:
    """Returns the first groups that fit into `wanted` rows, at most `most`, and the others.

    If none fits, the smallest is taken.
    """
    taken = count = 0
    fits = []
    for rows in groups:
        fits.append(taken < most and count + len(rows) <= wanted)
        if fits[-1]:
            taken, count = taken + 1, count + len(rows)
    if not taken:
        fits[min(range(len(groups)), key=lambda place: len(groups[place]))] = True
    return list(compress(groups, fits)), list(compress(groups, [not fit for fit in fits]))
