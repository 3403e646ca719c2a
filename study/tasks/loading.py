"""load_task: the task of a specification, generated or read, and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from study.errors import InputError
from study.tasks.checks import data_warnings, require_classes
from study.tasks.dedup import cut_dev, drop_from_train
from study.tasks.drawing import draw
from study.tasks.generated import promoters
from study.tasks.labels import numbered_labels
from study.tasks.own_files import read_splits, task_name
from study.tasks.published.catalogue import PUBLISHED, PublishedTask, row_warnings
from study.tasks.published.files import find_files
from study.tasks.quality import measure
from study.tasks.reading.columns import columns_of
from study.tasks.reading.parquet import read_parquet
from study.tasks.reading.sequences import Sequences, of_table, read_sequences
from study.tasks.split import SPLITS, Split
from study.tasks.task import Task

if TYPE_CHECKING:
    from study.spec import TaskSpec


def load_task(task: TaskSpec) -> Task:
    """Generates or reads the task that `task` specifies, and checks it.

    A published name is read from the hub or from a copy at the path. A path without a name is a
    folder with a table for each split, or one table, of which `task.split` says how it is split.
    Otherwise the task is generated from its sizes and seed. With `dedup: drop_from_train` rows are
    removed from train as `drop_from_train` does it.

    Raises:
        InputError: a file, column, row or class breaks a rule, or the hub refuses.
    """
    try:
        if task.name in PUBLISHED:
            return _published(task, PUBLISHED[task.name])
        if task.path is None:
            return _checked(task, str(task.name), f"task {task.name}", _generate(task))
        return _own(task, Path(task.path))
    except OSError as error:
        place = f"task.name: {task.name}" if task.path is None else f"task.path: {task.path}"
        raise InputError(
            f"{place}: must be readable, but got: {error.strerror}; check its path and permissions"
        ) from error


def _own(task: TaskSpec, path: Path) -> Task:
    files = read_splits(path, task)
    splits, classes = _to_splits(files, task)
    drawn: dict[str, int] = {}
    if task.split is not None and (names := task.split.shares | task.split.values):
        table, whole = files["train"].table, splits["train"]
        chosen = draw(f"{path}: task.split", task.split, table, whole, classes)
        for name in ("train", *names):
            splits[name] = whole.where(split == name for split in chosen)
        drawn = {name: len(splits[name]) for name in names}
    rna = {name: sum(rows.rna) for name, rows in files.items() if any(rows.rna)}
    checked = _checked(task, task_name(path), str(path), splits, classes, drawn, rna)
    split = task.split
    if split is not None and split.column and not split.values and path.is_dir():
        unused = "task.split.column is not used: the files of a folder are its splits"
        return replace(checked, warnings=[unused, *checked.warnings])
    return checked


def _published(task: TaskSpec, published: PublishedTask) -> Task:
    files = find_files(task, published)
    rows = {name: _published_rows(file, task, published) for name, file in files.items()}
    splits, classes = _to_splits(rows, task)
    findings = row_warnings(published, {name: len(split) for name, split in splits.items()})
    if "dev" not in splits:
        whole = len(splits["train"])
        splits["train"], splits["dev"] = cut_dev(splits["train"], task.seed)
        findings.append(
            f"the data set has no dev split: {len(splits['dev'])} of the {whole} train rows were"
            f" drawn for it (task.seed={task.seed})"
        )
    checked = _checked(task, str(task.name), str(files["train"].parent), splits, classes)
    return replace(checked, warnings=findings + checked.warnings)


def _published_rows(file: Path, task: TaskSpec, published: PublishedTask) -> Sequences:
    if file.suffix == ".csv":
        return read_sequences(file, task.columns)
    table = read_parquet(file, columns_of(task.columns), published.label)
    return of_table(table, task.columns)


def _to_splits(
    files: Mapping[str, Sequences], task: TaskSpec
) -> tuple[dict[str, Split], tuple[str, ...]]:
    """Returns the sequences and labels of files, and the names of the classes, if any."""
    tables = {name: rows.table for name, rows in files.items()}
    labels, classes = numbered_labels(tables, task.columns.label)
    return {name: Split(rows.sequences, labels[name]) for name, rows in files.items()}, classes


def _generate(task: TaskSpec) -> dict[str, Split]:
    for split in SPLITS:
        rows = getattr(task, split)
        if rows < 2:
            raise InputError(
                f"task.{split}: must be at least 2, one row per class, but got {rows}; raise it"
            )
    splits = promoters.generate(task.train, task.dev, task.test, task.seed)
    return dict(zip(SPLITS, splits, strict=True))


def _checked(
    task: TaskSpec,
    name: str,
    where: str,
    splits: Mapping[str, Split],
    classes: tuple[str, ...] = (),
    drawn: Mapping[str, int] | None = None,
    rna: Mapping[str, int] | None = None,
) -> Task:
    train, dev, test = (splits[split] for split in SPLITS)
    num_labels = require_classes(where, train, dev, test, classes)
    dropped: dict[str, int] = {}
    if task.dedup == "drop_from_train":
        train, dropped = drop_from_train(train, dev, test)
        require_classes(f"{where}: after task.dedup", train, dev, test, classes)
    measured = measure(train, dev, test, num_labels, classes)
    quality = replace(measured, dropped=dropped, drawn=dict(drawn or {}), rna=dict(rna or {}))
    return Task(name, train, dev, test, num_labels, data_warnings(quality), quality, classes)
