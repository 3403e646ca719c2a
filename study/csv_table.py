"""Tables of text cells with a schema: csv files are read and checked, others only checked.

A schema is a list of columns, each with the rules of its cells. A cell that breaks a rule is
reported with its file, its line (from 1, the header is line 1), and the other lines that break
the same rule.
"""

import csv
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from study.errors import InputError

MAX_LISTED = 5
"""How many lines a message lists before it only counts the rest."""
MAX_CELL = 20
"""How many characters of a cell a message shows."""


@dataclass(frozen=True)
class Rule:
    """What every cell of a column must fulfil."""

    text: str
    """As a message states it: `label must be a whole number`."""
    fault: Callable[[str], str | None]
    """Returns the part of a cell that breaks the rule; None if the cell fulfils it."""
    fix: str


@dataclass(frozen=True)
class Column:
    """A column that a table must have."""

    name: str
    rules: tuple[Rule, ...]
    fix: str
    """What a user can do if the column is missing."""


@dataclass(frozen=True)
class Table:
    """The columns of a schema, cell by cell; row i ends on line `lines[i]` of the file."""

    path: Path
    lines: list[int]
    cells: dict[str, list[str]]
    unit: str = "line"
    """What `lines` count: "row" where the file has no lines."""


def read_csv(path: Path, schema: Sequence[Column]) -> Table:
    """Reads the columns of `schema` from a comma-separated UTF-8 file with a header.

    A byte-order mark, blank lines, spaces around cells and other columns are ignored.

    Raises:
        InputError: the file is unreadable, not UTF-8, not csv, empty, has rows of different
            lengths, lacks a column, or breaks a rule.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header, lines, rows = _parse(path, file)
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise InputError(f"{path}: must be UTF-8 text, but got byte {byte:#04x}") from error
    except OSError as error:
        raise InputError(f"{path}: must be a readable file, but got: {error.strerror}") from error
    places = {column.name: _place(path, header, column) for column in schema}
    uneven = [line for line, row in zip(lines, rows, strict=True) if len(row) != len(header)]
    if uneven:
        raise InputError(
            f"{path}:{uneven[0]}: every row must have the header's {len(header)} fields, but got "
            f"other numbers in {numbered(uneven)}; correct commas and quotes"
        )
    if not rows:
        raise InputError(f"{path}: must have rows below the header, but got none; add some")
    cells = {name: [row[place].strip() for row in rows] for name, place in places.items()}
    table = Table(path, lines, cells)
    check(table, schema)
    return table


def check(table: Table, schema: Iterable[Column]) -> None:
    """Checks the cells of every column, rule by rule.

    Raises:
        InputError: the first rule that is broken; names the first cell and all lines.
    """
    for column in schema:
        for rule in column.rules:
            faults = [rule.fault(cell) for cell in table.cells[column.name]]
            rows = [row for row, fault in enumerate(faults) if fault is not None]
            if rows:
                first = str(faults[rows[0]])
                shown = first if len(first) <= MAX_CELL else first[:MAX_CELL] + ".."
                lines = [table.lines[row] for row in rows]
                raise InputError(
                    f"{table.path}:{lines[0]}: {rule.text}, but got {shown!r} "
                    f"({numbered(lines, table.unit)}); {rule.fix}"
                )


def _parse(path: Path, file: TextIO) -> tuple[list[str], list[int], list[list[str]]]:
    """Returns the header, the line of each row's end, and the rows."""
    reader = csv.reader(file, strict=True)
    header: list[str] = []
    lines, rows = [], []
    try:
        for row in reader:
            if not header:
                header = [name.strip() for name in row]
            elif row:
                lines.append(reader.line_num)
                rows.append(row)
    except csv.Error as error:
        raise InputError(
            f"{path}:{reader.line_num}: must be valid csv, but got: {error}; correct quotes and "
            "commas"
        ) from error
    if not header:
        raise InputError(f"{path}: must have a header and rows, but got an empty file")
    return header, lines, rows


def _place(path: Path, header: Sequence[str], column: Column) -> int:
    name, fix = column.name, column.fix
    if header.count(name) == 1:
        return header.index(name)
    if name in header:
        text = f"column {name!r} must be in the header once, but got it {header.count(name)} times"
        raise InputError(f"{path}:1: {text}; rename one")
    if len(header) == 1 and any(mark in header[0] for mark in "\t;"):
        fix = "separate the columns by commas"
    raise InputError(
        f"{path}:1: the header must have a column {name!r}, but got {listed(header)}; {fix}"
    )


def listed(names: Sequence[str]) -> str:
    """Returns names joined by commas, at most ten of them."""
    return ", ".join(names[:10]) + (", .." if len(names) > 10 else "")


def numbered(lines: Sequence[int], unit: str = "line") -> str:
    """Returns the first few line or row numbers, and how many more there are."""
    shown = ", ".join(map(str, lines[:MAX_LISTED]))
    more = f" and {len(lines) - MAX_LISTED} more" if len(lines) > MAX_LISTED else ""
    return f"{unit}{'s' if len(lines) > 1 else ''} {shown}{more}"
