"""Reads results.csv and spec.yaml of a comparison folder. Writes nothing."""

import csv
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal, get_args

from study.analysis.comparison.design import NO_MASK
from study.errors import InputError
from study.spec.comparison.schema import (
    FACTORS,
    ComparisonSpec,
    ConfigurationsSpec,
    load_configurations,
)
from study.spec.methods import AdaLoraRSSpec, AdaLoraSpec, LoraSpec
from study.spec.metrics import LIMITS
from study.spec.rules import shown
from study.spec.schema import TrainingSpec
from study.storage.folder import StudyFolder

FINALISTS = "finalists"
"""Name of the folder of a race."""
State = Literal["planned", "running", "complete", "failed"]
STATES: tuple[State, ...] = get_args(State)
COLUMNS = ("run", "configuration", "method", *FACTORS, "state")
"""Columns that results.csv must have."""
_PROGRESS = ("reason", "reports", "steps", "total_steps", "seconds")
_SPLITS = ("dev_", "test_")
_FACTS = (
    "trainable_parameters", "adapter_parameters", "head_parameters", "kept_parameters",
    "peak_memory_gib", "train_seconds", "train_loss", "lr", "rank", "budget", "kept",
    "reintroduced", "dropped", "missing_gradients", "start_seconds", "shared_steps",
    "shared_seconds", "test_rows",
)  # fmt: skip
_SETTINGS = tuple(
    name
    for section in (AdaLoraRSSpec, AdaLoraSpec, LoraSpec, TrainingSpec)
    for name in section.model_fields
    if name not in ("method", "rank", "steps", "reports", "eval_batch_size")
)
_LARGEST_SEED = 2**32 - 1
_DIGITS = len(str(_LARGEST_SEED))
_ROUNDING = 1e-6
"""How far rounding may put a score outside its limits."""

Key = tuple[int, int, int]
"""Mask seed (or NO_MASK), init seed, data seed."""


@dataclass(frozen=True)
class RunResult:
    """One row of results.csv."""

    number: int | None
    """None for a run that has not started."""
    configuration: str
    method: str
    key: Key
    state: State
    reason: str
    settings: dict[str, str]
    values: dict[str, float]
    """Finite numbers in the other columns; empty unless the run is complete."""

    @property
    def name(self) -> str:
        """The seeds as text: `mask 3, init 0, data 1`."""
        seeds = zip(FACTORS, self.key, strict=True)
        return ", ".join(f"{factor} {seed}" for factor, seed in seeds if seed != NO_MASK)


@dataclass(frozen=True)
class ComparisonResults:
    """The runs of one comparison folder, finished or not: one task, several configurations."""

    folder: Path
    runs: list[RunResult]
    warnings: list[str] = field(default_factory=list)
    spec: ConfigurationsSpec | None = None
    """None if the folder has no spec.yaml."""

    @property
    def name(self) -> str:
        """The name of the task: that of the folder, or `study/finalists` for a race."""
        parts = self.folder.absolute().parts
        return "/".join(parts[-2:]) if parts[-1] == FINALISTS else parts[-1]

    @property
    def fixed_before(self) -> bool:
        """Whether the configurations were chosen before these runs; False for a race.

        Without a spec.yaml a race is recognised by the name of its folder.
        """
        if self.spec is None:
            return self.folder.absolute().name != FINALISTS
        return isinstance(self.spec, ComparisonSpec)

    @property
    def search_metric(self) -> str:
        """The metric of the study's search, e.g. mcc; mcc without a spec.yaml."""
        return "mcc" if self.spec is None else self.spec.first.search.metric

    @cached_property
    def configurations(self) -> dict[str, list[RunResult]]:
        """Runs by label, in file order: the first configuration is compared with the others."""
        runs: dict[str, list[RunResult]] = {}
        for run in self.runs:
            runs.setdefault(run.configuration, []).append(run)
        return runs


def read_results(folder: Path, metric: str | None = None) -> ComparisonResults:
    """Returns the runs of a comparison folder.

    Args:
        folder: of `study.seeds`, or `finalists/` of a study.
        metric: a column that must be present.

    Raises:
        InputError: results.csv is missing or unreadable, lacks one of `COLUMNS` or the metric,
            repeats a column, a run or a run number, has an invalid row or no complete run; or
            spec.yaml is invalid.
    """
    path = StudyFolder(folder).results
    if not path.is_file():
        raise InputError(
            f"{folder}: must be a comparison folder with {path.name}, but got a folder without "
            "it; give a folder of study.seeds, or finalists/ of a study"
        )
    rows, names = _read_rows(path, metric)
    runs = [run for _, run in rows]
    _check_rows(rows)
    _check_complete(path, runs)
    spec = StudyFolder(folder).spec
    return ComparisonResults(
        folder,
        runs,
        _unknown_columns(path, names),
        load_configurations(spec) if spec.is_file() else None,
    )


def _read_rows(path: Path, metric: str | None) -> tuple[list[tuple[str, RunResult]], list[str]]:
    """Returns every row with its place (`file:line`), and the names of the columns."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            names = list(reader.fieldnames or ())
            _check_header(path, names, metric)
            settings = _settings(names)
            rows = []
            for row in reader:
                where = f"{path}:{reader.line_num}"
                if None in row or None in row.values():
                    raise InputError(
                        f"{where}: a row must have as many cells as there are columns, "
                        f"{len(names)}, but got {'more' if None in row else 'fewer'}; correct "
                        "the row"
                    )
                rows.append((where, _run(where, row, settings)))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"{path}: must be a readable csv file, but got: {error}; let study.seeds write it "
            "again (--resume)"
        ) from error
    return rows, names


def _check_header(path: Path, names: list[str], metric: str | None) -> None:
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        is_benchmark = {"backbone", "task", "seed"} <= set(names)
        benchmark = "read the results of a benchmark with study.report"
        raise InputError(
            f"{path}:1: must have the columns {', '.join(COLUMNS)}, but lacks "
            f"{', '.join(missing)}; {benchmark if is_benchmark else 'write it with study.seeds'}"
        )
    repeated = [name for name, times in Counter(names).items() if times > 1]
    if repeated:
        raise InputError(
            f"{path}:1: every column must have its own name, but got {', '.join(repeated)} more "
            "than once; remove all but one"
        )
    if metric is not None and metric not in names:
        known = [name for name in names if name.startswith(_SPLITS)]
        raise InputError(
            f"{path}:1: the metric must be a column, but got {metric!r}; name one of "
            f"{', '.join(known) or 'no scores yet'}"
        )


def _settings(names: list[str]) -> list[str]:
    """The columns of settings: known ones, and all between `reason` and `reports`."""
    between: list[str] = []
    if "reason" in names and "reports" in names:
        between = names[names.index("reason") + 1 : names.index("reports")]
    others = {*COLUMNS, *_PROGRESS}
    return [
        name
        for name in names
        if name not in others and (name in between or name in _SETTINGS)
        if not name.startswith(_SPLITS)
    ]


def _unknown_columns(path: Path, names: list[str]) -> list[str]:
    known = {*COLUMNS, *_PROGRESS, *_FACTS, *_settings(names)}
    unknown = [n for n in names if n not in known and not n.startswith((*_SPLITS, "seed_"))]
    return [f"{path}: ignored the unknown columns {', '.join(unknown)}"] if unknown else []


def _run(where: str, row: dict[str, str], settings: list[str]) -> RunResult:
    state = row["state"]
    if state not in STATES:
        raise InputError(
            f"{where}: state must be one of {', '.join(STATES)}, but got {state!r}; correct it"
        )
    for name in ("configuration", "method"):
        if not row[name]:
            raise InputError(f"{where}: {name} must not be empty, but got ''; fill it in")
    number = _whole_number(where, row, "run", None)
    seeds = [_whole_number(where, row, n, NO_MASK if n == "mask" else None) for n in FACTORS]
    for name, seed in zip(FACTORS, seeds, strict=True):
        if seed is None:
            raise InputError(f"{where}: {name} must be a seed, but got ''; fill it in")
    if number is None and state in ("complete", "failed"):
        raise InputError(
            f"{where}: run must be the number of a run that ended, but got ''; fill it in"
        )
    mask, init, data = (seed or 0 for seed in seeds)
    others = [n for n in row if n and n not in {*COLUMNS, *settings, "reason"}]
    values = {n: x for n in others if (x := _number(where, row, n)) is not None}
    return RunResult(
        number=number,
        configuration=row["configuration"],
        method=row["method"],
        key=(mask, init, data),
        state=state,
        reason=row.get("reason", ""),
        settings={name: row[name] for name in settings},
        values=values if state == "complete" else {},
    )


def _whole_number(where: str, row: dict[str, str], name: str, empty: int | None) -> int | None:
    text = row[name]
    if not text:
        return empty
    if not text.isdecimal() or len(text) > _DIGITS or int(text) > _LARGEST_SEED:
        raise InputError(
            f"{where}: {name} must be a whole number from 0 to {_LARGEST_SEED} or empty, but got "
            f"{shown(text)}; correct it"
        )
    return int(text)


def _number(where: str, row: dict[str, str], name: str) -> float | None:
    """The number in a column; None if it is empty, not finite, or in an unknown text column."""
    try:
        value = float(row[name] or "nan")
    except ValueError:
        if name.startswith(_SPLITS):
            raise InputError(
                f"{where}: {name} must be a number or empty, but got {row[name]!r}; correct it"
            ) from None
        return None
    if not math.isfinite(value):
        return None
    low, high = LIMITS.get(name.partition("_")[2], (-math.inf, math.inf))
    if name.startswith(_SPLITS) and not low - _ROUNDING <= value <= high + _ROUNDING:
        limits = f"at least {low:g}" if high == math.inf else f"from {low:g} to {high:g}"
        raise InputError(f"{where}: {name} must be {limits}, but got {value:g}; correct it")
    return value


def _check_rows(rows: Iterable[tuple[str, RunResult]]) -> None:
    """Checks that rows do not contradict each other."""
    seeds: set[tuple[str, Key]] = set()
    numbers: set[int] = set()
    masked: dict[str, bool] = {}
    for where, run in rows:
        label = run.configuration
        if (label, run.key) in seeds:
            raise InputError(
                f"{where}: a configuration and its seeds must have one row, but got {label} with "
                f"{run.name} again; remove all but one of them"
            )
        if run.number in numbers:
            raise InputError(
                f"{where}: run must be a unique number, but got {run.number} again; remove one "
                "of the rows"
            )
        if masked.setdefault(label, run.key[0] != NO_MASK) != (run.key[0] != NO_MASK):
            raise InputError(
                f"{where}: mask must be a seed in all rows of a configuration or in none, but "
                f"got both for {label}; give one of them another name"
            )
        seeds.add((label, run.key))
        if run.number is not None:
            numbers.add(run.number)


def _check_complete(path: Path, runs: Iterable[RunResult]) -> None:
    if not any(run.state == "complete" for run in runs):
        states = Counter(run.state for run in runs)
        counts = ", ".join(f"{states[state]} {state}" for state in STATES if states[state])
        raise InputError(
            f"{path}: at least one run must be complete, but got {counts or 'no rows'}; continue "
            "the comparison with study.seeds --resume and the same options"
        )
