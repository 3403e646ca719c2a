"""load_task: from a task specification to checked splits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from study.errors import InputError
from study.tasks.checks import data_warnings, require_classes
from study.tasks.csvfiles import Columns, read_folder, read_single, read_table, to_split
from study.tasks.dedup import cut_dev, drop_from_train
from study.tasks.generated import promoters
from study.tasks.published.catalogue import PUBLISHED, PublishedTask, row_warnings
from study.tasks.published.parquet import read_parquet
from study.tasks.published.sources import find_files
from study.tasks.quality import measure
from study.tasks.split import SPLITS, Split
from study.tasks.task import Task

if TYPE_CHECKING:
    from study.spec import TaskSpec


def load_task(task: TaskSpec) -> Task:
    """Generates or reads the task that `task` asks for, and checks it.

    A published name is read from the hub or from a copy at the path. A path alone is a folder
    with train.csv, dev.csv and test.csv, or a single csv with a split column. Else the task of
    that name is generated from its sizes and seed. With `dedup: drop_from_train` rows of train
    go as `drop_from_train` says.

    Raises:
        InputError: a file, column, row or class breaks a rule, or the hub refuses; names it
            and the fix.
    """
    try:
        if task.name in PUBLISHED:
            return _published(task, PUBLISHED[task.name])
        if task.path is None:
            return _checked(task, str(task.name), f"task {task.name}", *_generate(task))
        path = Path(task.path)
        return _checked(task, path.name.removesuffix(".csv"), str(path), *_read(path, task))
    except OSError as error:
        place = f"task.name: {task.name}" if task.path is None else f"task.path: {task.path}"
        raise InputError(f"{place}: must be readable, but: {error.strerror}") from error


def _published(task: TaskSpec, published: PublishedTask) -> Task:
    files = find_files(task, published)
    splits = {name: _read_split(file, task, published) for name, file in files.items()}
    findings = row_warnings(published, {name: len(split) for name, split in splits.items()})
    if "dev" not in splits:
        whole = len(splits["train"])
        splits["train"], splits["dev"] = cut_dev(splits["train"], task.seed)
        findings.append(
            f"the data set has no dev split: {len(splits['dev'])} of the {whole} train rows were"
            f" drawn for it (task.seed={task.seed})"
        )
    where = str(files["train"].parent)
    checked = _checked(task, str(task.name), where, **splits)
    return replace(checked, warnings=findings + checked.warnings)


def _read_split(file: Path, task: TaskSpec, published: PublishedTask) -> Split:
    columns = _columns(task)
    if file.suffix == ".csv":
        return to_split(read_table(file, columns.in_every_file()), columns)
    return to_split(read_parquet(file, columns.in_every_file(), published.label), columns)


def _generate(task: TaskSpec) -> tuple[Split, Split, Split]:
    for split in SPLITS:
        rows = getattr(task, split)
        if rows < 2:
            raise InputError(f"task.{split}: must be at least 2, a row a class, but got {rows}")
    return promoters.generate(task.train, task.dev, task.test, task.seed)


def _read(path: Path, task: TaskSpec) -> tuple[Split, Split, Split]:
    columns = _columns(task)
    if path.is_dir():
        return read_folder(path, columns)
    if path.exists():
        return read_single(path, columns)
    raise InputError(
        f"task.path: must be a folder with train.csv, dev.csv and test.csv or a single csv,"
        f" but nothing is at {path}"
    )


def _columns(task: TaskSpec) -> Columns:
    return Columns(task.sequence_column, task.label_column, task.split_column)


def _checked(task: TaskSpec, name: str, where: str, train: Split, dev: Split, test: Split) -> Task:
    num_labels = require_classes(where, train, dev, test)
    dropped: dict[str, int] = {}
    if task.dedup == "drop_from_train":
        train, dropped = drop_from_train(train, dev, test)
        require_classes(f"{where}: after task.dedup", train, dev, test)
    quality = measure(train, dev, test, num_labels, dropped)
    return Task(name, train, dev, test, num_labels, data_warnings(quality), quality)
