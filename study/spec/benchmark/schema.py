"""The benchmark that a YAML asks for: backbones x tasks x methods x seeds, and their settings.

Settings are written as `--set` writes them, `training.lr: 3e-5`, and say everything that a study's
sections say. Each run is a study of one trial; how its settings come together is in cells.py.
"""

from collections.abc import Collection
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, model_validator

from study.paper.reference import BACKBONES
from study.spec.leaves import Seed, Text
from study.spec.methods import METHOD_SPECS
from study.spec.rules import Section, refuse, shown, suggestion
from study.spec.task import PUBLISHED

METHODS: tuple[str, ...] = tuple(spec.model_fields["method"].default for spec in METHOD_SPECS)
Baseline = Literal["majority", "gc", "kmer"]
BASELINES: tuple[Baseline, ...] = get_args(Baseline)
Settings = dict[str, Any]


class Entry(Section):
    """One backbone, task or method: what tables call it, and the settings that make it."""

    label: Text
    set: Settings


def _entry(setting: str) -> BeforeValidator:
    """A plain name stands for an entry of that label with one setting."""

    def expand(given: Any) -> Any:
        return {"label": given, "set": {setting: given}} if isinstance(given, str) else given

    return BeforeValidator(expand)


Backbone = Annotated[Entry, _entry("backbone.name")]
Task = Annotated[Entry, _entry("task.name")]
Method = Annotated[Entry, _entry("adapter.method")]
Seeds = Annotated[tuple[Seed, ...], Field(strict=False, min_length=1)]


OWNED = {
    "backbone.name": "backbones",
    "task.name": "tasks",
    "task.path": "tasks",
    "adapter.method": "methods",
}
"""Settings that make a label mean what it says, and the axis whose entries alone have them."""


class Where(Section):
    """Which runs a rule concerns: shell patterns on the labels, as in `prom/*`."""

    backbone: Text = "*"
    task: Text = "*"
    method: Text = "*"


class Rule(Section):
    """Settings for the runs that `where` matches; later rules win."""

    where: Where = Where()
    set: Settings = Field(default_factory=dict)
    best: Annotated[Path, Field(strict=False)] | None = None
    """A study's best.yaml, whose adapter and training sections come before `set`."""

    @model_validator(mode="after")
    def _says_something(self) -> "Rule":
        if not self.set and self.best is None:
            refuse((), "a rule must have set or best, but has neither; add one or remove the rule")
        for setting, axis in OWNED.items():
            if setting in self.set:
                text = f"{setting} belongs to an entry of {axis}, whose label says what it is"
                refuse(("set", setting), f"{text}; set it there", self.set[setting])
        return self


class BenchmarkSpec(Section):
    """A whole benchmark, as asked for."""

    backbones: Annotated[tuple[Backbone, ...], Field(strict=False)] = ()
    tasks: Annotated[tuple[Task, ...], Field(strict=False, min_length=1)]
    methods: Annotated[tuple[Method, ...], Field(strict=False)] = ()
    baselines: Annotated[tuple[Baseline, ...], Field(strict=False)] = ()
    """Floors that need no backbone: the commonest class, GC content, 5-mers."""
    seeds: Seeds = (0, 1, 2, 3, 4)
    """Each run's init, data and mask seed."""
    rules: Annotated[tuple[Rule, ...], Field(strict=False)] = ()

    @model_validator(mode="after")
    def _labels_differ(self) -> "BenchmarkSpec":
        for axis in ("backbones", "tasks", "methods"):
            labels = [entry.label for entry in getattr(self, axis)]
            for place, label in enumerate(labels):
                if label in labels[:place]:
                    text = f"labels must differ, but {label!r} is given twice"
                    refuse((axis, str(place)), f"{text}; give one a label of its own", label)
        for axis, values in (("seeds", self.seeds), ("baselines", self.baselines)):
            if len(set(values)) < len(values):
                refuse((axis,), f"must differ, but got {', '.join(map(str, values))}", values)
        return self

    @model_validator(mode="after")
    def _something_to_run(self) -> "BenchmarkSpec":
        if bool(self.backbones) != bool(self.methods):
            lacking = "methods" if self.backbones else "backbones"
            refuse((lacking,), "must be given: backbones and methods go together", ())
        if not self.backbones and not self.baselines:
            refuse(("backbones",), "must be given, with methods; or baselines", ())
        return self

    @model_validator(mode="after")
    def _labels_mean_what_they_say(self) -> "BenchmarkSpec":
        """Published numbers stand beside a label, so it must not name something else."""
        known: dict[str, tuple[str, Collection[str]]] = {
            "backbones": ("backbone.name", tuple(BACKBONES.values())),
            "tasks": ("task.name", PUBLISHED),
            "methods": ("adapter.method", METHODS),
        }
        for axis, (setting, names) in known.items():
            for place, entry in enumerate(getattr(self, axis)):
                meant = entry.set.get(setting)
                if meant != entry.label and meant in names and entry.label in names:
                    text = f"label {entry.label} must have {setting}: {entry.label}"
                    fix = "correct it, or choose another label"
                    refuse((axis, str(place)), f"{text}, but got {meant}; {fix}", meant)
                if axis == "tasks" and entry.label in names and meant not in names:
                    fix = f"add {setting}: {entry.label}, or choose another label"
                    text = f"label {entry.label} must have {setting}: {entry.label}"
                    refuse((axis, str(place)), f"{text}, but got {shown(meant)}; {fix}", meant)
        return self

    @model_validator(mode="after")
    def _labels_of_baselines(self) -> "BenchmarkSpec":
        for place, method in enumerate(self.methods):
            if method.label in BASELINES:
                text = f"{method.label} is a baseline and belongs into baselines; move it there"
                refuse(("methods", str(place)), text, method.label)
            if method.set.get("adapter.method") not in METHODS:
                found = method.set.get("adapter.method")
                known = f"one of {', '.join(METHODS)}"
                hint = suggestion(found, METHODS)
                refuse(("methods", str(place)), f"must be {known}, but got {shown(found)}{hint}")
        return self

    def unmatched(self, rule: Rule) -> tuple[str, list[str]] | None:
        """The axis of which a rule matches no label, and its labels; None if it matches some."""
        for axis in ("backbone", "task", "method"):
            labels = [entry.label for entry in getattr(self, f"{axis}s")]
            labels += self.baselines if axis == "method" else ()
            pattern = getattr(rule.where, axis)
            if labels and not any(fnmatchcase(label, pattern) for label in labels):
                return axis, labels
        return None
