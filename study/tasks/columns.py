"""The columns of a task's tables: the schema that csv and parquet files are checked against."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from study.csv_table import Column, Rule, Table
from study.tasks.split import SPLITS, Split

if TYPE_CHECKING:
    from study.spec import TaskSpec

LETTERS = "ACGTN"
LABEL = re.compile(r"[0-9]{1,6}")
SPLIT_NAMES = {name: name for name in SPLITS} | {
    "validation": "dev", "valid": "dev", "val": "dev", "development": "dev",
}  # fmt: skip
"""Cell of the split column, or name of a file -> split."""

_NOT_EMPTY = Rule(
    "a sequence must not be empty",
    lambda cell: None if cell else "",
    "remove these rows",
)
_ONLY_LETTERS = Rule(
    "a sequence must consist of A, C, G, T and N",
    lambda cell: "".join(sorted(set(cell.upper()) - set(LETTERS))) or None,
    "write N for ambiguous bases and T for U, or remove these rows",
)


def columns_of(task: TaskSpec) -> list[Column]:
    """Returns the columns of sequences and labels, by the names that the task gives them."""
    whole = Rule(
        f"{task.label_column} must be a whole number 0, 1, ..",
        lambda cell: None if LABEL.fullmatch(cell) else cell,
        "number the classes from 0",
    )
    rename = "rename a column or set task."
    sequence = (_NOT_EMPTY, _ONLY_LETTERS)
    return [
        Column(task.sequence_column, sequence, f"{rename}sequence_column"),
        Column(task.label_column, (whole,), f"{rename}label_column"),
    ]


def split_column(task: TaskSpec) -> Column:
    """Returns the column of a single csv that assigns each row to a split."""
    known = Rule(
        f"{task.split_column} must be train, dev or test",
        lambda cell: None if cell.lower() in SPLIT_NAMES else cell,
        "correct them",
    )
    fix = "set task.split_column, or give the folder with train.csv, dev.csv and test.csv"
    return Column(task.split_column, (known,), fix)


def to_split(table: Table, task: TaskSpec) -> Split:
    """Returns the sequences, in upper case, and the labels of a checked table."""
    sequences, labels = table.cells[task.sequence_column], table.cells[task.label_column]
    return Split([cell.upper() for cell in sequences], [int(cell) for cell in labels])
