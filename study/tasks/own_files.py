"""A user's own task: a folder with a file for each split, or one file with all rows."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from study.csv_table import Table, has_column, listed
from study.errors import InputError
from study.tasks.reading.columns import SPLIT_COLUMN, SPLIT_NAMES, split_columns
from study.tasks.reading.fasta import is_fasta
from study.tasks.reading.sequences import FORMATS, Sequences, read_sequences
from study.tasks.split import SPLITS

if TYPE_CHECKING:
    from study.spec import TaskSpec

_FILE = re.compile(
    r"(.+?)(-00000-of-00001)?\.((csv|tsv|fa|fasta|fna)(\.gz)?|parquet)", re.IGNORECASE
)
"""A table's name; the hub adds the number of the part and of all parts."""
_OTHER_FORMATS = {
    (".jsonl", ".json", ".arrow"): "write each as csv with the columns {columns}",
    (".faa", ".faa.gz"): "give DNA or RNA, not proteins",
    (".fastq", ".fq", ".fastq.gz", ".fq.gz"): "convert them to FASTA, with labels",
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


def read_splits(path: Path, task: TaskSpec) -> dict[str, Sequences]:
    """Returns the checked rows of each split that the files have, train among them.

    Dev and test are there too unless `task.split` says which rows of train they are; such rows
    are drawn later.

    Raises:
        InputError: a split is missing or given twice, or a file breaks a rule.
    """
    if path.is_dir():
        files = _split_files(path, task)
        _check_splits(str(path), list(files), task, "add {}.csv")
        return {name: _read(file, task, drawn=name == "train") for name, file in files.items()}
    if not path.is_file():
        raise InputError(
            f"task.path: must be a folder with train, dev and test files, or one file, but got "
            f"{path}, which {'is neither' if path.exists() else 'does not exist'}; correct it"
        )
    return _of_one_file(path, task)


def _read(file: Path, task: TaskSpec, drawn: bool) -> Sequences:
    """Reads a file of a folder; also the columns by which rows are drawn from it."""
    needed = task.split is not None and (task.split.values or task.split.group)
    return read_sequences(file, task.columns, split_columns(task) if drawn and needed else ())


def _split_files(folder: Path, task: TaskSpec) -> dict[str, Path]:
    """Returns the files that are named as splits, train among them.

    A table without sequences beside a FASTA file of the same split has its labels.
    """
    entries = sorted(folder.iterdir())
    files: dict[str, Path] = {}
    for file in sorted(entries, key=lambda entry: not is_fasta(entry)):
        table = _FILE.fullmatch(file.name)
        split = SPLIT_NAMES.get(table[1].lower()) if table is not None else None
        if split is None:
            continue
        if split in files and not _has_labels_of(files[split], file, task):
            raise InputError(
                f"{folder}: must have one file for {split}, but got {files[split].name} and "
                f"{file.name}; move one of them elsewhere"
            )
        files.setdefault(split, file)
    if "train" not in files:
        raise InputError(
            f"{folder}: must have a train file, {FORMATS}, but got "
            f"{listed([entry.name for entry in entries]) or 'an empty folder'}; "
            f"{'add it' if files else _step(entries, task)}"
        )
    return {name: files[name] for name in SPLITS if name in files}


def _has_labels_of(fasta: Path, table: Path, task: TaskSpec) -> bool:
    is_table = not is_fasta(table) and not table.name.lower().endswith(".parquet")
    return is_fasta(fasta) and is_table and not has_column(table, task.columns.sequence)


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
    return f"{task.columns.sequence},{task.columns.label}"


def _of_one_file(path: Path, task: TaskSpec) -> dict[str, Sequences]:
    """Returns the splits of a file with a split column, or all of its rows as train."""
    if step := _conversion([path.name.lower()], task):
        raise InputError(f"{path}: must be {FORMATS}, but got another format; {step}")
    column, *others = split_columns(task)
    whole = read_sequences(path, task.columns, [column, *others])
    if column.name not in whole.table.cells or not column.rules:
        _check_splits(str(path), ["train"], task, _column_fix(whole.table, task))
        return {"train": whole}
    splits = [SPLIT_NAMES[cell.lower()] for cell in whole.table.cells[column.name]]
    present = [name for name in SPLITS if name in splits]
    if "train" not in present:
        raise InputError(
            f"{path}: column {column.name} must have rows of train, but got only "
            f"{listed(present)}; assign some rows to it"
        )
    _check_splits(str(path), present, task, f"assign rows to {{}} in column {column.name}")
    return {name: whole.where(split == name for split in splits) for name in present}


def _column_fix(table: Table, task: TaskSpec) -> str:
    """Returns what to do about a file without splits: name a column that has them, if any does."""
    for name, cells in table.cells.items():
        if name not in (task.columns.sequence, task.columns.label):
            values = {cell.lower() for cell in cells}
            if len(values) > 1 and values <= SPLIT_NAMES.keys():
                return f"add --set {shlex.quote(f'task.split.column={name}')}"
    return f"add a column {SPLIT_COLUMN} with train, dev and test"


def _check_splits(where: str, given: Sequence[str], task: TaskSpec, fix: str) -> None:
    """Checks that dev and test are each either given or drawn from train."""
    parts = task.split.shares | task.split.values if task.split is not None else {}
    twice = [name for name in given if name in parts]
    if twice:
        part = parts[twice[0]]
        found = f"{part:g}" if isinstance(part, float) else listed(part)
        raise InputError(
            f"task.split.{twice[0]}: must be left out where {twice[0]} has rows of its own, but "
            f"got {found} with {where}; remove the setting"
        )
    missing = [name for name in SPLITS if name not in given and name not in parts]
    if missing:
        draw = " ".join(f"--set task.split.{name}=0.1" for name in missing)
        raise InputError(
            f"{where}: must have the splits train, dev and test, but got no "
            f"{' and no '.join(missing)}; {fix.replace('{}', missing[0], 1)}, or draw rows of "
            f"train: add {draw}"
        )
