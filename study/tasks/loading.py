"""load_task: the task of a specification, generated or read, and checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from study.errors import InputError
from study.tasks.assignment import Assignment
from study.tasks.checks import data_warnings, require_classes
from study.tasks.dedup import cut_dev, drop_from_train
from study.tasks.drawing import draw
from study.tasks.generated import promoters
from study.tasks.labels import numbered_labels
from study.tasks.near_copies import LIMIT, bases, near_copies
from study.tasks.own_files import read_splits, task_name
from study.tasks.published.catalogue import PUBLISHED, PublishedTask, row_warnings
from study.tasks.published.files import find_files
from study.tasks.quality import measure
from study.tasks.reading.columns import columns_of
from study.tasks.reading.parquet import read_parquet
from study.tasks.reading.sequences import Sequences, of_table, read_sequences
from study.tasks.resplit import Pool
from study.tasks.split import SPLITS, Split
from study.tasks.task import Task

if TYPE_CHECKING:
    from study.spec import TaskSpec


def load_task(task: TaskSpec, search: bool = True) -> Task:
    """Generates or reads the task that `task` specifies, and checks it.

    A published name is read from the hub or from a copy at the path. A path without a name is a
    folder with a file for each split, or one file, of which `task.split` says how it is split.
    Otherwise the task is generated from its sizes and seed. With `dedup` rows are removed from
    train as `drop_from_train` and `near_copies` find them.

    Args:
        task: what to read.
        search: whether to look for near copies in up to `LIMIT` bases, if `dedup` does not.

    Raises:
        InputError: a file, column, row or class breaks a rule, or the hub refuses.
    """
    try:
        generated = task.path is None and task.name not in PUBLISHED
        return _checked(task, _loaded(task), search and not generated)
    except OSError as error:
        place = f"task.name: {task.name}" if task.path is None else f"task.path: {task.path}"
        raise InputError(
            f"{place}: must be readable, but got: {error.strerror}; check its path and permissions"
        ) from error


@dataclass(frozen=True)
class _Loaded:
    """The splits of a task before they are checked, and what happened to them."""

    name: str
    where: str
    splits: Mapping[str, Split]
    classes: tuple[str, ...] = ()
    assignment: Assignment | None = None
    rna: Mapping[str, int] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    pool: Pool | None = None


def _loaded(task: TaskSpec) -> _Loaded:
    if task.name in PUBLISHED:
        return _published(task, PUBLISHED[task.name])
    if task.path is None:
        splits = _generate(task)
        pool = _pool_of_generated(task, splits) if task.resplit else None
        return _Loaded(str(task.name), f"task {task.name}", splits, pool=pool)
    return _own(task, Path(task.path))


def _own(task: TaskSpec, path: Path) -> _Loaded:
    files, split = read_splits(path, task), task.split
    splits, classes = _to_splits(files, task)
    assignment, pool, warnings = None, None, []
    if split is not None and (drawn := split.shares | split.values):
        whole = splits["train"]
        assignment = draw(f"{path}: task.split", split, files["train"], whole, classes)
        for name in ("train", *drawn):
            splits[name] = whole.where(one == name for one in assignment.splits)
        if task.resplit:
            cells = None if split.group is None else files["train"].table.cells[split.group]
            where, first = f"{path}: task.split", assignment.splits
            pool = Pool(where, whole, split.shares, first, task.dedup, split.group, cells, classes)
    if split is not None and split.column and not split.values and path.is_dir():
        warnings.append("task.split.column is not used: the files of a folder are its splits")
    rna = {name: sum(rows.rna) for name, rows in files.items() if any(rows.rna)}
    return _Loaded(task_name(path), str(path), splits, classes, assignment, rna, warnings, pool)


def _published(task: TaskSpec, published: PublishedTask) -> _Loaded:
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
    where = str(files["train"].parent)
    return _Loaded(str(task.name), where, splits, classes, warnings=findings)


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


def _pool_of_generated(task: TaskSpec, splits: Mapping[str, Split]) -> Pool:
    """Returns all generated rows; shares are those of the numbers of rows."""
    first = [name for name in SPLITS for _ in splits[name].labels]
    rows = Split(
        [sequence for name in SPLITS for sequence in splits[name].sequences],
        [label for name in SPLITS for label in splits[name].labels],
    )
    shares = {name: len(splits[name]) / len(rows) for name in ("dev", "test")}
    return Pool("task.resplit", rows, shares, first, task.dedup)


def _checked(task: TaskSpec, loaded: _Loaded, search: bool) -> Task:
    train, dev, test = (loaded.splits[split] for split in SPLITS)
    where, classes = loaded.where, loaded.classes
    num_labels = require_classes(where, train, dev, test, classes)
    dropped: dict[str, int] = {}
    if task.dedup != "none":
        kept, dropped = drop_from_train(train, dev, test)
        train = train.where(kept)
    near: dict[str, int] = {}
    if task.dedup == "near" or (search and bases(train, dev, test) <= LIMIT):
        found = near_copies(train, dev, test)
        near = found.counts()
        if task.dedup == "near":
            dropped["near copies of dev or test"] = near["train"]
            train, near = train.where(not copy for copy in found.train), dict.fromkeys(near, 0)
    elif search:
        near = {"bases_not_searched": bases(train, dev, test)}
    if task.dedup != "none":
        require_classes(f"{where}: after task.dedup", train, dev, test, classes)
    quality = replace(
        measure(train, dev, test, num_labels, classes),
        dropped=dropped,
        assignment=loaded.assignment,
        rna=dict(loaded.rna),
        near=near,
    )
    warnings = [*loaded.warnings, *data_warnings(quality)]
    pool = loaded.pool
    return Task(loaded.name, train, dev, test, num_labels, warnings, quality, classes, pool)
