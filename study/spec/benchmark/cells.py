"""The cells of a benchmark: the settings of each backbone x task x method.

Later settings override earlier ones: the schema's defaults (the paper's), the task's row of the
paper's Table S1, the settings of the backbone, the task and the method, then the rules in order.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import product
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from study.errors import InputError
from study.paper.reference import hyperparameters
from study.spec.benchmark.schema import BenchmarkSpec, Entry, Rule, Settings
from study.spec.loading import load_spec
from study.spec.methods import is_foreign
from study.spec.rules import quoted, suggestion
from study.spec.schema import StudySpec
from study.spec.yaml.messages import input_error
from study.spec.yaml.reader import Document, KeyPath, Place

SECTIONS = ("backbone", "task", "adapter", "training", "resources")
"""Sections that a benchmark may set: it has no search and no rungs, and its own seeds."""
_BUDGET = ("b0", "bT", "deltaT", "beta1", "beta2", "final_fraction", "matrices")
_PUBLISHED = {"adalora_rs": (*_BUDGET, "p"), "adalora": _BUDGET, "lora": ("matrices",)}
"""The settings of each method that Table S1 gives."""


@dataclass(frozen=True)
class Cell:
    """One backbone, task and method by their labels, and the spec of one trial.

    A baseline's backbone is "", its method the baseline's name; only the task of its spec is used.
    """

    backbone: str
    task: str
    method: str
    spec: StudySpec

    @property
    def named(self) -> str:
        """The labels, joined for messages."""
        return ", ".join(filter(None, (self.backbone, self.task, self.method)))

    @property
    def is_baseline(self) -> bool:
        """Whether the cell is a baseline, which needs no backbone and only one run."""
        return not self.backbone


def make_cells(spec: BenchmarkSpec, document: Document) -> list[Cell]:
    """Returns the cells in the order in which they run: baselines, then backbone by backbone.

    Args:
        spec: a benchmark.
        document: the YAML from which it was read, for places in messages.

    Raises:
        InputError: the settings of a cell are invalid; names the place of the setting.
    """
    composer = _Composer(spec, document)
    cells = [
        composer.cell("", task, baseline, composer.task_settings(place, task.label, baseline))
        for place, task in enumerate(spec.tasks)
        for baseline in spec.baselines
    ]
    for b, t, m in product(*map(_places, (spec.backbones, spec.tasks, spec.methods))):
        backbone, task, method = spec.backbones[b], spec.tasks[t], spec.methods[m]
        composed = composer.settings((b, t, m))
        cells.append(composer.cell(backbone.label, task, method.label, composed))
    return cells


def _places(entries: Sequence[object]) -> range:
    return range(len(entries))


class _Composer:
    """Collects the settings of cells, each with its place in the YAML."""

    def __init__(self, spec: BenchmarkSpec, document: Document) -> None:
        self.spec = spec
        self.document = document
        self.best = [None if rule.best is None else _best(rule.best) for rule in spec.rules]

    def settings(self, at: tuple[int, int, int]) -> Document:
        """Returns all settings of the cell of a backbone, a task and a method."""
        entries = {
            ("backbones", at[0]): self.spec.backbones[at[0]],
            ("tasks", at[1]): self.spec.tasks[at[1]],
            ("methods", at[2]): self.spec.methods[at[2]],
        }
        composed = self._empty()
        for owner, entry in entries.items():
            self._assign(composed, owner, entry.set)
        labels = [entry.label for entry in entries.values()]
        for place, rule in self._rules_of(*labels):
            _replace_by_best(
                composed, self.best[place], self.document.place(("rules", place, "best")), labels
            )
            self._assign(composed, ("rules", place), rule.set)
        _add_published(composed.values)
        return composed

    def task_settings(self, place: int, task: str, baseline: str) -> Document:
        """Returns the task's settings for a baseline."""
        composed = self._empty()
        self._assign(composed, ("tasks", place), self.spec.tasks[place].set)
        for number, rule in self._rules_of("", task, baseline):
            ours = {k: v for k, v in rule.set.items() if k.startswith("task.")}
            self._assign(composed, ("rules", number), ours)
        return composed

    def cell(self, backbone: str, task: Entry, method: str, composed: Document) -> Cell:
        """Returns the cell with these settings, validated as a study of one trial."""
        of = f"of {', '.join(filter(None, (backbone, task.label, method)))}"
        try:
            spec = StudySpec.model_validate(composed.values)
        except ValidationError as error:
            raise InputError(f"{input_error(error, composed)} ({of})") from error
        for name in spec.domains:
            section = spec.section_of(name)
            raise InputError(
                f"{composed.place((section, name))}: {section}.{name} must have one value, but "
                f"got a domain ({of}); search it with python -m study.run and give the study's "
                "best.yaml to a rule"
            )
        return Cell(backbone, task.label, method, spec)

    def _empty(self) -> Document:
        one_trial = {"search": {"trials": 1}, "scheduler": {"name": "none"}}
        return Document(self.document.source, one_trial)

    def _rules_of(self, backbone: str, task: str, method: str) -> Iterator[tuple[int, Rule]]:
        for place, rule in enumerate(self.spec.rules):
            where = rule.where
            pairs = ((backbone, where.backbone), (task, where.task), (method, where.method))
            if all(fnmatchcase(label, pattern) for label, pattern in pairs):
                yield place, rule

    def _assign(self, composed: Document, owner: KeyPath, settings: Settings) -> None:
        for dotted, value in settings.items():
            place = self.document.place((*owner, "set", dotted))
            section, _, leaf = dotted.partition(".")
            if section not in SECTIONS or not leaf:
                raise InputError(
                    f"{place}: {dotted}: must begin with one of {', '.join(SECTIONS)}, as in "
                    f"training.lr, but got {quoted(section)}{suggestion(section, SECTIONS)}"
                )
            values = composed.values.setdefault(section, {})
            option = owner[0] == "rules" and not place.line
            if option and section == "adapter" and is_foreign(values["method"], leaf):
                continue
            other = {"training.epochs": "steps", "training.steps": "epochs"}.get(dotted)
            if other is not None and f"training.{other}" not in settings:
                values.pop(other, None)
            values[leaf] = value
            composed.places[section, leaf] = place


def _best(path: Path) -> StudySpec:
    spec = load_spec(str(path))
    if spec.domains:
        raise InputError(
            f"{path}: must be a study's best.yaml, whose settings have one value each, but got a "
            f"domain for {next(iter(spec.domains))}; run the study and give the file it writes"
        )
    return spec


def _replace_by_best(
    composed: Document, best: StudySpec | None, place: Place, labels: Sequence[str]
) -> None:
    """Replaces the adapter and training sections, and what else is searched, by a best.yaml's."""
    if best is None:
        return
    method = composed.values["adapter"]["method"]
    if best.adapter.method != method:
        raise InputError(
            f"{place}: best must be of the method of its runs, {method} of {', '.join(labels)}, "
            f"but got one of {best.adapter.method}; narrow the rule with where.method"
        )
    for section in ("adapter", "training"):
        taken = getattr(best, section).model_dump(mode="json", exclude_none=True)
        composed.values[section] = taken
    composed.values.setdefault("backbone", {}).update(best.backbone.changed)


def _add_published(values: dict[str, Any]) -> None:
    """Adds the task's settings of Table S1 that are not set yet."""
    adapter = values["adapter"]
    published = hyperparameters(str(values.get("task", {}).get("name"))) or {}
    for name, value in published.items():
        if name in _PUBLISHED.get(adapter["method"], ()):
            adapter.setdefault(name, value)
