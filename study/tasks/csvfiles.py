"""csv files of labelled sequences: a folder with one file a split, or one file for all.

Columns are found by name, others are ignored, and every complaint names the file, the lines
(as an editor counts them, header = 1), the rule, what was found and the fix.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from study.errors import InputError
from study.tasks.split import SPLITS, Split

LETTERS = b"ACGTN"
LABEL = re.compile(r"[0-9]{1,6}")
SPLIT_NAMES = {name: name for name in SPLITS} | {
    "validation": "dev", "valid": "dev", "val": "dev", "development": "dev",
}  # fmt: skip
SHOWN = 5
"""How many lines a message names before it only counts the rest."""


@dataclass(frozen=True)
class Columns:
    """The header names to look for; `split` concerns single files alone."""

    sequence: str
    label: str
    split: str

    def in_every_file(self) -> dict[str, str]:
        """The two columns that no file may lack, and what to do if one does."""
        return {
            self.sequence: "rename a column or set task.sequence_column",
            self.label: "rename a column or set task.label_column",
        }


@dataclass(frozen=True)
class Table:
    """The wanted columns of one file; row i ends on line `lines[i]` of a csv (header = 1)."""

    path: Path
    lines: list[int]
    values: dict[str, list[str]]
    unit: str = "line"
    """What `lines` count: "row" where the file has no lines."""


def read_folder(folder: Path, columns: Columns) -> tuple[Split, Split, Split]:
    """Reads train.csv, dev.csv and test.csv of `folder`.

    Raises:
        InputError: one of the three is missing, or breaks a rule of `read_single`.
    """
    files = [folder / f"{name}.csv" for name in SPLITS]
    missing = [file.name for file in files if not file.exists()]
    if missing:
        found = sorted(file.name for file in folder.glob("*.csv"))
        raise InputError(
            f"{folder}: must hold train.csv, dev.csv and test.csv, but {listed(missing)} is"
            f" missing (csv files found: {listed(found) or 'none'});"
            f" {_missing_fix(missing, found)}"
        )
    train, dev, test = (
        to_split(read_table(file, columns.in_every_file()), columns) for file in files
    )
    return train, dev, test


def _missing_fix(missing: Sequence[str], found: Sequence[str]) -> str:
    other = [name for name in found if SPLIT_NAMES.get(name[:-4].lower()) == "dev"]
    if missing == ["dev.csv"] and other:
        return f"rename {other[0]} to dev.csv"
    if missing == ["dev.csv"]:
        return "move a random tenth of train.csv's rows into dev.csv (test.csv must stay unseen)"
    return "add it, or give a single csv with a split column"


def read_single(path: Path, columns: Columns) -> tuple[Split, Split, Split]:
    """Reads one csv whose split column says train, dev (or validation, valid, val) or test.

    Raises:
        InputError: unreadable, not UTF-8, empty, ragged, without the columns or one of the
            splits; or a row with an empty sequence, letters other than A C G T N, a label
            that is not a whole number, or an unknown split.
    """
    split_fix = "set task.split_column, or give the folder with train.csv, dev.csv and test.csv"
    table = read_table(path, columns.in_every_file() | {columns.split: split_fix})
    names = [SPLIT_NAMES.get(value.lower(), "") for value in table.values[columns.split]]
    _refuse(
        table,
        [row for row, name in enumerate(names) if not name],
        f"{columns.split} must be train, dev or test",
        table.values[columns.split],
        "correct them",
    )
    absent = [name for name in SPLITS if name not in names]
    if absent:
        raise InputError(
            f"{path}: column {columns.split} must name train, dev and test,"
            f" but no row says {listed(absent)}; mark some rows so"
        )
    whole = to_split(table, columns)
    train, dev, test = (whole.where(name == wanted for name in names) for wanted in SPLITS)
    return train, dev, test


def to_split(table: Table, columns: Columns) -> Split:
    """The sequences and labels of a table, in upper case and as numbers.

    Raises:
        InputError: a row with an empty sequence, letters other than A C G T N, or a label that
            is not a whole number.
    """
    sequences = [value.upper() for value in table.values[columns.sequence]]
    labels = table.values[columns.label]
    _refuse_sequences(table, sequences)
    _refuse(
        table,
        [row for row, label in enumerate(labels) if not LABEL.fullmatch(label)],
        f"{columns.label} must be a whole number 0, 1, ..",
        labels,
        "number the classes from 0",
    )
    return Split(sequences, [int(label) for label in labels])


def _refuse_sequences(table: Table, sequences: Sequence[str]) -> None:
    empty = [row for row, sequence in enumerate(sequences) if not sequence]
    _refuse(table, empty, "a sequence must not be empty", sequences, "remove these rows")
    strange = {}
    for row, sequence in enumerate(sequences):
        rest = sequence.encode("ascii", "replace").translate(None, LETTERS)
        if rest:
            strange[row] = "".join(sorted(set(sequence) - set(LETTERS.decode())))
    _refuse(
        table,
        list(strange),
        "a sequence must consist of A, C, G, T and N",
        strange,
        "write N for ambiguous bases and T for U, or remove these rows",
    )


def _refuse(
    table: Table,
    rows: Sequence[int],
    rule: str,
    found: Sequence[str] | Mapping[int, str],
    fix: str,
) -> None:
    """Raises InputError over `rows`, if any; `found` holds what stands in each row."""
    if not rows:
        return
    first = found[rows[0]]
    shown = first if len(first) <= 20 else first[:20] + ".."
    lines = listed_lines([table.lines[row] for row in rows], table.unit)
    raise InputError(
        f"{table.path}:{table.lines[rows[0]]}: {rule}, but found {shown!r}; {fix} ({lines})"
    )


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
