"""Reads results.csv and spec.yaml of a comparison folder. Writes nothing."""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal, get_args

from study.analysis.comparison.design import NO_MASK
from study.csv_table import (
    Column,
    check,
    finite,
    not_empty,
    number,
    one_of,
    read_csv,
    whole_number,
)
from study.errors import InputError, instead_of
from study.spec.comparison.schema import (
    FACTORS,
    ComparisonSpec,
    ConfigurationsSpec,
    load_configurations,
)
from study.spec.methods import AdaLoraRSSpec, AdaLoraSpec, LoraSpec
from study.spec.metrics import LIMITS
from study.spec.schema import TrainingSpec
from study.storage.folder import StudyFolder

FINALISTS = "finalists"
"""Name of the folder of a race."""
RunState = Literal["planned", "running", "complete", "failed"]
STATES: tuple[RunState, ...] = get_args(RunState)
_PROGRESS = ("reason", "reports", "steps", "total_steps", "seconds")
_SPLITS = ("dev_", "test_")
_FACTS = (
    "trainable_parameters", "adapter_parameters", "head_parameters", "kept_parameters",
    "peak_memory_gib", "train_seconds", "train_loss", "lr", "rank", "budget", "kept",
    "reintroduced", "dropped", "penalty_share", "missing_gradients", "start_seconds",
    "shared_steps", "shared_seconds", "test_rows",
)  # fmt: skip
_SETTINGS = tuple(
    name
    for section in (AdaLoraRSSpec, AdaLoraSpec, LoraSpec, TrainingSpec)
    for name in section.model_fields
    if name not in ("method", "rank", "steps", "reports", "eval_batch_size")
)
_LARGEST_SEED = 2**32 - 1
_FIX = "write it with study.seeds, or read a benchmark with study.report"
_SCHEMA = (
    Column("run", (whole_number("run", _LARGEST_SEED),), _FIX),
    Column("configuration", (not_empty("configuration"),), _FIX),
    Column("method", (not_empty("method"),), _FIX),
    Column("mask", (whole_number("mask", _LARGEST_SEED),), _FIX),
    *(
        Column(name, (not_empty(name), whole_number(name, _LARGEST_SEED)), _FIX)
        for name in ("init", "data")
    ),
    Column("state", (one_of("state", STATES),), _FIX),
)
_COLUMNS = tuple(column.name for column in _SCHEMA)

SeedKey = tuple[int, int, int]
"""Mask seed (or NO_MASK), init seed, data seed."""


@dataclass(frozen=True)
class RunResult:
    """One row of results.csv."""

    number: int | None
    """None for a run that has not started."""
    configuration: str
    method: str
    key: SeedKey
    state: RunState
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
    outputs: Path | None = None
    """The folder of a benchmark, whose runs have their labels with their outputs."""
    group: str = ""
    """What comparisons of the same or of related data share; empty if it is alone."""

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
        """Runs by label, in file order: the first configuration is compared with the others.

        Where the comparison has pairs, only their runs.
        """
        pairs = None if not isinstance(self.spec, ComparisonSpec) else self.spec.pairs
        keys = None if pairs is None else _with_unmasked(pairs.parallel)
        runs: dict[str, list[RunResult]] = {}
        for run in self.runs:
            if keys is None or run.key in keys:
                runs.setdefault(run.configuration, []).append(run)
        return runs

    @cached_property
    def crossed(self) -> list[RunResult]:
        """The runs with crossed seeds, from which variance components are estimated.

        All runs where the design is not known, or all configurations have crossed seeds.
        """
        if not isinstance(self.spec, ComparisonSpec) or self.spec.seeds is not None:
            return self.runs
        crossing = self.spec.components
        keys = set() if crossing is None else _with_unmasked(crossing.crossed)
        first = next(iter(self.spec.configurations))
        return [run for run in self.runs if run.configuration == first and run.key in keys]


def _with_unmasked(keys: Iterable[tuple[int | None, int, int]]) -> set[SeedKey]:
    """Returns the keys of planned runs, with and without a mask seed."""
    found: set[SeedKey] = set()
    for mask, init, data in keys:
        found |= {(NO_MASK if mask is None else mask, init, data), (NO_MASK, init, data)}
    return found


def read_results(folder: Path, metric: str | None = None) -> ComparisonResults:
    """Returns the runs of a comparison folder.

    Args:
        folder: of `study.seeds`, or `finalists/` of a study.
        metric: a column that must be present.

    Raises:
        InputError: results.csv is missing or unreadable, lacks a required column or the metric,
            repeats a column, a run or a run number, has an invalid row or no complete run; or
            spec.yaml is invalid.
    """
    path = StudyFolder(folder).results
    if not path.is_file():
        raise InputError(
            f"{folder}: must be a comparison folder with {path.name}, but got "
            f"{instead_of(path)}; give a folder of study.seeds, or finalists/ of a study"
        )
    table = read_csv(path, _SCHEMA)
    names = list(table.cells)
    _check_metric(path, names, metric)
    check(table, [_score(name) for name in names if name.startswith(_SPLITS)])
    settings = _settings(names)
    rows = [(where, _run(where, row, settings)) for where, row in table.rows()]
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


def _check_metric(path: Path, names: list[str], metric: str | None) -> None:
    if metric is not None and metric not in names:
        known = [name for name in names if name.startswith(_SPLITS)]
        raise InputError(
            f"{path}:1: the metric must be a column, but got {metric!r}; name one of "
            f"{', '.join(known) or 'no scores yet'}"
        )


def _score(name: str) -> Column:
    """Returns the column of a score of a split, e.g. test_mcc."""
    low, high = LIMITS.get(name.partition("_")[2], (-math.inf, math.inf))
    return Column(name, (number(name, low, high),))


def _settings(names: list[str]) -> list[str]:
    """The columns of settings: known ones, and all between `reason` and `reports`."""
    between: list[str] = []
    if "reason" in names and "reports" in names:
        between = names[names.index("reason") + 1 : names.index("reports")]
    others = {*_COLUMNS, *_PROGRESS}
    return [
        name
        for name in names
        if name not in others and (name in between or name in _SETTINGS)
        if not name.startswith(_SPLITS)
    ]


def _unknown_columns(path: Path, names: list[str]) -> list[str]:
    known = {*_COLUMNS, *_PROGRESS, *_FACTS, *_settings(names)}
    unknown = [n for n in names if n not in known and not n.startswith((*_SPLITS, "seed_"))]
    return [f"{path}: ignored the unknown columns {', '.join(unknown)}"] if unknown else []


def _run(where: str, row: dict[str, str], settings: list[str]) -> RunResult:
    state: RunState = row["state"]  # type: ignore[assignment]
    if not row["run"] and state in ("complete", "failed"):
        raise InputError(
            f"{where}: run must be the number of a run that ended, but got ''; fill it in"
        )
    others = [n for n in row if n not in {*_COLUMNS, *settings, "reason"}]
    values = {n: x for n in others if (x := _number(row[n])) is not None}
    return RunResult(
        number=int(row["run"]) if row["run"] else None,
        configuration=row["configuration"],
        method=row["method"],
        key=(int(row["mask"]) if row["mask"] else NO_MASK, int(row["init"]), int(row["data"])),
        state=state,
        reason=row.get("reason", ""),
        settings={name: row[name] for name in settings},
        values=values if state == "complete" else {},
    )


def _number(cell: str) -> float | None:
    """The number in a cell; None if it is empty, not finite, or text in an unknown column."""
    try:
        return finite(cell)
    except ValueError:
        return None


def _check_rows(rows: Iterable[tuple[str, RunResult]]) -> None:
    """Checks that rows do not contradict each other."""
    seeds: set[tuple[str, SeedKey]] = set()
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
