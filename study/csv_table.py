"""Tables of text cells with a schema: csv files are read and checked, others only checked.

A schema is a list of columns, each with the rules of its cells. A cell that breaks a rule is
reported with its file, its line (from 1, the header is line 1), and the other lines that break
the same rule. Columns that are not in the schema are not judged.
"""

import csv
import gzip
import math
import re
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import compress, dropwhile
from pathlib import Path
from typing import TextIO

from study.errors import InputError

MAX_LISTED = 5
"""How many lines a message lists before it only counts the rest."""
MAX_CELL = 20
"""How many characters of a cell a message shows."""
MAX_NAME = 40
"""How many characters of a name in a list a message shows."""
SEPARATORS = ",\t;"
GZIP = b"\x1f\x8b"
"""The first bytes of a gzip file."""
_UNDECODED = re.compile("[\udc80-\udcff]")
"""Bytes that are not UTF-8, as Python reads them."""

csv.field_size_limit(2**31 - 1)  # The default, 131,072 characters, is less than a long sequence.


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

    def where(self, chosen: Iterable[bool]) -> "Table":
        """Returns the chosen rows in their order; `chosen` has one entry per row."""
        chosen = list(chosen)
        cells = {name: list(compress(column, chosen)) for name, column in self.cells.items()}
        return replace(self, lines=list(compress(self.lines, chosen)), cells=cells)

    def rows(self) -> Iterator[tuple[str, dict[str, str]]]:
        """Yields the place of every row, `file:line`, and its cells by column."""
        for row, line in enumerate(self.lines):
            cells = {name: column[row] for name, column in self.cells.items()}
            yield f"{self.path}:{line}", cells


def read_csv(path: Path, schema: Sequence[Column]) -> Table:
    """Reads a UTF-8 file with a header, also compressed by gzip, and checks the schema's columns.

    The separator is the comma, tab or semicolon that gives the header the most of the required
    columns. A byte-order mark, blank lines, spaces around cells and empty cells beyond the header
    are ignored. Of other columns with the same name the table has the first.

    Raises:
        InputError: the file is unreadable, not csv, empty, has rows of different lengths, lacks a
            column, or a column of the schema is not UTF-8 or breaks a rule.
    """
    [table] = csv_parts(path, schema, sys.maxsize)
    return table


def csv_parts(path: Path, schema: Sequence[Column], size: int) -> Iterator[Table]:
    """Yields a file as `read_csv` reads it in tables of at most `size` rows, none of them empty.

    Raises:
        InputError: as `read_csv`, when the part is read.
    """
    with opened(path) as file:
        separator = _separator(file, schema)
        file.seek(0)
        for header, lines, rows in _parse(path, file, separator, schema, size):
            yield _table(path, header, lines, rows, schema)


def _table(
    path: Path,
    header: Sequence[str],
    lines: list[int],
    rows: Sequence[Sequence[str]],
    schema: Sequence[Column],
) -> Table:
    """Returns the checked rows as a table."""
    uneven = [line for line, row in zip(lines, rows, strict=True) if len(row) != len(header)]
    if uneven:
        raise InputError(
            f"{path}:{uneven[0]}: every row must have the header's {len(header)} fields, but got "
            f"other numbers in {numbered(uneven)}; correct commas and quotes"
        )
    places = {name: header.index(name) for name in header}
    cells = {name: [row[place].strip() for row in rows] for name, place in places.items()}
    table = Table(path, lines, cells)
    fix = "save the file as UTF-8"
    utf8 = [Rule(f"{column.name} must be UTF-8 text", _undecoded, fix) for column in schema]
    check(table, [Column(c.name, (rule, *c.rules)) for c, rule in zip(schema, utf8, strict=True)])
    for name in cells.keys() - {column.name for column in schema}:
        cells[name] = list(map(decoded, cells[name]))
    return table


@contextmanager
def opened(path: Path) -> Iterator[TextIO]:
    """Opens a text file, compressed or not; bytes that are not UTF-8 become lone surrogates.

    Raises:
        InputError: the file cannot be opened, or not be read while it is open.
    """
    try:
        with path.open("rb") as file:
            opener = gzip.open if file.read(len(GZIP)) == GZIP else open
        with opener(
            path, "rt", encoding="utf-8-sig", errors="surrogateescape", newline=""
        ) as text:
            yield text
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            f"{path}: must be a readable file, but got: {reason}; check its path and permissions, "
            "or copy it again"
        ) from error


def has_column(path: Path, name: str) -> bool:
    """Returns whether the first line of a table names a column.

    Raises:
        InputError: the file is unreadable.
    """
    with opened(path) as file:
        line = next(dropwhile(lambda line: not line.strip(), file), "")
    return name in re.split(f"[{SEPARATORS}]", line.replace('"', "").strip())


def _separator(file: TextIO, schema: Sequence[Column]) -> str:
    """Returns the separator with the most required columns; of equals, with the most fields."""
    line = next(dropwhile(lambda line: not line.strip(), file), "")
    required = {column.name for column in schema if column.required}

    def found(separator: str) -> tuple[int, int]:
        names = [name.strip() for name in next(csv.reader([line], delimiter=separator), [])]
        return len(required.intersection(names)), len(names)

    return max(SEPARATORS, key=found)


def check_columns(where: str, names: Sequence[str], schema: Sequence[Column]) -> None:
    """Checks that a table has all required columns, and no column of the schema twice.

    Raises:
        InputError: columns are missing, with the names of all of them, or one is there twice.
    """
    for column in schema:
        if (times := names.count(column.name)) > 1:
            raise InputError(
                f"{where}: column {column.name!r} must be in the header once, but got it {times} "
                "times; rename one"
            )
    missing = [column for column in schema if column.required and column.name not in names]
    if not missing:
        return
    fix = "; ".join(dict.fromkeys(column.fix for column in missing))
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


def _parse(
    path: Path, file: TextIO, separator: str, schema: Sequence[Column], size: int
) -> Iterator[tuple[list[str], list[int], list[list[str]]]]:
    """Yields the checked header, the line of each row's end, and the rows; `size` rows a time."""
    reader = csv.reader(file, strict=True, delimiter=separator)
    header: list[str] = []
    lines: list[int] = []
    rows: list[list[str]] = []
    more = False
    try:
        for row in reader:
            if row and not header:
                header = _header(f"{path}:{reader.line_num}", row, schema)
            elif row:
                while len(row) > len(header) and not row[-1].strip():
                    row.pop()
                lines.append(reader.line_num)
                rows.append(row)
                if len(rows) == size:
                    yield header, lines, rows
                    lines, rows, more = [], [], True
    except csv.Error as error:
        raise InputError(
            f"{path}:{reader.line_num}: must be valid csv, but got: {error}; correct quotes and "
            "commas"
        ) from error
    if not header:
        raise InputError(f"{path}: must have a header and rows, but got an empty file; add them")
    if rows:
        yield header, lines, rows
    elif not more:
        raise InputError(f"{path}: must have rows below the header, but got none; add some")


def _header(where: str, row: Sequence[str], schema: Sequence[Column]) -> list[str]:
    """Returns the names of the columns, without empty ones at the end.

    A `#` before the first, as BED and VCF have it, is no part of its name.
    """
    names = [name.strip() for name in row]
    names[0] = names[0].removeprefix("#").strip() or names[0]
    while len(names) > 1 and not names[-1]:
        names.pop()
    byte = _undecoded("".join(names))
    if byte is not None and any(c.required and c.name not in names for c in schema):
        raise InputError(f"{where}: must be UTF-8 text, but got {byte}; save the file as UTF-8")
    names = list(map(decoded, names))
    required = [column.name for column in schema if column.required]
    words = re.split(r"\W+", names[0])
    if len(names) == 1 < len(required) and set(required) <= set(words):
        raise InputError(
            f"{where}: columns must be separated by a comma, a tab or a semicolon, but got "
            f"{listed(names)}; write one of these"
        )
    check_columns(where, names, schema)
    return names


def _undecoded(text: str) -> str | None:
    """Returns the first byte of a text that is not UTF-8, as `byte 0xe9`; None without one."""
    found = None if text.isascii() else _UNDECODED.search(text)
    return None if found is None else f"byte {ord(found[0]) - 0xDC00:#04x}"


def decoded(cell: str) -> str:
    """Returns a cell with bytes that are not UTF-8 written as `\\xe9`."""
    if cell.isascii():
        return cell
    return cell.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


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
    """Returns names joined by commas, at most ten of them, long ones cut."""
    shown = (name if len(name) <= MAX_NAME else name[:MAX_NAME] + ".." for name in names[:10])
    return ", ".join(shown) + (", .." if len(names) > 10 else "")


def numbered(lines: Sequence[int], unit: str = "line") -> str:
    """Returns the first few line or row numbers, and how many more there are."""
    shown = ", ".join(map(str, lines[:MAX_LISTED]))
    more = f" and {len(lines) - MAX_LISTED} more" if len(lines) > MAX_LISTED else ""
    return f"{unit}{'s' if len(lines) > 1 else ''} {shown}{more}"
