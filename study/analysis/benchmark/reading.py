"""Reads results.csv of a benchmark folder."""

import csv
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from study.errors import InputError
from study.paper.reference import EMP_TASKS, METHODS, PD_TASKS

RESULTS = "results.csv"
Metric = Literal["mcc", "auc"]
State = Literal["complete", "failed", "running", "planned", "unavailable"]
STATES: tuple[State, ...] = get_args(State)
COLUMNS = ("backbone", "task", "method", "seed", "state", "test_mcc", "test_auc")
"""Columns that results.csv must have; reason, *_parameters and test_rows are optional."""
COLLAPSED = 0.01
"""A run has collapsed if its |MCC| on the test split is below this: no better than chance."""
BASELINES = ("majority", "gc", "kmer")


@dataclass(frozen=True)
class BenchmarkResult:
    """One row of results.csv; backbone and seed are empty for a baseline."""

    backbone: str
    task: str
    method: str
    seed: str
    state: State
    reason: str
    scores: dict[Metric, float]
    """Finite test scores; empty unless the run is complete."""
    trainable_parameters: float | None
    kept_parameters: float | None
    """Trainable parameters less those of the triplets that are pruned at the end."""
    test_rows: float | None

    @property
    def collapsed(self) -> bool:
        """Whether |MCC| is below `COLLAPSED`; always False for the majority baseline."""
        mcc = self.scores.get("mcc")
        return mcc is not None and abs(mcc) < COLLAPSED and self.method != "majority"


@dataclass(frozen=True)
class Benchmark:
    """All results of a benchmark folder, finished or not."""

    folder: Path
    results: list[BenchmarkResult]

    @property
    def tasks(self) -> list[str]:
        """The paper's tasks in its order, then the others in the order of results.csv."""
        return _ordered((result.task for result in self.results), (*EMP_TASKS, *PD_TASKS))

    @property
    def backbones(self) -> list[str]:
        """Backbones in the order of results.csv."""
        return _ordered((result.backbone for result in self.results if result.backbone), ())

    def methods(self, backbone: str) -> list[str]:
        """Returns the methods of a backbone, the paper's first; the baselines for ""."""
        methods = (result.method for result in self.results if result.backbone == backbone)
        return _ordered(methods, (*BASELINES, *METHODS.values()))

    def test_rows(self, task: str) -> int | None:
        """Returns the number of rows of a task's test split; None if it is not recorded."""
        results = (result for result in self.results if result.task == task)
        return next((int(result.test_rows) for result in results if result.test_rows), None)


def label(backbone: str) -> str:
    """Returns the name of a backbone in tables: the last two parts of a path, else the name."""
    path = Path(backbone)
    return "/".join(path.parts[-2:]) if path.is_absolute() else backbone


def read_benchmark(folder: Path) -> Benchmark:
    """Reads a benchmark folder.

    Raises:
        InputError: results.csv is missing, unreadable or empty, lacks one of `COLUMNS`, or has
            an invalid or duplicate row.
    """
    path = folder / RESULTS
    if not path.is_file():
        raise InputError(
            f"{folder}: a benchmark folder must contain {RESULTS}, but got a folder without it; "
            "give the folder that study.benchmark wrote, <storage>/<name>"
        )
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restval="", strict=True)
            _check_header(path, reader.fieldnames or ())
            results = [_result(path, reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"{path}: must be a readable csv file, but got an error ({error}); run the benchmark "
            "again with --resume to write it again"
        ) from error
    if not results:
        raise InputError(
            f"{path}: must have a row for every run, but got none below the header; run the "
            "benchmark again with --resume to write it again"
        )
    _check_unique(path, results)
    return Benchmark(folder, results)


def _check_header(path: Path, names: Iterable[str]) -> None:
    missing = [name for name in COLUMNS if name not in set(names)]
    if missing:
        raise InputError(
            f"{path}:1: must have the columns {', '.join(COLUMNS)}, but got none named "
            f"{', '.join(missing)}; write the file with study.benchmark"
        )


def _check_unique(path: Path, results: list[BenchmarkResult]) -> None:
    seen = Counter((one.backbone, one.task, one.method, one.seed) for one in results)
    (*cell, seed), times = seen.most_common(1)[0]
    if times > 1:
        raise InputError(
            f"{path}: each combination of backbone, task, method and seed must have one row, but "
            f"got {times} rows for {', '.join(filter(None, cell))}, seed {seed or 'none'}; give "
            "different settings different method labels"
        )


def _result(path: Path, line: int, row: dict[str, str]) -> BenchmarkResult:
    where = f"{path}:{line}"
    state = row["state"]
    if state not in STATES:
        raise InputError(
            f"{where}: state must be one of {', '.join(STATES)}, but got {state!r}; correct "
            "the row"
        )
    for name in ("task", "method"):
        if not row[name]:
            raise InputError(f"{where}: {name} must not be empty, but got ''; correct the row")
    mcc, auc = (_number(where, row, f"test_{metric}") for metric in ("mcc", "auc"))
    _check_range(where, "test_mcc", mcc, -1.0)
    _check_range(where, "test_auc", auc, 0.0)
    scores: dict[Metric, float | None] = {"mcc": mcc, "auc": auc}
    return BenchmarkResult(
        backbone=row["backbone"],
        task=row["task"],
        method=row["method"],
        seed=row["seed"],
        state=state,
        reason=row.get("reason", ""),
        scores={m: s for m, s in scores.items() if s is not None and state == "complete"},
        trainable_parameters=_number(where, row, "trainable_parameters"),
        kept_parameters=_kept_parameters(where, row),
        test_rows=_number(where, row, "test_rows"),
    )


def _number(where: str, row: dict[str, str], name: str) -> float | None:
    """Returns the number in a column; None if it is absent, empty or not finite."""
    text = row.get(name, "")
    try:
        value = float(text) if text else math.nan
    except ValueError:
        raise InputError(
            f"{where}: {name} must be a number or empty, but got {text!r}; correct the row"
        ) from None
    return value if math.isfinite(value) else None


def _kept_parameters(where: str, row: dict[str, str]) -> float | None:
    """Returns trainable parameters with the adapter's replaced by those kept after pruning."""
    trainable, adapter, kept = (
        _number(where, row, f"{name}_parameters") for name in ("trainable", "adapter", "kept")
    )
    if trainable is None or adapter is None or kept is None:
        return None
    return trainable - adapter + kept


def _check_range(where: str, name: str, value: float | None, low: float) -> None:
    # Tolerance for scores rounded in float32.
    if value is not None and not low - 1e-6 <= value <= 1 + 1e-6:
        raise InputError(
            f"{where}: {name} must lie in [{low:g}, 1], but got {value:g}; correct the row"
        )


def _ordered(names: Iterable[str], first: tuple[str, ...]) -> list[str]:
    """Returns each name once: those in `first` in its order, then the rest as they come."""
    unique = list(dict.fromkeys(names))
    return [n for n in first if n in unique] + [n for n in unique if n not in first]
