"""The specification of a benchmark: backbones x tasks x methods x seeds, and their settings.

Settings have the form of `--set`, `training.lr: 3e-5`, and may be any of a study's sections. Each
run is a study of one trial; cells.py collects its settings.
"""

from collections.abc import Collection
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, model_validator

from study.paper.reference import BACKBONES
from study.spec.leaves import Seeds, Text
from study.spec.methods import METHOD_SPECS
from study.spec.rules import Section, quoted, refuse, suggestion
from study.spec.task import PUBLISHED

METHODS: tuple[str, ...] = tuple(spec.model_fields["method"].default for spec in METHOD_SPECS)
Baseline = Literal["majority", "gc", "kmer", "cnn"]
BASELINES: tuple[Baseline, ...] = get_args(Baseline)
Settings = dict[str, Any]


class Entry(Section):
    """One backbone, task or method: its label in tables, and its settings."""

    label: Text
    set: Settings


def _entry(setting: str) -> BeforeValidator:
    """Expands a plain name to an entry with that label and one setting."""

    def expand(given: Any) -> Any:
        return {"label": given, "set": {setting: given}} if isinstance(given, str) else given

    return BeforeValidator(expand)


BackboneEntry = Annotated[Entry, _entry("backbone.name")]
TaskEntry = Annotated[Entry, _entry("task.name")]
Method = Annotated[Entry, _entry("adapter.method")]


OWNED = {
    "backbone.name": "backbones",
    "task.name": "tasks",
    "task.path": "tasks",
    "adapter.method": "methods",
}
"""Settings that identify an entry, and the axis whose entries may have them."""


class Where(Section):
    """The runs to which a rule applies: shell patterns on the labels, as in `prom/*`."""

    backbone: Text = "*"
    task: Text = "*"
    method: Text = "*"


class Rule(Section):
    """Settings for the runs that `where` matches; later rules override earlier ones."""

    where: Where = Where()
    set: Settings = Field(default_factory=dict)
    best: Annotated[Path, Field(strict=False)] | None = None
    """A study's best.yaml, whose adapter and training sections are applied before `set`."""

    @model_validator(mode="after")
    def _not_empty(self) -> "Rule":
        if not self.set and self.best is None:
            refuse((), "must have set or best, but got neither; add one or remove the rule")
        for setting, axis in OWNED.items():
            if setting in self.set:
                value = self.set[setting]
                text = f"must be set by an entry of {axis}, but got {quoted(value)} in a rule"
                refuse(("set", setting), f"{text}; set it there", value)
        return self


class BenchmarkSpec(Section):
    """The specification of a benchmark."""

    backbones: Annotated[tuple[BackboneEntry, ...], Field(strict=False)] = ()
    tasks: Annotated[tuple[TaskEntry, ...], Field(strict=False, min_length=1)]
    methods: Annotated[tuple[Method, ...], Field(strict=False)] = ()
    baselines: Annotated[tuple[Baseline, ...], Field(strict=False)] = ()
    """Classifiers without a backbone: the most frequent class, GC content, 5-mer counts,
    a small convolutional network."""
    seeds: Seeds = (0, 1, 2, 3, 4)
    """The init, data and mask seed of each run."""
    rules: Annotated[tuple[Rule, ...], Field(strict=False)] = ()

    @model_validator(mode="after")
    def _labels_differ(self) -> "BenchmarkSpec":
        for axis in ("backbones", "tasks", "methods"):
            labels = [entry.label for entry in getattr(self, axis)]
            for place, label in enumerate(labels):
                if label in labels[:place]:
                    text = f"labels must differ, but got {label!r} twice"
                    refuse((axis, str(place)), f"{text}; choose another label for one", label)
        for axis, values in (("seeds", self.seeds), ("baselines", self.baselines)):
            if len(set(values)) < len(values):
                text = f"must differ, but got {', '.join(map(str, values))}; remove repeated ones"
                refuse((axis,), text, values)
        return self

    @model_validator(mode="after")
    def _something_to_run(self) -> "BenchmarkSpec":
        if bool(self.backbones) != bool(self.methods):
            lacking = "methods" if self.backbones else "backbones"
            present = "backbones" if self.backbones else "methods"
            refuse((lacking,), f"must be given with {present}, but got none; add some", ())
        if not self.backbones and not self.baselines:
            rule = "must be given with methods where there are no baselines"
            refuse(("backbones",), f"{rule}, but got none; add both, or baselines", ())
        return self

    @model_validator(mode="after")
    def _labels_fit_their_settings(self) -> "BenchmarkSpec":
        """A label is compared with published numbers, so it must not name something else."""
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
                    refuse((axis, str(place)), f"{text}, but got {quoted(meant)}; {fix}", meant)
        return self

    @model_validator(mode="after")
    def _labels_of_baselines(self) -> "BenchmarkSpec":
        for place, method in enumerate(self.methods):
            if method.label in BASELINES:
                text = (
                    f"must be a method, but got the baseline {method.label}; move it to baselines"
                )
                refuse(("methods", str(place)), text, method.label)
            if method.set.get("adapter.method") not in METHODS:
                given = method.set.get("adapter.method")
                known = f"one of {', '.join(METHODS)}"
                hint = suggestion(given, METHODS)
                refuse(("methods", str(place)), f"must be {known}, but got {quoted(given)}{hint}")
        return self

    def unmatched(self, rule: Rule) -> tuple[str, list[str]] | None:
        """Returns an axis of which a rule matches no label, and its labels; None if it matches."""
        for axis in ("backbone", "task", "method"):
            labels = [entry.label for entry in getattr(self, f"{axis}s")]
            labels += self.baselines if axis == "method" else ()
            pattern = getattr(rule.where, axis)
            if labels and not any(fnmatchcase(label, pattern) for label in labels):
                return axis, labels
        return None
