"""One parquet file of a published task as a checked table; read by `datasets`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from study.csv_table import Column, Table, check, check_columns, listed
from study.errors import InputError

TASK_COLUMN = "task"
_BATCH = 10_000
"""Rows that are converted at once; the default, the size of the first row group, may be 0."""


def read_parquet(path: Path, schema: Sequence[Column], task: str) -> Table:
    """Reads the columns of `schema` from the rows of `task`; from all if there is no task column.

    Raises:
        InputError: the file is unreadable, lacks a column, has no row of the task, or breaks a
            rule.
    """
    columns = _columns(path)
    check_columns(str(path), list(columns), schema)
    tasks = columns.get(TASK_COLUMN)
    rows = [row for row, name in enumerate(tasks or ()) if name == task]
    if tasks is None:
        rows = list(range(len(columns[schema[0].name])))
    elif not rows:
        raise InputError(
            f"{path}: column {TASK_COLUMN!r} must name {task} in some rows, but got "
            f"{listed(sorted(set(map(str, tasks))))}; correct task.name or task.path"
        )
    cells = {column.name: [_text(columns[column.name][row]) for row in rows] for column in schema}
    table = Table(path, [row + 1 for row in rows], cells, unit="row")
    check(table, schema)
    return table


def _columns(path: Path) -> Mapping[str, list[Any]]:
    """Returns all columns of a parquet file with at least one row."""
    # Imported here: it takes a second. Its copy of the data as Arrow files is not kept, since
    # the parquet file is in the hub's cache or in a folder of the user already.
    import datasets

    datasets.disable_progress_bars()
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)  # errors are raised too
    try:
        with TemporaryDirectory() as folder:
            data = datasets.Dataset.from_parquet(
                str(path), keep_in_memory=True, cache_dir=folder, batch_size=_BATCH
            )
            return data.to_dict()  # type: ignore[no-any-return]
    except (OSError, ValueError, datasets.exceptions.DatasetGenerationError) as error:
        if "corresponds to no data" in str(error):
            raise InputError(f"{path}: must have rows, but got none; add some") from error
        first = next(iter(str(error.__cause__ or error).splitlines()), type(error).__name__)
        raise InputError(
            f"{path}: must be a readable parquet file, but got: {first}; copy or download it again"
        ) from error


def _text(value: object) -> str:
    """Returns a value as a csv file would have it; an empty cell where it is missing."""
    return "" if value is None or value != value else str(value).strip()
