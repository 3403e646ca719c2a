"""One parquet file as the same table that a csv file becomes, with row numbers from 1."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from study.errors import InputError
from study.tasks.csvfiles import Table, listed

TASK_COLUMN = "task"


def read_parquet(path: Path, wanted: Mapping[str, str], task: str) -> Table:
    """The wanted columns of the rows of `task`; of all rows where there is no task column.

    `wanted` maps each column's name to what a user can do when it is missing.

    Raises:
        InputError: the file is unreadable, lacks a column, or has no row of the task.
    """
    import pandas  # reads parquet through pyarrow, which `datasets` brings

    try:
        frame = pandas.read_parquet(path)
    except (OSError, ValueError) as error:
        first = next(iter(str(error).splitlines()), type(error).__name__)
        raise InputError(f"{path}: must be a readable parquet file, but: {first}") from error
    for name, fix in wanted.items():
        if name not in frame.columns:
            has = listed(list(frame.columns))
            raise InputError(f"{path}: must have a column {name!r}, but has {has}; {fix}")
    frame.index = range(1, len(frame) + 1)
    if TASK_COLUMN in frame.columns:
        names = listed(sorted(map(str, frame[TASK_COLUMN].unique())))
        frame = frame[frame[TASK_COLUMN] == task]
        if frame.empty:
            raise InputError(
                f"{path}: column {TASK_COLUMN!r} must name {task} in some rows, but names"
                f" {names or 'nothing'}"
            )
    if frame.empty:
        raise InputError(f"{path}: must hold rows, but has none")
    values = {name: _texts(frame[name]) for name in wanted}
    return Table(path, frame.index.tolist(), values, unit="row")


def _texts(column: Any) -> list[str]:
    """The values as a csv file would give them; nothing where one is missing."""
    return [
        "" if missing else str(value).strip()
        for value, missing in zip(column, column.isna(), strict=True)
    ]
