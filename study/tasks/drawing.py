"""Which rows of train become dev and test: by the values of a column, or by shares and a seed."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, compress
from typing import TYPE_CHECKING

from study.csv_table import listed
from study.errors import InputError
from study.tasks.assignment import Assignment, counted_values
from study.tasks.labels import class_name
from study.tasks.split import Split, reverse_complement

if TYPE_CHECKING:
    from study.spec.task import SplitSpec
    from study.tasks.reading.sequences import Sequences


def draw(
    where: str, spec: SplitSpec, rows: Sequences, whole: Split, classes: Sequence[str] = ()
) -> Assignment:
    """Returns the split of each row: train, or what `spec` makes of it.

    Rows with a value of `spec.column` that dev or test names are taken first. Shares are those of
    the rows that remain.

    Args:
        where: the setting, for messages.
        spec: values, shares, seed and group.
        rows: the rows of the file with their columns.
        whole: their sequences and classes.
        classes: names of the classes, for messages.

    Raises:
        InputError: a value does not occur, no row remains, or there are too few rows to draw from.
    """
    cells, splits = rows.table.cells, ["train"] * len(whole)
    values: dict[str, dict[str, int]] = {}
    groups: dict[str, int] = {}
    if spec.values and spec.column is not None:
        splits = by_values(where, spec.values, cells[spec.column], spec.column)
        values = counted_values(splits, cells[spec.column])
    if spec.shares:
        left = [row for row, split in enumerate(splits) if split == "train"]
        rest = whole.where(split == "train" for split in splits)
        if spec.group is None:
            drawn = by_shares(where, rest, spec.shares, spec.seed, classes)
        else:
            keys = [cells[spec.group][row] for row in left]
            drawn = by_groups(where, rest, spec.shares, spec.seed, keys, spec.group)
            groups = dict(Counter(split for _, split in set(zip(keys, drawn, strict=True))))
        for row, split in zip(left, drawn, strict=True):
            splits[row] = split
    return Assignment(splits, rows.ids, values, groups)


def by_values(
    where: str, values: Mapping[str, Sequence[str]], cells: Sequence[str], column: str
) -> list[str]:
    """Returns the split of each row by the cells of a column; train for other values.

    Raises:
        InputError: a value does not occur, or no other value does.
    """
    splits = {value: name for name, names in values.items() for value in names}
    present = Counter(cells)
    if missing := [value for value in splits if value not in present]:
        found = listed([value for value, _ in present.most_common()])
        raise InputError(
            f"{where}.{splits[missing[0]]}: must be values of column {column}, but got "
            f"{listed(missing)}, and the column has {found}; correct task.split"
        )
    if present.keys() <= splits.keys():
        raise InputError(
            f"{where}: must leave values of column {column} to train, but got all of them, "
            f"{listed(list(present))}; take some out of dev or test"
        )
    return [splits.get(cell, "train") for cell in cells]


def by_shares(
    where: str,
    whole: Split,
    shares: Mapping[str, float],
    seed: int | str,
    classes: Sequence[str] = (),
) -> list[str]:
    """Returns the split of each row; of each class a split gets its share, and at least one row.

    Rows with the same sequence or its reverse complement, which count as one class, are never
    separated, so that shares are exact up to the size of such groups. The draw depends on
    sequences, labels and seed, not on the order of the rows.

    Raises:
        InputError: a class has fewer groups than there are splits.
    """
    by_class: dict[int, list[list[int]]] = defaultdict(list)
    for rows in _in_drawn_order(_rows_by(map(_either_strand, whole.sequences)), seed):
        by_class[min(whole.labels[row] for row in rows)].append(rows)
    chosen = ["train"] * len(whole)
    for label, left in sorted(by_class.items()):
        if len(left) <= len(shares):
            raise InputError(
                f"{where}: each class must have {len(shares) + 1} different sequences or more, "
                f"but got {len(left)} of class {class_name(label, classes)}; join or remove rare "
                "classes, or name a split column in task.split.column"
            )
        _assign(chosen, left, shares)
    return chosen


def by_groups(
    where: str,
    whole: Split,
    shares: Mapping[str, float],
    seed: int | str,
    cells: Sequence[str],
    column: str,
) -> list[str]:
    """Returns the split of each row; rows with the same cell are in the same split.

    Groups that have a sequence in common, on either strand, are joined. Shares are approximated:
    a group is drawn as long as it fits, whatever its classes. The draw depends on the groups,
    their sequences and the seed, not on the order of the rows.

    Raises:
        InputError: there are fewer groups than splits.
    """
    groups = _joined_groups(cells, list(map(_either_strand, whole.sequences)))
    if len(groups) <= len(shares):
        raise InputError(
            f"{where}.group: column {column} must have {len(shares) + 1} groups or more that "
            f"share no sequence, but got {len(groups)}; choose another column"
        )
    chosen = ["train"] * len(whole)
    _assign(chosen, _in_drawn_order(groups, seed), shares)
    return chosen


def units_of(whole: Split, cells: Sequence[str] | None = None) -> list[int]:
    """Returns for each row the first row of those from which it is never separated.

    `cells` are the groups; None: rows are drawn by shares.
    """
    keys = list(map(_either_strand, whole.sequences))
    together = _rows_by(keys) if cells is None else _joined_groups(cells, keys)
    first = [0] * len(whole)
    for rows in together.values():
        for row in rows:
            first[row] = rows[0]
    return first


def _assign(chosen: list[str], groups: list[list[int]], shares: Mapping[str, float]) -> None:
    """Writes into `chosen` the splits that get groups, in their order, up to their shares."""
    total = sum(map(len, groups))
    left = groups
    for place, (split, share) in enumerate(shares.items()):
        most = len(left) - (len(shares) - place)  # One is for train, one for each later split.
        taken, left = _take(left, max(1, round(share * total)), most)
        for row in chain.from_iterable(taken):
            chosen[row] = split


def _in_drawn_order(groups: Mapping[str, list[int]], seed: int | str) -> list[list[int]]:
    """Returns the rows of all groups in an order that depends on their keys and the seed."""
    keys = sorted(groups, key=lambda key: hashlib.sha256(f"{seed} {key}".encode()).digest())
    return [groups[key] for key in keys]


def _either_strand(sequence: str) -> str:
    return min(sequence, reverse_complement(sequence))


def _rows_by(keys: Iterable[str]) -> dict[str, list[int]]:
    """Returns the rows of each key."""
    rows: dict[str, list[int]] = defaultdict(list)
    for row, key in enumerate(keys):
        rows[key].append(row)
    return rows


def _joined_groups(cells: Sequence[str], sequences: Sequence[str]) -> dict[str, list[int]]:
    """Returns the rows of each group, by the smallest of the cells that were joined into it."""
    parent: dict[str, str] = {cell: cell for cell in cells}

    def root(cell: str) -> str:
        while parent[cell] != cell:
            parent[cell] = parent[parent[cell]]
            cell = parent[cell]
        return cell

    first: dict[str, str] = {}
    for cell, sequence in zip(cells, sequences, strict=True):
        one, two = root(cell), root(first.setdefault(sequence, cell))
        parent[max(one, two)] = min(one, two)
    return _rows_by(map(root, cells))


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
