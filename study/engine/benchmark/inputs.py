"""The backbones and tokenised tasks of a benchmark's runs, each prepared once.

If the hub does not provide one of them, the runs that need it are skipped with a warning.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import ray
from ray.exceptions import RayTaskError

from study.engine.benchmark.runs import BenchmarkRun, check_cell
from study.engine.console.lines import warn
from study.engine.preparation import warn_of_cuts
from study.errors import UnavailableError
from study.models import check_backbone
from study.models.info import BackboneInfo, inspect_backbone
from study.models.portable import portable
from study.spec import Backbone, BackboneSpec, CnnSpec, StudySpec, TaskSpec
from study.storage.events import DataFacts
from study.tasks import Task, load_task
from study.training.encoding import EncodedTask, encode_task
from study.training.fit import check_fit

Print = Callable[[str], None]
DataKey = tuple[str, str | None, TaskSpec]
"""Name and revision of a backbone, which identify its tokenizer, and the task."""
Part = TypeVar("Part", BackboneSpec | CnnSpec, TaskSpec)
Loaded = TypeVar("Loaded")


@dataclass
class BenchmarkInputs:
    """Backbones, tasks and tokenised data of the runs; the data is in Ray's object store."""

    infos: dict[Backbone, BackboneInfo] = field(default_factory=dict)
    tasks: dict[TaskSpec, "ray.ObjectRef[Task]"] = field(default_factory=dict)
    data: dict[DataKey, "ray.ObjectRef[EncodedTask]"] = field(default_factory=dict)
    train_rows: dict[TaskSpec, int] = field(default_factory=dict)
    facts: dict[DataKey, DataFacts] = field(default_factory=dict)
    unavailable: dict[Backbone | TaskSpec, str] = field(default_factory=dict)
    """Unavailable backbones and tasks, with the reason."""

    def of(self, run: BenchmarkRun) -> tuple[BackboneInfo, "ray.ObjectRef[EncodedTask]"]:
        """Returns the backbone and the data of a run."""
        spec = run.cell.spec
        return self.infos[spec.backbone], self.data[_data_key(spec)]

    def backbones(self) -> list[tuple[BackboneInfo, bool]]:
        """Returns the backbones, each with whether its weights are read."""
        return [(info, spec.random_seed is None) for spec, info in self.infos.items()]

    def task_of(self, run: BenchmarkRun) -> "ray.ObjectRef[Task]":
        """Returns the task of a baseline, whose sequences are not tokenised."""
        return self.tasks[run.cell.spec.task]

    def lacking(self, run: BenchmarkRun) -> str | None:
        """Returns why a run is unavailable, None if it is available."""
        parts: tuple[Any, ...] = (run.cell.spec.task,)
        parts += () if run.cell.is_baseline else (run.cell.spec.backbone,)
        return next((self.unavailable[part] for part in parts if part in self.unavailable), None)


def prepare_inputs(runs: Iterable[BenchmarkRun], print_line: Print) -> BenchmarkInputs:
    """Loads and tokenises what the runs need; Ray must be running.

    Raises:
        InputError: backbone, data and settings of some run do not fit each other.
    """
    runs, inputs = list(runs), BenchmarkInputs()
    trained = [run for run in runs if not run.cell.is_baseline]
    loaded = _load_tasks(inputs, runs, print_line)
    for run in trained:
        if run.cell.spec.task in loaded:
            task = loaded[run.cell.spec.task]
            check_cell(run.cell, len(task.train), task.num_labels)
    for run in trained:
        backbone = run.cell.spec.backbone
        if backbone not in inputs.infos and backbone not in inputs.unavailable:
            print_line(f"checking the weights of {run.cell.backbone}, {backbone.weights}")
            info = _attempt(inputs, backbone, _checked_info)
            inputs.infos |= {} if info is None else {backbone: info}
    for run in trained:
        if inputs.lacking(run) is None:
            check_fit(run.cell.spec, inputs.infos[run.cell.spec.backbone])
            _encode(inputs, run, loaded[run.cell.spec.task], print_line)
    return inputs


def _data_key(spec: StudySpec) -> DataKey:
    return spec.backbone.name, spec.backbone.revision, spec.task


def _load_tasks(
    inputs: BenchmarkInputs, runs: Iterable[BenchmarkRun], print_line: Print
) -> dict[TaskSpec, Task]:
    loaded: dict[TaskSpec, Task] = {}
    for run in runs:
        task = run.cell.spec.task
        if task not in loaded and task not in inputs.unavailable:
            print_line(f"reading {run.cell.task}")
            sequences = _attempt(inputs, task, _read)
            if sequences is not None:
                loaded[task] = sequences
                inputs.tasks[task] = ray.put(sequences)
                inputs.train_rows[task] = len(sequences.train)
                for line in [] if sequences.quality is None else sequences.quality.lines():
                    print_line(f"  {line}")
    return loaded


def _read(spec: TaskSpec) -> Task:
    task = load_task(spec)
    for warning in task.warnings:
        warn(f"{task.name}: {warning}")
    return task


def _encode(inputs: BenchmarkInputs, run: BenchmarkRun, task: Task, print_line: Print) -> None:
    cell, key = run.cell, _data_key(run.cell.spec)
    if key in inputs.data:
        return
    encoded = encode_task(cell.spec.task, inputs.infos[cell.spec.backbone], task)
    assert encoded.tokens is not None
    print_line(f"{cell.backbone} reads {cell.task}:")
    for line in encoded.tokens.lines():
        print_line(f"  {line}")
    warn_of_cuts(cell.task, encoded)
    inputs.facts[key] = DataFacts(
        backbone=cell.backbone,
        task=cell.task,
        settings=cell.spec.task.model_dump(mode="json", exclude_defaults=True),
        commit=inputs.infos[cell.spec.backbone].commit,
        fingerprint=encoded.fingerprint(),
        reports=encoded.reports(),
        weights=inputs.infos[cell.spec.backbone].weights,
    )
    inputs.data[key] = ray.put(encoded)


def _attempt(inputs: BenchmarkInputs, part: Part, get: Callable[[Part], Loaded]) -> Loaded | None:
    try:
        return get(part)
    except UnavailableError as error:
        inputs.unavailable[part] = str(error)
        warn(f"{error}; the runs that need it are skipped")
        return None


def _checked_info(spec: Backbone) -> BackboneInfo:
    """Returns the backbone after a separate process has loaded its weights once.

    An error in them is then not repeated by every worker, and the memory is free again.
    """
    info = portable(
        inspect_backbone(spec.name, spec.revision, with_weights=spec.weights != "random")
    )
    try:
        checked, remarks = ray.get(ray.remote(num_cpus=1, max_calls=1)(_check).remote(info, spec))
    except RayTaskError as error:
        raise error.cause from None
    for remark in remarks:
        warn(remark)
    return replace(info, weights=checked)


def _check(info: BackboneInfo, spec: Backbone) -> tuple[str | None, tuple[str, ...]]:
    """Returns the hash of the weights, and remarks."""
    checked, remarks = check_backbone(
        info, num_labels=2, dtype=spec.dtype, random_seed=spec.random_seed
    )
    return checked.weights, remarks
