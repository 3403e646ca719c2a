"""A user's own task: a folder with one csv file per split, or one csv file with a split column."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from study.csv_table import listed, read_csv
from study.errors import InputError
from study.tasks.columns import SPLIT_NAMES, columns_of, split_column, to_split
from study.tasks.split import SPLITS, Split

if TYPE_CHECKING:
    from study.spec import TaskSpec


def read_folder(folder: Path, task: TaskSpec) -> tuple[Split, Split, Split]:
    """Reads train.csv, dev.csv and test.csv of `folder`.

    Raises:
        InputError: one of the three is missing, or breaks a rule of its columns.
    """
    files = [folder / f"{name}.csv" for name in SPLITS]
    missing = [file.name for file in files if not file.exists()]
    if missing:
        present = sorted(file.name for file in folder.glob("*.csv"))
        raise InputError(
            f"{folder}: must have train.csv, dev.csv and test.csv, but got "
            f"{listed(present) or 'no csv file'} without {listed(missing)}; "
            f"{_fix(missing, present)}"
        )
    train, dev, test = (to_split(read_csv(file, columns_of(task)), task) for file in files)
    return train, dev, test


def _fix(missing: Sequence[str], present: Sequence[str]) -> str:
    other = [name for name in present if SPLIT_NAMES.get(name[:-4].lower()) == "dev"]
    if missing == ["dev.csv"] and other:
        return f"rename {other[0]} to dev.csv"
    if missing == ["dev.csv"]:
        return "move a random tenth of train.csv's rows into dev.csv (test.csv must stay unseen)"
    return "add it, or give a single csv with a split column"


def read_single(path: Path, task: TaskSpec) -> tuple[Split, Split, Split]:
    """Reads one csv whose split column has train, dev or test.

    Other names of dev are validation, valid, val and development.

    Raises:
        InputError: a column breaks a rule, or a split has no row.
    """
    column = split_column(task)
    table = read_csv(path, [*columns_of(task), column])
    names = [SPLIT_NAMES[cell.lower()] for cell in table.cells[column.name]]
    absent = [name for name in SPLITS if name not in names]
    if absent:
        raise InputError(
            f"{path}: column {column.name} must have rows of train, dev and test, but got none of "
            f"{listed(absent)}; assign some rows to it"
        )
    whole = to_split(table, task)
    train, dev, test = (whole.where(name == split for name in names) for split in SPLITS)
    return train, dev, test
