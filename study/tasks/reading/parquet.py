"""One parquet file as a checked table; read by `datasets`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from study.csv_table import Column, Table, check, check_columns, listed
from study.errors import InputError

TASK_COLUMN = "task"
_BATCH = 10_000
"""Rows that are converted at once; the default, the size of the first row group, may be 0."""


def read_parquet(path: Path, schema: Sequence[Column], task: str | None = None) -> Table:
    """Reads the columns of `schema` from a parquet file, and checks them.

    If `task` is given and there is a task column, only the rows of that task are read.

    Raises:
        InputError: the file is unreadable, lacks a column, has no row of the task, or breaks a
            rule.
    """
    columns = _columns(path, schema, task)
    tasks = columns.pop(TASK_COLUMN, None) if task is not None else None
    count = len(columns[schema[0].name])
    rows = range(count) if tasks is None else [r for r in range(count) if tasks[r] == task]
    if not rows:
        if not count:
            raise InputError(f"{path}: must have rows, but got none; add some")
        raise InputError(
            f"{path}: column {TASK_COLUMN!r} must name {task} in some rows, but got "
            f"{listed(sorted(set(map(str, tasks or ()))))}; correct task.name or task.path"
        )
    cells = {name: [_text(values[row]) for row in rows] for name, values in columns.items()}
    table = Table(path, [row + 1 for row in rows], cells, unit="row")
    check(table, schema)
    return table


def parquet_parts(path: Path, schema: Sequence[Column], size: int) -> Iterator[Table]:
    """Yields a file in tables of at most `size` rows, with the columns of `schema` that it has.

    Raises:
        InputError: as `read_parquet`.
    """
    import pyarrow
    from pyarrow.parquet import ParquetFile

    first = 1
    try:
        with ParquetFile(path) as file:
            names = file.schema_arrow.names
            check_columns(str(path), names, schema)
            wanted = [column.name for column in schema if column.name in names]
            for batch in file.iter_batches(size, columns=wanted):
                batch.validate(full=True)  # Also that texts are UTF-8.
                cells = {
                    name: [_text(value) for value in batch.column(name).to_pylist()]
                    for name in wanted
                }
                table = Table(path, list(range(first, first + len(batch))), cells, unit="row")
                check(table, schema)
                first += len(batch)
                if len(batch):
                    yield table
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        raise _unreadable(path, error) from error
    if first == 1:
        raise InputError(f"{path}: must have rows, but got none; add some")


def _unreadable(path: Path, error: Exception) -> InputError:
    text = next(iter(str(error.__cause__ or error).splitlines()), type(error).__name__)
    return InputError(
        f"{path}: must be a readable parquet file, but got: {text}; copy or download it again"
    )


def _columns(path: Path, schema: Sequence[Column], task: str | None) -> dict[str, list[Any]]:
    """Returns the columns of the schema that the file has, and its task column if asked for."""
    # Imported here, as a study on generated data does without them.
    import datasets
    import pyarrow
    from pyarrow.parquet import read_schema

    datasets.disable_progress_bars()
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)  # errors are raised too
    try:
        names = read_schema(path).names
        check_columns(str(path), names, schema)
        wanted = [column.name for column in schema if column.name in names]
        if task is not None and TASK_COLUMN in names and TASK_COLUMN not in wanted:
            wanted.append(TASK_COLUMN)
        # Its copy of the data as Arrow files is not kept: the parquet file is on this disk.
        with TemporaryDirectory() as folder:
            data = datasets.Dataset.from_parquet(
                str(path), columns=wanted, keep_in_memory=True, cache_dir=folder, batch_size=_BATCH
            )
            data.data.table.validate(full=True)  # Also that texts are UTF-8.
            return {name: data.data.column(name).to_pylist() for name in wanted}
    except (
        OSError,
        ValueError,
        pyarrow.ArrowException,
        datasets.exceptions.DatasetGenerationError,
    ) as error:
        if "corresponds to no data" in str(error):
            return {name: [] for name in wanted}
        raise _unreadable(path, error) from error


def _text(value: object) -> str:
    """Returns a value as a csv file would have it; an empty cell where it is missing."""
    return "" if value is None or value != value else str(value).strip()
