"""One file of sequences in any format, as rows that are checked and read as DNA."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING

from study.csv_table import Column, Table, csv_parts, read_csv
from study.tasks.reading.columns import columns_of
from study.tasks.reading.fasta import fasta_parts, is_fasta, read_fasta
from study.tasks.reading.letters import as_dna
from study.tasks.reading.parquet import parquet_parts, read_parquet

if TYPE_CHECKING:
    from study.spec.task import ColumnsSpec

FORMATS = "csv, tsv, fa, fasta or fna, each also as .gz, or parquet"


@dataclass(frozen=True)
class Sequences:
    """The rows of one file, in its order."""

    table: Table
    """All columns as texts; of parquet those that were asked for."""
    sequences: list[str]
    """Over A, C, G, T and N in upper case."""
    ids: list[str]
    """Names in FASTA, or the cells of the column `id`; else the numbers of the rows, from 1."""
    labels: list[str] | None
    """As they are written; None if the file has none."""
    rna: list[bool]
    """Whether U was read as T."""

    def where(self, chosen: Iterable[bool]) -> Sequences:
        """Returns the chosen rows in their order; `chosen` has one entry per row."""
        chosen = list(chosen)
        return Sequences(
            self.table.where(chosen),
            list(compress(self.sequences, chosen)),
            list(compress(self.ids, chosen)),
            None if self.labels is None else list(compress(self.labels, chosen)),
            list(compress(self.rna, chosen)),
        )


def read_sequences(
    file: Path, names: ColumnsSpec, more: Sequence[Column] = (), labelled: bool = True
) -> Sequences:
    """Reads a file whose ending says whether it is FASTA or parquet; others are csv.

    Args:
        file: a FASTA file takes labels that its headers lack from a table beside it.
        names: what the columns are called.
        more: further columns to check; the table has all others too, unless it is parquet.
        labelled: whether every row must have a label. Without, labels are read if they are there.

    Raises:
        InputError: it cannot be read, a column is missing, or a cell breaks a rule.
    """
    schema = [*columns_of(names, labelled), *more]
    return of_table(_read(file, names, schema), names)


def read_parts(file: Path, names: ColumnsSpec, size: int, fix: str) -> Iterator[Sequences]:
    """Yields a file of any length in parts of at most `size` rows, with labels if it has them.

    Rows without an `id` have their numbers in the file, from 1. `fix` says what to do if there is
    no column of sequences.

    Raises:
        InputError: as `read_sequences`, when the part is read.
    """
    columns = columns_of(names, labelled=False)
    schema = [*(replace(one, fix=fix) for one in columns), Column(names.id, required=False)]
    if is_fasta(file):
        parts = fasta_parts(file, names, schema, size)
    elif file.name.lower().endswith(".parquet"):
        parts = parquet_parts(file, schema, size)
    else:
        parts = csv_parts(file, schema, size)
    first = 1
    for table in parts:
        part = of_table(table, names, first)
        first += len(part.sequences)
        yield part


def _read(file: Path, names: ColumnsSpec, schema: Sequence[Column]) -> Table:
    if is_fasta(file):
        return read_fasta(file, names, schema)
    if file.name.lower().endswith(".parquet"):
        return read_parquet(file, [*schema, Column(names.id, required=False)])
    return read_csv(file, schema)


def of_table(table: Table, names: ColumnsSpec, first: int = 1) -> Sequences:
    """Returns the rows of a checked table, whose first row has the number `first` in its file.

    Raises:
        InputError: a sequence has letters that are not understood.
    """
    sequences, rna = as_dna(table, names.sequence)
    cells = table.cells | {names.sequence: sequences}
    rows = [str(row) for row in range(first, first + len(sequences))]
    ids, labels = cells.get(names.id, rows), cells.get(names.label)
    return Sequences(replace(table, cells=cells), sequences, ids, labels, rna)
