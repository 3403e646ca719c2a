"""load_task: from a task specification to checked splits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from study.errors import InputError
from study.tasks import promoters
from study.tasks.checks import data_warnings, require_classes
from study.tasks.csvfiles import Columns, read_folder, read_single
from study.tasks.dedup import drop_from_train
from study.tasks.quality import measure
from study.tasks.task import SPLITS, Split, Task

if TYPE_CHECKING:
    from study.spec import TaskSpec

GENERATED = {"promoters": promoters.generate}


def load_task(task: TaskSpec) -> Task:
    """Generates or reads the task that `task` asks for, and checks it.

    A path is a folder with train.csv, dev.csv and test.csv, or a single csv with a split
    column; without a path, the task of that name is generated from its sizes and seed. With
    `dedup: drop_from_train` rows of train go as `drop_from_train` says.

    Raises:
        InputError: a file, column, row or class breaks a rule; names it and the fix.
    """
    if task.path is None:
        return _checked(task, str(task.name), f"task {task.name}", *_generate(task))
    path = Path(task.path)
    try:
        splits = _read(path, task)
    except OSError as error:
        raise InputError(f"task.path: {path}: must be readable, but: {error.strerror}") from error
    return _checked(task, path.name.removesuffix(".csv"), str(path), *splits)


def _generate(task: TaskSpec) -> tuple[Split, Split, Split]:
    generate = GENERATED.get(task.name or "")
    if generate is None:
        raise InputError(
            f"task.name: must be one of {', '.join(GENERATED)}, but got {task.name!r};"
            " or give task.path"
        )
    for split in SPLITS:
        rows = getattr(task, split)
        if rows < 2:
            raise InputError(f"task.{split}: must be at least 2, a row a class, but got {rows}")
    return generate(task.train, task.dev, task.test, task.seed)


def _read(path: Path, task: TaskSpec) -> tuple[Split, Split, Split]:
    columns = Columns(task.sequence_column, task.label_column, task.split_column)
    if path.is_dir():
        return read_folder(path, columns)
    if path.exists():
        return read_single(path, columns)
    raise InputError(
        f"task.path: must be a folder with train.csv, dev.csv and test.csv or a single csv,"
        f" but nothing is at {path}"
    )


def _checked(task: TaskSpec, name: str, where: str, train: Split, dev: Split, test: Split) -> Task:
    num_labels = require_classes(where, train, dev, test)
    dropped: dict[str, int] = {}
    if task.dedup == "drop_from_train":
        train, dropped = drop_from_train(train, dev, test)
        require_classes(f"{where}: after task.dedup", train, dev, test)
    quality = measure(train, dev, test, num_labels, dropped)
    return Task(name, train, dev, test, num_labels, data_warnings(quality), quality)
