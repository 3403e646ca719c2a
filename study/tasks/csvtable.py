"""One csv file as columns of stripped text with line numbers."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from study.errors import InputError

SHOWN = 5
"""How many lines a message names before it only counts the rest."""


@dataclass(frozen=True)
class Table:
    """The wanted columns of one file; row i ends on line `lines[i]` of a csv (header = 1)."""

    path: Path
    lines: list[int]
    values: dict[str, list[str]]
    unit: str = "line"
    """What `lines` count: "row" where the file has no lines."""


def read_table(path: Path, wanted: Mapping[str, str]) -> Table:
    """The wanted columns of the comma-separated UTF-8 file `path`, a header in its first row.

    `wanted` maps each column's name to what a user can do when it is missing. A byte-order
    mark and blank lines are skipped, other columns ignored.

    Raises:
        InputError: the file is unreadable, not UTF-8, not csv, empty, ragged, or lacks one of
            the columns.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header, lines, rows = _parse(path, file)
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: must be UTF-8 text, but byte {error.object[error.start]:#04x} is not;"
            " save it as UTF-8"
        ) from error
    except OSError as error:
        raise InputError(f"{path}: must be a readable file, but: {error.strerror}") from error
    places = [_place(path, header, name, fix) for name, fix in wanted.items()]
    ragged = [line for line, row in zip(lines, rows, strict=True) if len(row) != len(header)]
    if ragged:
        raise InputError(
            f"{path}:{ragged[0]}: every row must have the header's {len(header)} fields, but"
            f" {len(ragged)} do{'es' if len(ragged) == 1 else ''} not; mend commas and quotes"
            f" ({listed_lines(ragged)})"
        )
    if not rows:
        raise InputError(f"{path}: must hold rows below the header, but has none; add some")
    columns = {
        name: [row[i].strip() for row in rows] for name, i in zip(wanted, places, strict=True)
    }
    return Table(path, lines, columns)


def _parse(path: Path, file: TextIO) -> tuple[list[str], list[int], list[list[str]]]:
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
            f"{path}:{reader.line_num}: must be valid csv, but: {error}; mend quotes and commas"
        ) from error
    if not header:
        raise InputError(f"{path}: must hold a header and rows, but is empty")
    return header, lines, rows


def _place(path: Path, header: Sequence[str], name: str, fix: str) -> int:
    if header.count(name) == 1:
        return header.index(name)
    if name in header:
        raise InputError(f"{path}:1: column {name!r} must stand once in the header; rename one")
    if len(header) == 1 and any(mark in header[0] for mark in "\t;"):
        fix = "separate the columns by commas"
    raise InputError(
        f"{path}:1: the header must name a column {name!r}, but names {listed(header)}; {fix}"
    )


def listed(names: Sequence[str]) -> str:
    """Names joined by commas, at most ten of them."""
    return ", ".join(names[:10]) + (", .." if len(names) > 10 else "")


def listed_lines(lines: Sequence[int], unit: str = "line") -> str:
    """The first few line or row numbers, and how many more there are."""
    shown = ", ".join(map(str, lines[:SHOWN]))
    more = f" and {len(lines) - SHOWN} more" if len(lines) > SHOWN else ""
    return f"{unit}{'s' if len(lines) > 1 else ''} {shown}{more}"
