"""load_task: the task of a specification, generated or read, and checked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from study.csv_table import read_csv
from study.errors import InputError
from study.tasks.checks import data_warnings, require_classes
from study.tasks.columns import columns_of, to_split
from study.tasks.csvfiles import read_folder, read_single
from study.tasks.dedup import cut_dev, drop_from_train
from study.tasks.generated import promoters
from study.tasks.published.catalogue import PUBLISHED, PublishedTask, row_warnings
from study.tasks.published.files import find_files
from study.tasks.published.parquet import read_parquet
from study.tasks.quality import measure
from study.tasks.split import SPLITS, Split
from study.tasks.task import Task

if TYPE_CHECKING:
    from study.spec import TaskSpec


def load_task(task: TaskSpec) -> Task:
    """Generates or reads the task that `task` specifies, and checks it.

    A published name is read from the hub or from a copy at the path. A path without a name is a
    folder with train.csv, dev.csv and test.csv, or a single csv with a split column. Otherwise
    the task is generated from its sizes and seed. With `dedup: drop_from_train` rows are removed
    from train as `drop_from_train` does it.

    Raises:
        InputError: a file, column, row or class breaks a rule, or the hub refuses.
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
        raise InputError(
            f"{place}: must be readable, but got: {error.strerror}; check its path and permissions"
        ) from error


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
    columns = columns_of(task)
    if file.suffix == ".csv":  # not by `datasets`, which loses lines and reads NAN as missing
        return to_split(read_csv(file, columns), task)
    return to_split(read_parquet(file, columns, published.label), task)


def _generate(task: TaskSpec) -> tuple[Split, Split, Split]:
    for split in SPLITS:
        rows = getattr(task, split)
        if rows < 2:
            raise InputError(
                f"task.{split}: must be at least 2, one row per class, but got {rows}; raise it"
            )
    return promoters.generate(task.train, task.dev, task.test, task.seed)


def _read(path: Path, task: TaskSpec) -> tuple[Split, Split, Split]:
    if path.is_dir():
        return read_folder(path, task)
    if path.exists():
        return read_single(path, task)
    raise InputError(
        f"task.path: must be a folder with train.csv, dev.csv and test.csv or a single csv,"
        f" but got {path}, which does not exist; correct it"
    )


def _checked(task: TaskSpec, name: str, where: str, train: Split, dev: Split, test: Split) -> Task:
    num_labels = require_classes(where, train, dev, test)
    dropped: dict[str, int] = {}
    if task.dedup == "drop_from_train":
        train, dropped = drop_from_train(train, dev, test)
        require_classes(f"{where}: after task.dedup", train, dev, test)
    quality = measure(train, dev, test, num_labels, dropped)
    return Task(name, train, dev, test, num_labels, data_warnings(quality), quality)
