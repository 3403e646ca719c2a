"""Tables of text cells with a schema: csv files are read and checked, others only checked.

A schema is a list of columns, each with the rules of its cells. A cell that breaks a rule is
reported with its file, its line (from 1, the header is line 1), and the other lines that break
the same rule.
"""

import csv
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
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
    """A column of a table."""

    name: str
    rules: tuple[Rule, ...] = ()
    fix: str = ""
    """What a user can do if the column is missing."""
    required: bool = True


@dataclass(frozen=True)
class Table:
    """All columns, cell by cell; row i ends on line `lines[i]` of the file."""

    path: Path
    lines: list[int]
    cells: dict[str, list[str]]
    unit: str = "line"
    """What `lines` count: "row" where the file has no lines."""

    def rows(self) -> Iterator[tuple[str, dict[str, str]]]:
        """Yields the place of every row, `file:line`, and its cells by column."""
        for row, line in enumerate(self.lines):
            cells = {name: column[row] for name, column in self.cells.items()}
            yield f"{self.path}:{line}", cells


def read_csv(path: Path, schema: Sequence[Column]) -> Table:
    """Reads a comma-separated UTF-8 file with a header, and checks the columns of `schema`.

    A byte-order mark, blank lines and spaces around cells are ignored. Of other columns with the
    same name the table has the first.

    Raises:
        InputError: the file is unreadable, not UTF-8, not csv, empty, has rows of different
            lengths, lacks a column, or breaks a rule.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header, lines, rows = _parse(path, file)
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise InputError(
            f"{path}: must be UTF-8 text, but got byte {byte:#04x}; save it as UTF-8"
        ) from error
    except OSError as error:
        raise InputError(
            f"{path}: must be a readable file, but got: {error.strerror}; check its path and "
            "permissions"
        ) from error
    for column in schema:
        times = header.count(column.name)
        if times > 1:
            raise InputError(
                f"{path}:1: column {column.name!r} must be in the header once, but got it {times} "
                "times; rename one"
            )
    check_columns(f"{path}:1", header, schema)
    uneven = [line for line, row in zip(lines, rows, strict=True) if len(row) != len(header)]
    if uneven:
        raise InputError(
            f"{path}:{uneven[0]}: every row must have the header's {len(header)} fields, but got "
            f"other numbers in {numbered(uneven)}; correct commas and quotes"
        )
    if not rows:
        raise InputError(f"{path}: must have rows below the header, but got none; add some")
    places = {name: header.index(name) for name in header}
    cells = {name: [row[place].strip() for row in rows] for name, place in places.items()}
    table = Table(path, lines, cells)
    check(table, schema)
    return table


def check_columns(where: str, names: Sequence[str], schema: Iterable[Column]) -> None:
    """Checks that a table has all required columns.

    Raises:
        InputError: columns are missing; names all of them.
    """
    missing = [column for column in schema if column.required and column.name not in names]
    if not missing:
        return
    fix = "; ".join(dict.fromkeys(column.fix for column in missing))
    if len(names) == 1 and any(mark in names[0] for mark in "\t;"):
        fix = "separate the columns by commas"
    lacking = ", ".join(repr(column.name) for column in missing)
    raise InputError(
        f"{where}: must have {'a column' if len(missing) == 1 else 'the columns'} {lacking}, but "
        f"got {listed(names)}; {fix}"
    )


def check(table: Table, schema: Iterable[Column]) -> None:
    """Checks the cells of every column, rule by rule; optional columns may be missing.

    Raises:
        InputError: the first rule that is broken; names the first cell and all lines.
    """
    for column in schema:
        for rule in column.rules:
            faults = [rule.fault(cell) for cell in table.cells.get(column.name, ())]
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
        raise InputError(f"{path}: must have a header and rows, but got an empty file; add them")
    return header, lines, rows


def not_empty(name: str) -> Rule:
    """Returns the rule that a cell has text."""
    return Rule(f"{name} must not be empty", lambda cell: None if cell else "", "fill it in")


def one_of(name: str, values: Sequence[str]) -> Rule:
    """Returns the rule that a cell has one of these texts."""
    text = f"{name} must be one of {', '.join(values)}"
    return Rule(text, lambda cell: None if cell in values else cell, "correct it")


def number(name: str, low: float = -math.inf, high: float = math.inf) -> Rule:
    """Returns the rule that a cell is empty, not finite, or a number in [low, high].

    Numbers outside by less than 1e-6 are allowed, for scores rounded in float32.
    """

    def fault(cell: str) -> str | None:
        try:
            value = finite(cell)
        except ValueError:
            return cell
        return None if value is None or low - 1e-6 <= value <= high + 1e-6 else cell

    limits = f" from {low:g} to {high:g}" if high < math.inf else f" >= {low:g}"
    text = f"{name} must be a number{limits if low > -math.inf else ''} or empty"
    return Rule(text, fault, "correct it")


def whole_number(name: str, highest: int) -> Rule:
    """Returns the rule that a cell is empty or a whole number from 0 to `highest`."""
    digits = len(str(highest))  # int() is slow for thousands of digits

    def fault(cell: str) -> str | None:
        if not cell or (cell.isdecimal() and len(cell) <= digits and int(cell) <= highest):
            return None
        return cell

    text = f"{name} must be a whole number from 0 to {highest} or empty"
    return Rule(text, fault, "correct it")


def finite(cell: str) -> float | None:
    """Returns the number of a cell; None if it is empty or not finite.

    Raises:
        ValueError: it is not a number.
    """
    value = float(cell or "nan")
    return value if math.isfinite(value) else None


def listed(names: Sequence[str]) -> str:
    """Returns names joined by commas, at most ten of them."""
    return ", ".join(names[:10]) + (", .." if len(names) > 10 else "")


def numbered(lines: Sequence[int], unit: str = "line") -> str:
    """Returns the first few line or row numbers, and how many more there are."""
    shown = ", ".join(map(str, lines[:MAX_LISTED]))
    more = f" and {len(lines) - MAX_LISTED} more" if len(lines) > MAX_LISTED else ""
    return f"{unit}{'s' if len(lines) > 1 else ''} {shown}{more}"
