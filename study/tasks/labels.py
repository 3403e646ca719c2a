"""Labels: whole numbers as they are, or names of classes, which are numbered in sorted order."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from study.csv_table import MAX_NAME, Column, Rule, Table, check, listed
from study.errors import InputError

NUMBER = re.compile(r"([0-9]{1,6})(\.0*)?")
"""A class as a number; programs that have missing values in a column write 1.0 for 1."""
MISSING = {"na", "n/a", "nan", "null"}
"""Texts that programs write for a missing value."""


def numbered_labels(
    tables: Mapping[str, Table], column: str
) -> tuple[dict[str, list[int]], tuple[str, ...]]:
    """Returns the labels of each split, and the names of the classes.

    If some label is a number, all must be whole numbers, and there are no names. Otherwise the
    names that occur in train have the numbers of their order as sorted texts.

    Raises:
        InputError: a label breaks a rule; a name of dev or test is not in train.
    """
    cells = {name: table.cells[column] for name, table in tables.items()}
    numeric = any(map(_is_number, {cell for part in cells.values() for cell in part}))
    names = () if numeric else tuple(sorted(set(cells["train"])))
    rules = (_whole(column),) if numeric else (_named(column), _of_train(column, names))
    for table in tables.values():
        check(table, [Column(column, rules)])
    if numeric:
        return {name: [_whole_number(cell) for cell in part] for name, part in cells.items()}, ()
    _check_case(tables["train"], column, names)
    number = {name: place for place, name in enumerate(names)}
    return {name: [number[cell] for cell in part] for name, part in cells.items()}, names


def class_name(label: int, names: Sequence[str]) -> str:
    """Returns the name of a class, or its number if the labels are numbers."""
    return names[label] if names else str(label)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return cell.lower() not in MISSING


def _whole_number(cell: str) -> int:
    return int(cell.partition(".")[0])


def _whole(column: str) -> Rule:
    return Rule(
        f"{column} must be a whole number 0, 1, .. where any label is a number",
        lambda cell: None if NUMBER.fullmatch(cell) else cell,
        "number the classes from 0, or name all of them in words",
    )


def _named(column: str) -> Rule:
    def fault(cell: str) -> str | None:
        missing = not cell or cell.lower() in MISSING
        odd = len(cell) > MAX_NAME or not cell.isprintable() or cell[:1] in ("[", "{")
        return cell if missing or odd else None

    rule = f"{column} must be one class in every row, by its number or name"
    return Rule(rule, fault, "fill it in, or remove these rows")


def _of_train(column: str, names: Iterable[str]) -> Rule:
    known = set(names)
    return Rule(
        f"{column} must be a label of train, {listed(sorted(known))}",
        lambda cell: None if cell in known else cell,
        "correct it, add rows of it to train, or remove these rows",
    )


def _check_case(train: Table, column: str, names: Sequence[str]) -> None:
    lower: dict[str, str] = {}
    for name in names:
        other = lower.setdefault(name.lower(), name)
        if other != name:
            raise InputError(
                f"{train.path}: {column} must name each class in one way, but got {other!r} and "
                f"{name!r}; correct one of them"
            )
