"""The backbones and tokenised tasks of a benchmark's runs, each prepared once.

What the hub cannot give is no error here: the runs that need it are left out, and why is said.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import ray
from ray.exceptions import RayTaskError

from study.engine.benchmark.runs import BenchmarkRun, check_cell
from study.engine.console.lines import warn
from study.engine.preparation import warn_of_cuts
from study.errors import UnavailableError
from study.models import load_backbone
from study.models.info import BackboneInfo, inspect_backbone
from study.models.portable import portable
from study.spec import BackboneSpec, StudySpec, TaskSpec
from study.storage.events import DataFacts
from study.tasks import Task, load_task
from study.training.encoding import EncodedTask, encode_task

Say = Callable[[str], None]
Reading = tuple[str, str | None, TaskSpec]
"""A backbone's name and revision, by which its tokenizer is known, and what it reads."""
Part = TypeVar("Part", BackboneSpec, TaskSpec)
Got = TypeVar("Got")


@dataclass
class Material:
    """What runs are made of: small facts here, data in Ray's object store."""

    infos: dict[BackboneSpec, BackboneInfo] = field(default_factory=dict)
    tasks: dict[TaskSpec, "ray.ObjectRef[Task]"] = field(default_factory=dict)
    data: dict[Reading, "ray.ObjectRef[EncodedTask]"] = field(default_factory=dict)
    train_rows: dict[TaskSpec, int] = field(default_factory=dict)
    facts: dict[Reading, DataFacts] = field(default_factory=dict)
    unavailable: dict[BackboneSpec | TaskSpec, str] = field(default_factory=dict)
    """What cannot be had, and why."""

    def of(self, run: BenchmarkRun) -> tuple[BackboneInfo, "ray.ObjectRef[EncodedTask]"]:
        """The backbone and the data of a run."""
        spec = run.cell.spec
        return self.infos[spec.backbone], self.data[_reading(spec)]

    def backbones(self) -> list[tuple[BackboneInfo, bool]]:
        """The backbones, and whether their weights are read."""
        return [(info, spec.random_seed is None) for spec, info in self.infos.items()]

    def task_of(self, run: BenchmarkRun) -> "ray.ObjectRef[Task]":
        """The sequences of a run, for a baseline."""
        return self.tasks[run.cell.spec.task]

    def lacking(self, run: BenchmarkRun) -> str | None:
        """Why a run cannot be made, None if it can."""
        parts: tuple[Any, ...] = (run.cell.spec.task,)
        parts += () if run.cell.is_baseline else (run.cell.spec.backbone,)
        return next((self.unavailable[part] for part in parts if part in self.unavailable), None)


def gather(runs: Iterable[BenchmarkRun], say: Say) -> Material:
    """Loads and tokenises everything the runs need; Ray must be running.

    Raises:
        InputError: backbone, data and settings of some run do not fit each other.
    """
    runs, material = list(runs), Material()
    trained = [run for run in runs if not run.cell.is_baseline]
    loaded = _load_tasks(material, runs, say)
    for run in trained:
        if run.cell.spec.task in loaded:
            check_cell(run.cell, len(loaded[run.cell.spec.task].train))
    for run in trained:
        backbone = run.cell.spec.backbone
        if backbone not in material.infos and backbone not in material.unavailable:
            say(f"checking the weights of {run.cell.backbone}, {backbone.weights}")
            info = _attempt(material, backbone, _checked_info)
            material.infos |= {} if info is None else {backbone: info}
    for run in trained:
        if material.lacking(run) is None:
            _encode(material, run, loaded[run.cell.spec.task], say)
    return material


def _reading(spec: StudySpec) -> Reading:
    return spec.backbone.name, spec.backbone.revision, spec.task


def _load_tasks(
    material: Material, runs: Iterable[BenchmarkRun], say: Say
) -> dict[TaskSpec, Task]:
    loaded: dict[TaskSpec, Task] = {}
    for run in runs:
        task = run.cell.spec.task
        if task not in loaded and task not in material.unavailable:
            say(f"reading {run.cell.task}")
            sequences = _attempt(material, task, _read)
            if sequences is not None:
                loaded[task] = sequences
                material.tasks[task] = ray.put(sequences)
                material.train_rows[task] = len(sequences.train)
                for line in [] if sequences.quality is None else sequences.quality.lines():
                    say(f"  {line}")
    return loaded


def _read(spec: TaskSpec) -> Task:
    task = load_task(spec)
    for warning in task.warnings:
        warn(f"{task.name}: {warning}")
    return task


def _encode(material: Material, run: BenchmarkRun, task: Task, say: Say) -> None:
    cell, key = run.cell, _reading(run.cell.spec)
    if key in material.data:
        return
    encoded = encode_task(cell.spec.task, material.infos[cell.spec.backbone], task)
    assert encoded.tokens is not None
    say(f"{cell.backbone} reads {cell.task}:")
    for line in encoded.tokens.lines():
        say(f"  {line}")
    warn_of_cuts(cell.task, encoded)
    material.facts[key] = DataFacts(
        backbone=cell.backbone,
        task=cell.task,
        settings=cell.spec.task.model_dump(mode="json", exclude_defaults=True),
        commit=material.infos[cell.spec.backbone].commit,
        fingerprint=encoded.fingerprint(),
        reports=encoded.reports(),
    )
    material.data[key] = ray.put(encoded)


def _attempt(material: Material, part: Part, get: Callable[[Part], Got]) -> Got | None:
    try:
        return get(part)
    except UnavailableError as error:
        material.unavailable[part] = str(error)
        warn(f"{error}; the runs that need it are left out")
        return None


def _checked_info(spec: BackboneSpec) -> BackboneInfo:
    """The backbone, once a process of its own has loaded the weights.

    Whatever is wrong with them is said once, and not by every worker; the memory is free again.
    """
    info = portable(
        inspect_backbone(spec.name, spec.revision, with_weights=spec.weights != "random")
    )
    try:
        ray.get(ray.remote(num_cpus=1, max_calls=1)(_load).remote(info, spec))
    except RayTaskError as error:
        raise error.cause from None
    return info


def _load(info: BackboneInfo, spec: BackboneSpec) -> None:
    load_backbone(info, num_labels=2, dtype=spec.dtype, random_seed=spec.random_seed)
