"""The columns of a task's tables: the schema that all formats are checked against."""

from __future__ import annotations

from typing import TYPE_CHECKING

from study.csv_table import Column, Rule, not_empty
from study.tasks.reading.letters import joined
from study.tasks.split import SPLITS

if TYPE_CHECKING:
    from study.spec import TaskSpec
    from study.spec.task import ColumnsSpec

SPLIT_COLUMN = "split"
"""The split column of a single file, if `task.split` names no other."""
SPLIT_NAMES = {name: name for name in SPLITS} | {
    "training": "train", "testing": "test",
    "validation": "dev", "valid": "dev", "val": "dev", "development": "dev",
}  # fmt: skip
"""Cell of the split column, or name of a file, in lower case -> split."""

_NOT_EMPTY = Rule(
    "a sequence must not be empty",
    lambda cell: None if cell else "",
    "remove these rows",
)
_K_MERS = Rule(
    "a sequence with spaces must be k-mers, each of which begins with the end of the one before",
    lambda cell: cell if len(joined(cell).split()) > 1 else None,
    "remove the spaces",
)


def columns_of(names: ColumnsSpec, labelled: bool = True) -> list[Column]:
    """Returns the columns of sequences and labels; the latter is optional unless `labelled`.

    Labels are checked when those of all splits are known.
    """
    fix = "name them in the first line, or set task.columns.sequence and task.columns.label"
    return [
        Column(names.sequence, (_NOT_EMPTY, _K_MERS), fix),
        Column(names.label, (), fix, required=labelled),
    ]


def split_columns(task: TaskSpec) -> list[Column]:
    """Returns the columns that `task.split` names.

    Without values for dev or test the column of splits assigns each row to one of the three; it
    is optional unless `task.split` names it.
    """
    split = task.split
    named = split.column if split is not None else None
    name = named or SPLIT_COLUMN
    fix = "correct task.split.column"
    rules = () if split is not None and split.values else (_split_name(name),)
    columns = [Column(name, rules, fix, required=named is not None)]
    if split is not None and split.group is not None:
        columns.append(Column(split.group, (not_empty(split.group),), "correct task.split.group"))
    return columns


def _split_name(column: str) -> Rule:
    return Rule(
        f"{column} must be train, dev or test",
        lambda cell: None if cell.lower() in SPLIT_NAMES else cell,
        "correct them, or say which values are a split: task.split.dev and task.split.test, each "
        "a list of values",
    )
