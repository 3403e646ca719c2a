"""FASTA as a table: labels from its headers, or from a table beside it.

A header is `>` and fields, separated by spaces, `|`, `;` or commas. A field `key=value` is a
column; the first word is the name of the sequence.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from study.csv_table import (
    MAX_NAME,
    Column,
    Table,
    check,
    check_columns,
    decoded,
    listed,
    not_empty,
    opened,
    read_csv,
)
from study.errors import InputError
from study.tasks.labels import NUMBER

if TYPE_CHECKING:
    from study.spec.task import ColumnsSpec

ENDINGS = (".fa", ".fasta", ".fna")
_SEPARATORS = re.compile(r"[\s|;,]+")
_TABLES = ("csv", "tsv", "csv.gz", "tsv.gz")
LABELS = "labels"
"""The name, without its ending, of a table with the labels of all files of a folder."""


def is_fasta(file: Path) -> bool:
    """Returns whether the file's name says that it is FASTA."""
    return file.name.lower().removesuffix(".gz").endswith(ENDINGS)


def read_fasta(path: Path, names: ColumnsSpec, schema: Sequence[Column]) -> Table:
    """Reads a FASTA file, also compressed by gzip, and checks the schema's columns.

    The label of a sequence is the field `label=..` of its header, by the name in `names`; or the
    group of a regular expression, if the name has a parenthesis; or the last field, if that is a
    whole number in all headers. Required columns that headers lack are taken, by the name of the
    sequence, from a table of the file's name beside it, or from `labels.csv` there.

    Raises:
        InputError: the file is not FASTA or unreadable, required columns are missing, or a cell
            breaks a rule.
    """
    [(lines, headers, sequences)] = _records(path, sys.maxsize)
    ids = [(header.split() or [str(row)])[0] for row, header in enumerate(headers, start=1)]
    cells = _fields(headers) | {names.id: ids, names.sequence: sequences}
    label = _labels(headers, names.label)
    if label is not None and names.label not in cells:
        cells[names.label] = label
    required = {column.name for column in schema if column.required}
    beside = next(_beside(path), None)
    if beside is not None and not required <= cells.keys():
        cells |= _from_table(beside, path, ids, names)
    if names.label in required - cells.keys():
        raise _unlabelled(path, names, lines, headers)
    check_columns(str(path), list(cells), schema)
    table = Table(path, lines, cells)
    check(table, schema)
    return table


def fasta_parts(
    path: Path, names: ColumnsSpec, schema: Sequence[Column], size: int
) -> Iterator[Table]:
    """Yields a file in tables of at most `size` sequences; labels are those of its headers.

    Raises:
        InputError: the file is not FASTA or unreadable, or a cell breaks a rule.
    """
    first = 1
    for lines, headers, sequences in _records(path, size):
        ids = [(header.split() or [str(row)])[0] for row, header in enumerate(headers, first)]
        cells = _fields(headers) | {names.id: ids, names.sequence: sequences}
        label = _labels(headers, names.label)
        if label is not None and names.label not in cells:
            cells[names.label] = label
        first += len(headers)
        table = Table(path, lines, cells)
        check(table, schema)
        yield table


def _records(path: Path, size: int) -> Iterator[tuple[list[int], list[str], list[str]]]:
    """Yields the line of each header, its text, and the sequence below it; `size` at a time."""
    lines: list[int] = []
    headers: list[str] = []
    parts: list[list[str]] = []
    with opened(path) as file:
        for number, line in enumerate(file, start=1):
            text = line.strip()
            if text.startswith(">"):
                if len(headers) == size:
                    yield lines, headers, ["".join(part) for part in parts]
                    lines, headers, parts = [], [], []
                lines.append(number)
                headers.append(decoded(text[1:].strip()))
                parts.append([])
            elif parts:
                parts[-1].append(text)
            elif text:
                is_fastq = text.startswith("@")
                fix = "convert FASTQ to FASTA" if is_fastq else "name tables .csv or .tsv"
                raise InputError(
                    f"{path}:{number}: FASTA must begin with > and a name, but got "
                    f"{_shown(decoded(text))}; {fix}"
                )
    if not headers:
        raise InputError(f"{path}: must have sequences, but got an empty file; add some")
    yield lines, headers, ["".join(part) for part in parts]


def _fields(headers: Sequence[str]) -> dict[str, list[str]]:
    """Returns the fields `key=value` as columns; a cell is empty where a header lacks the key."""
    found = [dict(_pairs(header)) for header in headers]
    keys = dict.fromkeys(key for pairs in found for key in pairs)
    return {key: [pairs.get(key, "") for pairs in found] for key in keys}


def _pairs(header: str) -> Iterator[tuple[str, str]]:
    for field in _SEPARATORS.split(header):
        key, equals, value = field.partition("=")
        if key and equals:
            yield key, value


def _labels(headers: Sequence[str], name: str) -> list[str] | None:
    """Returns the labels by a regular expression, or the numbers at the end of all headers."""
    if "(" in name:
        pattern = _pattern(name)
        found = [pattern.search(header) for header in headers]
        return [match[1] or "" if match else "" for match in found] if any(found) else None
    fields = [_SEPARATORS.split(header) for header in headers]
    last = [parts[-1] if len(parts) > 1 else "" for parts in fields]
    return last if all(map(NUMBER.fullmatch, last)) else None


def _pattern(text: str) -> re.Pattern[str]:
    where = "task.columns.label: must be a key or a regular expression with one group"
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise InputError(f"{where}, but got {_shown(text)}: {error}; correct it") from error
    if pattern.groups != 1:
        raise InputError(f"{where}, but got {_shown(text)} with {pattern.groups}; correct it")
    return pattern


def _beside(path: Path) -> Iterator[Path]:
    """Yields the tables that may have columns for a FASTA file."""
    stem = path.name
    for ending in (".gz", *ENDINGS):
        stem = stem[: -len(ending)] if stem.lower().endswith(ending) else stem
    for name in (stem, LABELS):
        for ending in _TABLES:
            if (table := path.with_name(f"{name}.{ending}")).is_file():
                yield table


def _from_table(
    beside: Path, fasta: Path, ids: Sequence[str], names: ColumnsSpec
) -> dict[str, list[str]]:
    """Returns the columns of a table beside a FASTA file, in the order of its sequences."""
    fix = f"name the column of {fasta.name}'s names in the first line, or set task.columns.id"
    table = read_csv(beside, [Column(names.id, (not_empty(names.id),), fix)])
    keys = table.cells[names.id]
    for file, what, given in ((beside, "row", keys), (fasta, "sequence", ids)):
        if twice := [key for key, times in Counter(given).items() if times > 1]:
            raise InputError(
                f"{file}: each name must have one {what}, but got more for {listed(twice)}; "
                "correct them"
            )
    rows = {key: row for row, key in enumerate(keys)}
    missing = [key for key in ids if key not in rows]
    if missing:
        raise InputError(
            f"{beside}: must have a row for each sequence of {fasta.name}, but got none for "
            f"{len(missing)} of {len(ids)}: {listed(missing)}; add them"
        )
    chosen = [rows[key] for key in ids]
    return {
        name: [column[row] for row in chosen]
        for name, column in table.cells.items()
        if name not in (names.id, names.sequence)
    }


def _unlabelled(
    path: Path, names: ColumnsSpec, lines: Sequence[int], headers: Sequence[str]
) -> InputError:
    stem = path.name.partition(".")[0]
    examples = " and ".join(_shown(f">{header}") for header in headers[:2])
    key = "label" if "(" in names.label else names.label
    return InputError(
        f"{path}:{lines[0]}: sequences must have labels, in headers as `>name {key}=1` or "
        f"`>name|1`, but got {examples}; add them, write a table {stem}.csv with the columns "
        f"{names.id},{key} beside it, or set task.columns.label to a regular expression for "
        "headers, whose group is the label"
    )


def _shown(text: str) -> str:
    return repr(text if len(text) <= MAX_NAME else text[:MAX_NAME] + "..")
