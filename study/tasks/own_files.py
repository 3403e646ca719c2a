"""A user's own task: a folder with a file for each split, or one file with all rows."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from study.csv_table import Table, listed, read_csv
from study.errors import InputError
from study.tasks.columns import SPLIT_COLUMN, SPLIT_NAMES, columns_of, split_column
from study.tasks.parquet import read_parquet
from study.tasks.split import SPLITS

if TYPE_CHECKING:
    from study.csv_table import Column
    from study.spec import TaskSpec

FORMATS = ".csv, .tsv, .csv.gz, .tsv.gz or .parquet"
_FILE = re.compile(r"(.+?)(-00000-of-00001)?\.((csv|tsv)(\.gz)?|parquet)", re.IGNORECASE)
"""A table's name; the hub adds the number of the part and of all parts."""
_OTHER_FORMATS = {
    (".fa", ".fasta", ".fna", ".fa.gz", ".fasta.gz", ".fna.gz", ".jsonl", ".json", ".arrow"):
        "write each as csv with the columns {columns}",
    (".xlsx", ".xls", ".ods"): "save each sheet as csv",
    (".zip", ".tar", ".tar.gz", ".tgz", ".bz2", ".xz", ".zst", ".7z"): "unpack them",
}  # fmt: skip
"""Endings of other files -> what to do with them."""
_TEXTS = (".txt", ".txt.gz", ".tab", ".dat")
"""Endings of what may be a table, which is read only if it is given itself."""


def task_name(path: Path) -> str:
    """Returns the name of a task: that of its folder, or of its file without the format."""
    table = _FILE.fullmatch(path.name)
    return path.name if table is None or path.is_dir() else table[1]


def read_table(path: Path, schema: Sequence[Column]) -> Table:
    """Reads and checks a table in any format; its ending says whether it is parquet.

    Raises:
        InputError: it cannot be read or breaks a rule.
    """
    if path.name.lower().endswith(".parquet"):
        return read_parquet(path, schema)
    return read_csv(path, schema)


def read_splits(path: Path, task: TaskSpec) -> dict[str, Table]:
    """Returns the checked table of each split that the files have, train among them.

    Dev and test are there too unless `task.split` has their shares, by which they are drawn later.

    Raises:
        InputError: a split is missing or given twice, or a file breaks a rule.
    """
    if path.is_dir():
        files = _split_files(path, task)
        _check_splits(str(path), list(files), task, "add {}.csv")
        return {name: read_table(file, columns_of(task)) for name, file in files.items()}
    if not path.is_file():
        raise InputError(
            f"task.path: must be a folder with train, dev and test tables, or one table, but got "
            f"{path}, which {'is neither' if path.exists() else 'does not exist'}; correct it"
        )
    return _of_one_file(path, task)


def _split_files(folder: Path, task: TaskSpec) -> dict[str, Path]:
    """Returns the files that are named as splits, train among them."""
    entries = sorted(folder.iterdir())
    files: dict[str, Path] = {}
    for file in entries:
        table = _FILE.fullmatch(file.name)
        split = SPLIT_NAMES.get(table[1].lower()) if table is not None else None
        if split is not None and split in files:
            raise InputError(
                f"{folder}: must have one file for {split}, but got {files[split].name} and "
                f"{file.name}; move one of them elsewhere"
            )
        if split is not None:
            files[split] = file
    if "train" not in files:
        raise InputError(
            f"{folder}: must have a train file, {FORMATS}, but got "
            f"{listed([entry.name for entry in entries]) or 'an empty folder'}; "
            f"{'add it' if files else _step(entries, task)}"
        )
    return {name: files[name] for name in SPLITS if name in files}


def _step(entries: Sequence[Path], task: TaskSpec) -> str:
    """Returns what to do about a folder without a train file."""
    names = [entry.name.lower() for entry in entries]
    tables = [e for e, name in zip(entries, names, strict=True) if _FILE.fullmatch(name)]
    if tables:
        return f"name the files by split, or set task.path={tables[0]}"
    for folder in entries:
        if folder.is_dir() and any(e.name.lower().startswith("train") for e in folder.iterdir()):
            return f"set task.path to one of the folders, e.g. {folder}"
    if conversion := _conversion(names, task):
        return conversion
    if any(name.endswith(_TEXTS) for name in names):
        return "rename tables to .tsv (tabs) or .csv (commas)"
    return f"add train.csv, dev.csv and test.csv with the columns {_columns(task)}"


def _conversion(names: Sequence[str], task: TaskSpec) -> str:
    """Returns what to do with files of another format, named in lower case; "" if none is."""
    for endings, step in _OTHER_FORMATS.items():
        if any(name.endswith(endings) for name in names):
            return step.format(columns=_columns(task))
    return ""


def _columns(task: TaskSpec) -> str:
    return f"{task.sequence_column},{task.label_column}"


def _of_one_file(path: Path, task: TaskSpec) -> dict[str, Table]:
    """Returns the splits of a file with a split column, or all of its rows as train."""
    if step := _conversion([path.name.lower()], task):
        raise InputError(f"{path}: must be a table, {FORMATS}, but got another format; {step}")
    column = split_column(task)
    table = read_table(path, [*columns_of(task), column])
    if column.name not in table.cells:
        _check_splits(str(path), ["train"], task, _column_fix(table, task))
        return {"train": table}
    splits = [SPLIT_NAMES[cell.lower()] for cell in table.cells[column.name]]
    present = [name for name in SPLITS if name in splits]
    if "train" not in present:
        raise InputError(
            f"{path}: column {column.name} must have rows of train, but got only "
            f"{listed(present)}; assign some rows to it"
        )
    _check_splits(str(path), present, task, f"assign rows to {{}} in column {column.name}")
    return {name: table.where(split == name for split in splits) for name in present}


def _column_fix(table: Table, task: TaskSpec) -> str:
    """Returns what to do about a file without splits: name a column that has them, if any does."""
    for name, cells in table.cells.items():
        if name not in (task.sequence_column, task.label_column):
            values = {cell.lower() for cell in cells}
            if len(values) > 1 and values <= SPLIT_NAMES.keys():
                return f"add --set {shlex.quote(f'task.split.column={name}')}"
    return f"add a column {SPLIT_COLUMN} with train, dev and test"


def _check_splits(where: str, given: Sequence[str], task: TaskSpec, fix: str) -> None:
    """Checks that dev and test are each either given or drawn by a share."""
    shares = task.split.shares if task.split is not None else {}
    twice = [name for name in given if name in shares]
    if twice:
        raise InputError(
            f"task.split.{twice[0]}: must be left out where {twice[0]} has rows of its own, but "
            f"got {shares[twice[0]]:g} with {where}; remove the setting"
        )
    missing = [name for name in SPLITS if name not in given and name not in shares]
    if missing:
        draw = " ".join(f"--set task.split.{name}=0.1" for name in missing)
        raise InputError(
            f"{where}: must have the splits train, dev and test, but got no "
            f"{' and no '.join(missing)}; {fix.replace('{}', missing[0], 1)}, or draw rows of "
            f"train: add {draw}"
        )
