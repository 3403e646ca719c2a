"""results.csv of a comparison folder -> its runs. Only reads."""

import csv
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal, get_args

from study.analysis.comparison.design import FACTORS, NO_MASK
from study.analysis.comparison.purpose import FINALISTS, Asked, read_asked
from study.analysis.comparison.scale import LIMITS
from study.errors import InputError
from study.spec.methods import AdaLoraRSSpec, AdaLoraSpec, LoraSpec
from study.spec.rules import shown
from study.spec.schema import TrainingSpec

RESULTS = "results.csv"
State = Literal["planned", "running", "complete", "failed"]
STATES: tuple[State, ...] = get_args(State)
COLUMNS = ("run", "configuration", "method", *FACTORS, "state")
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
_MOST = 2**32 - 1
"""The largest seed."""
_DIGITS = len(str(_MOST))
_RANGES = LIMITS | {"loss": (0.0, math.inf)}
_SLACK = 1e-6
"""How far a score may lie beyond its range by rounding alone."""

Key = tuple[int, int, int]
"""Mask seed (or NO_MASK), init seed, data seed."""


@dataclass(frozen=True)
class Run:
    """One row of results.csv."""

    number: int | None
    """None if it has not begun."""
    configuration: str
    method: str
    key: Key
    state: State
    reason: str
    settings: dict[str, str]
    values: dict[str, float]
    """Finite numbers of the other columns, of a complete run."""

    @property
    def name(self) -> str:
        """Its seeds, for people."""
        seeds = zip(FACTORS, self.key, strict=True)
        return ", ".join(f"{factor} {seed}" for factor, seed in seeds if seed != NO_MASK)


@dataclass(frozen=True)
class Comparison:
    """The runs of a folder, finished or not: one task, several configurations."""

    folder: Path
    runs: list[Run]
    warnings: list[str] = field(default_factory=list)
    asked: Asked = field(default_factory=Asked)

    @property
    def name(self) -> str:
        """What its task is called: the folder's name, with the study's before `finalists`."""
        parts = self.folder.absolute().parts
        return "/".join(parts[-2:]) if parts[-1] == FINALISTS else parts[-1]

    @property
    def fixed_before(self) -> bool:
        """Whether the configurations were chosen before these runs, and not by them."""
        return not self.asked.is_race

    @cached_property
    def configurations(self) -> dict[str, list[Run]]:
        """Runs by label, as they come: the first is the one that was asked about."""
        found: dict[str, list[Run]] = {}
        for run in self.runs:
            found.setdefault(run.configuration, []).append(run)
        return found


def read_comparison(folder: Path, metric: str | None = None) -> Comparison:
    """Reads a comparison folder; `metric`, if given, must be a column of it.

    Raises:
        InputError: there is no results.csv, it cannot be read, lacks one of `COLUMNS` or the
            metric, has a column, a run or a run's number twice, no run is complete, a row cannot
            be understood; spec.yaml is damaged.
    """
    path = folder / RESULTS
    if not path.is_file():
        raise InputError(
            f"{folder}: a comparison folder must hold {RESULTS}, but this one does not; give one "
            "that study.seeds named, or the folder finalists/ of a study"
        )
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
                        f"{len(names)}, but has {'more' if None in row else 'fewer'}"
                    )
                rows.append((where, _run(where, row, settings)))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: must be a readable csv file, but: {error}") from error
    runs = [run for _, run in rows]
    _check_rows(rows)
    _check_complete(path, runs)
    return Comparison(folder, runs, _unknown(path, names, settings), read_asked(folder))


def _check_header(path: Path, names: list[str], metric: str | None) -> None:
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        is_benchmark = {"backbone", "task", "seed"} <= set(names)
        what = "it is that of a benchmark: study.report reads it" if is_benchmark else ""
        raise InputError(
            f"{path}:1: must have the columns {', '.join(COLUMNS)}, but lacks "
            f"{', '.join(missing)}; {what or 'write it with study.seeds'}"
        )
    doubled = [name for name, times in Counter(names).items() if times > 1]
    if doubled:
        raise InputError(
            f"{path}:1: every column must stand there once, but {', '.join(doubled)} stands there "
            "more often; remove all but one"
        )
    if metric is not None and metric not in names:
        known = [name for name in names if name.startswith(_SPLITS)]
        raise InputError(
            f"{path}:1: the metric must be one of its columns, but {metric!r} is not there; "
            f"there are {', '.join(known) or 'no scores yet'}"
        )


def _settings(names: list[str]) -> list[str]:
    """The columns that hold settings: known ones, and all between `reason` and `reports`."""
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


def _unknown(path: Path, names: list[str], settings: list[str]) -> list[str]:
    known = {*COLUMNS, *_PROGRESS, *_FACTS, *settings}
    strange = [n for n in names if n not in known and not n.startswith((*_SPLITS, "seed_"))]
    named = ", ".join(strange)
    return [f"{path}: not known and not used: the columns {named}"] if strange else []


def _run(where: str, row: dict[str, str], settings: list[str]) -> Run:
    state = row["state"]
    if state not in STATES:
        raise InputError(f"{where}: state must be one of {', '.join(STATES)}, but is {state!r}")
    for name in ("configuration", "method"):
        if not row[name]:
            raise InputError(f"{where}: {name} must not be empty, but is")
    number = _whole(where, row, "run", None)
    seeds = [_whole(where, row, n, NO_MASK if n == "mask" else None) for n in FACTORS]
    for name, seed in zip(FACTORS, seeds, strict=True):
        if seed is None:
            raise InputError(f"{where}: {name} must be a seed, but is empty")
    if number is None and state in ("complete", "failed"):
        raise InputError(f"{where}: run must be the number of a run that ended, but is empty")
    mask, init, data = (seed or 0 for seed in seeds)
    others = [n for n in row if n and n not in {*COLUMNS, *settings, "reason"}]
    values = {n: x for n in others if (x := _number(where, row, n)) is not None}
    return Run(
        number=number,
        configuration=row["configuration"],
        method=row["method"],
        key=(mask, init, data),
        state=state,
        reason=row.get("reason", ""),
        settings={name: row[name] for name in settings},
        values=values if state == "complete" else {},
    )


def _whole(where: str, row: dict[str, str], name: str, empty: int | None) -> int | None:
    text = row[name]
    if not text:
        return empty
    if not text.isdecimal() or len(text) > _DIGITS or int(text) > _MOST:
        raise InputError(
            f"{where}: {name} must be a whole number from 0 to {_MOST} or empty, but is "
            f"{shown(text)}"
        )
    return int(text)


def _number(where: str, row: dict[str, str], name: str) -> float | None:
    """The number in a column; None where it is empty or not finite, or not known to be one."""
    try:
        value = float(row[name] or "nan")
    except ValueError:
        if name.startswith(_SPLITS):
            raise InputError(
                f"{where}: {name} must be a number or empty, but is {row[name]!r}"
            ) from None
        return None
    if not math.isfinite(value):
        return None
    low, high = _RANGES.get(name.partition("_")[2], (-math.inf, math.inf))
    if name.startswith(_SPLITS) and not low - _SLACK <= value <= high + _SLACK:
        most = "" if high == math.inf else f" to {high:g}"
        raise InputError(f"{where}: {name} must be from {low:g}{most}, but is {value:g}")
    return value


def _check_rows(rows: Iterable[tuple[str, Run]]) -> None:
    """Refuses what one row may say but two together must not."""
    seeds: set[tuple[str, Key]] = set()
    numbers: set[int] = set()
    masked: dict[str, bool] = {}
    for where, run in rows:
        label = run.configuration
        if (label, run.key) in seeds:
            raise InputError(
                f"{where}: a configuration and its seeds must stand in one row, but {label} with "
                f"{run.name} stands in another too; remove all but one of them"
            )
        if run.number in numbers:
            raise InputError(
                f"{where}: run must be the number of one run, but another row has {run.number} too"
            )
        if masked.setdefault(label, run.key[0] != NO_MASK) != (run.key[0] != NO_MASK):
            raise InputError(
                f"{where}: mask must be a seed in all rows of a configuration or in none, but "
                f"{label} has rows of both kinds; give one of them another name"
            )
        seeds.add((label, run.key))
        if run.number is not None:
            numbers.add(run.number)


def _check_complete(path: Path, runs: Iterable[Run]) -> None:
    if not any(run.state == "complete" for run in runs):
        states = Counter(run.state for run in runs)
        found = ", ".join(f"{states[state]} {state}" for state in STATES if states[state])
        raise InputError(
            f"{path}: at least one run must be complete, but there are {found or 'no rows'}; "
            "let it run first: study.seeds with the same options goes on with it"
        )
