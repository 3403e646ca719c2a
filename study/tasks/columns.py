"""The columns of a task's tables: the schema that all formats are checked against."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from study.csv_table import Column, Rule
from study.tasks.split import SPLITS

if TYPE_CHECKING:
    from study.spec import TaskSpec

LETTERS = "ACGTN"
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
_ONLY_LETTERS = Rule(
    "a sequence must consist of A, C, G, T and N",
    lambda cell: "".join(sorted(set(joined(cell)) - set(LETTERS))) or None,
    "write N for ambiguous bases and T for U, or remove these rows",
)


def joined(cell: str) -> str:
    """Returns a sequence in upper case; overlapping k-mers, such as `ACG CGT GTT`, are joined.

    Each k-mer must begin with the last k - 1 letters of the one before. Other texts with spaces
    keep them.
    """
    words = cell.upper().split()
    if len(words) < 2:
        return cell.upper()
    if all(len(one) == len(two) and one[1:] == two[:-1] for one, two in pairwise(words)):
        return words[0] + "".join(word[-1] for word in words[1:])
    return cell.upper()


def columns_of(task: TaskSpec) -> list[Column]:
    """Returns the columns of sequences and labels, by the names that the task gives them.

    Labels are checked when those of all splits are known.
    """
    sequence, label = task.sequence_column, task.label_column
    fix = "name them in the first line, or set task.sequence_column and task.label_column"
    return [Column(sequence, (_NOT_EMPTY, _K_MERS, _ONLY_LETTERS), fix), Column(label, (), fix)]


def split_column(task: TaskSpec) -> Column:
    """Returns the column of a single file that assigns each row to a split.

    It is optional unless `task.split` names it.
    """
    named = task.split.column if task.split is not None else None
    name = named or SPLIT_COLUMN
    known = Rule(
        f"{name} must be train, dev or test",
        lambda cell: None if cell.lower() in SPLIT_NAMES else cell,
        "correct them, or rename the column",
    )
    return Column(name, (known,), "correct task.split.column", required=named is not None)
