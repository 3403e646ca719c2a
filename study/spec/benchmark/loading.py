"""YAML and overrides -> BenchmarkSpec and cells, and back."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML

from study.errors import InputError
from study.spec.benchmark.cells import Cell, make_cells
from study.spec.benchmark.schema import BenchmarkSpec
from study.spec.loading import absolute, find_space, read_document
from study.spec.methods import has_scores
from study.spec.rules import suggestion
from study.spec.schema import StudySpec
from study.spec.yaml.messages import input_error
from study.spec.yaml.overrides import override
from study.spec.yaml.reader import Document, KeyPath, Place, parse

_AXES = {"backbones", "tasks", "methods", "baselines"}
_PATHS = ("task.path", "backbone.name")


@dataclass(frozen=True)
class Benchmark:
    """The specification of a benchmark, and its cells."""

    spec: BenchmarkSpec
    cells: list[Cell]

    def count_runs(self, unavailable: Collection[str] = ()) -> int:
        """Returns the number of runs of all cells but the `unavailable` ones."""
        cells = [cell for cell in self.cells if cell.named not in unavailable]
        return sum(1 if cell.is_baseline else len(self.spec.seeds) for cell in cells)


def load_benchmark(
    path_or_name: str, overrides: Sequence[str] = (), *, stored: bool = False
) -> Benchmark:
    """Returns the benchmark of a YAML file, or a shipped one by its name.

    `overrides` are texts `a.b=c`: a study's setting for all runs (`training.steps=100`), which is
    a last rule; or a key of the file (`seeds=[0,1]`). `stored`: as of `study.spec.load_spec`.

    Raises:
        InputError: the file is not a valid benchmark.
    """
    path, source = find_space(path_or_name, "benchmarks")
    document = read_document(path, source)
    if not _AXES & set(document.values):
        raise InputError(
            f"{source}: must be a benchmark, with tasks and with backbones and methods or "
            "baselines, but got none of them; run a study with python -m study.run"
        )
    for setting in overrides:
        _override(document, setting)
    _make_paths_absolute(document, path.resolve().parent)
    try:
        spec = BenchmarkSpec.model_validate(document.values)
    except ValidationError as error:
        raise input_error(error, document) from error
    if stored:
        spec = _with_score_loss(spec, "total")
    _check_rules(spec, document)
    return Benchmark(spec, make_cells(spec, document))


def is_benchmark(file: Path) -> bool:
    """Returns whether a YAML file exists and specifies a benchmark.

    Raises:
        InputError: the file is not a mapping.
    """
    return file.is_file() and bool(_AXES & set(read_document(file, str(file)).values))


def _check_rules(spec: BenchmarkSpec, document: Document) -> None:
    """Refuses a rule that matches no run, unless an override changed the axis."""
    for place, rule in enumerate(spec.rules):
        unmatched = spec.unmatched(rule)
        if unmatched is None or document.place((f"{unmatched[0]}s",)).line == 0:
            continue
        (axis, labels), pattern = unmatched, getattr(rule.where, unmatched[0])
        where = ("rules", place, "where", axis)
        raise InputError(
            f"{document.place(where)}: {'.'.join(map(str, where))}: must match one of "
            f"{', '.join(labels)}, but got {pattern!r}{suggestion(pattern, labels)}"
        )


def dump_benchmark(spec: BenchmarkSpec) -> str:
    """Returns YAML text of the same runs, without rules that match none.

    It names `score_loss`, which tells it from a text of a version that did not have it.
    """
    rules = tuple(rule for rule in spec.rules if spec.unmatched(rule) is None)
    spec = _with_score_loss(spec.model_copy(update={"rules": rules}), "task")
    yaml = YAML()
    yaml.width = 4096
    text = StringIO()
    yaml.dump(spec.model_dump(mode="json", exclude_defaults=True), text)
    return text.getvalue()


def _with_score_loss(spec: BenchmarkSpec, value: str) -> BenchmarkSpec:
    """Returns the benchmark with `score_loss` in each method that has scores, unless it is set."""
    if any("adapter.score_loss" in entry.set for entry in (*spec.backbones, *spec.tasks)):
        return spec  # A method's setting would override it.
    methods = tuple(
        method.model_copy(update={"set": {"adapter.score_loss": value} | method.set})
        if has_scores(method.set.get("adapter.method"))
        else method
        for method in spec.methods
    )
    return spec.model_copy(update={"methods": methods})


def _override(document: Document, setting: str) -> None:
    dotted, equals, text = setting.partition("=")
    section, dot, _ = dotted.strip().partition(".")
    if section not in StudySpec.model_fields or not dot or not equals:
        return override(document, setting)
    source = f"--set {setting}"
    rules = document.values.setdefault("rules", [])
    if isinstance(rules, list):
        place = ("rules", len(rules), "set", dotted.strip())
        rules.append({"set": {dotted.strip(): parse(text, source, numbered=False).values}})
        document.places[place] = document.places[place[:2]] = Place(source)
    return None


def _make_paths_absolute(document: Document, beside: Path) -> None:
    """Makes paths absolute: relative to the file's folder, else to the working directory."""
    for axis in ("backbones", "tasks", "methods", "rules"):
        entries = document.values.get(axis)
        for place, entry in enumerate(entries if isinstance(entries, list) else []):
            if isinstance(entry, dict):
                _absolute_in(document, (axis, place, "set"), entry.get("set"), _PATHS, beside)
                _absolute_in(document, (axis, place), entry, ("best",), beside)
            elif axis == "backbones" and isinstance(entry, str) and entry:
                at = document.place((axis, place))
                name = absolute("backbone.name", entry, [beside, Path.cwd()], at)
                entries[place] = {"label": entry, "set": {"backbone.name": name}}


def _absolute_in(
    document: Document, owner: KeyPath, values: Any, keys: Sequence[str], beside: Path
) -> None:
    from_file = document.place(owner).line > 0
    folders = [beside, Path.cwd()] if from_file else [Path.cwd()]
    for key in keys if isinstance(values, dict) else ():
        if isinstance(values.get(key), str) and values[key]:
            values[key] = absolute(key, values[key], folders, document.place((*owner, key)))
