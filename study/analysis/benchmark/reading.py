"""results.csv of a benchmark folder -> its runs. Only reads."""

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
"""What every results.csv has; a reason, parameters and test_rows are used if there."""
COLLAPSED = 0.01
"""A run whose |MCC| on test is below this has collapsed: it answers (nearly) by chance."""
BASELINES = ("majority", "gc", "kmer")


@dataclass(frozen=True)
class Run:
    """One row of results.csv. A baseline has no backbone and no seed."""

    backbone: str
    task: str
    method: str
    seed: str
    state: State
    reason: str
    scores: dict[Metric, float]
    """Test scores of a complete run, as far as they are numbers."""
    trainable_parameters: float | None
    kept_parameters: float | None
    """The trainable parameters but for the triplets that are pruned at the end."""
    test_rows: float | None

    @property
    def collapsed(self) -> bool:
        """Whether a complete run has nothing but chance to show; the majority class never."""
        mcc = self.scores.get("mcc")
        return mcc is not None and abs(mcc) < COLLAPSED and self.method != "majority"


@dataclass(frozen=True)
class Benchmark:
    """A benchmark as its folder tells it, finished or not."""

    folder: Path
    runs: list[Run]

    @property
    def tasks(self) -> list[str]:
        """The paper's tasks in its order, then the others as they come in results.csv."""
        return _ordered((run.task for run in self.runs), (*EMP_TASKS, *PD_TASKS))

    @property
    def backbones(self) -> list[str]:
        """As they come in results.csv."""
        return _ordered((run.backbone for run in self.runs if run.backbone), ())

    def methods(self, backbone: str) -> list[str]:
        """The methods of a backbone, the paper's first; of "": the baselines."""
        found = (run.method for run in self.runs if run.backbone == backbone)
        return _ordered(found, (*BASELINES, *METHODS.values()))

    def test_rows(self, task: str) -> int | None:
        """The rows of the task's test split, where results.csv has them."""
        rows = [run.test_rows for run in self.runs if run.task == task and run.test_rows]
        return int(rows[0]) if rows else None


def label(backbone: str) -> str:
    """Returns what a backbone is called in tables: of a folder the last two names of its path."""
    path = Path(backbone)
    return "/".join(path.parts[-2:]) if path.is_absolute() else backbone


def read_benchmark(folder: Path) -> Benchmark:
    """Reads a benchmark folder.

    Raises:
        InputError: there is no results.csv, it cannot be read, lacks one of `COLUMNS`, or a row
            of it cannot be understood or is there twice.
    """
    path = folder / RESULTS
    if not path.is_file():
        raise InputError(
            f"{folder}: a benchmark folder must hold {RESULTS}, but this one does not; give the "
            "folder that study.benchmark named, <storage>/<name>"
        )
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restval="", strict=True)
            _check_header(path, reader.fieldnames or ())
            runs = [_run(path, reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: must be a readable csv file, but: {error}") from error
    if not runs:
        raise InputError(f"{path}: must hold a row for every run, but has none below its header")
    _check_once(path, runs)
    return Benchmark(folder, runs)


def _check_header(path: Path, names: Iterable[str]) -> None:
    missing = [name for name in COLUMNS if name not in set(names)]
    if missing:
        raise InputError(
            f"{path}:1: must have the columns {', '.join(COLUMNS)}, but lacks "
            f"{', '.join(missing)}; write it with study.benchmark"
        )


def _check_once(path: Path, runs: list[Run]) -> None:
    seen = Counter((run.backbone, run.task, run.method, run.seed) for run in runs)
    (*cell, seed), times = seen.most_common(1)[0]
    if times > 1:
        raise InputError(
            f"{path}: a task, backbone, method and seed must stand in one row, but "
            f"{', '.join(filter(None, cell))}, seed {seed or 'none'} stands in {times}; "
            "give different settings different method labels"
        )


def _run(path: Path, line: int, row: dict[str, str]) -> Run:
    where = f"{path}:{line}"
    state = row["state"]
    if state not in STATES:
        raise InputError(f"{where}: state must be one of {', '.join(STATES)}, but is {state!r}")
    for name in ("task", "method"):
        if not row[name]:
            raise InputError(f"{where}: {name} must not be empty, but is")
    mcc, auc = (_number(where, row, f"test_{metric}") for metric in ("mcc", "auc"))
    _check_range(where, "test_mcc", mcc, -1.0)
    _check_range(where, "test_auc", auc, 0.0)
    found: dict[Metric, float | None] = {"mcc": mcc, "auc": auc}
    return Run(
        backbone=row["backbone"],
        task=row["task"],
        method=row["method"],
        seed=row["seed"],
        state=state,
        reason=row.get("reason", ""),
        scores={m: s for m, s in found.items() if s is not None and state == "complete"},
        trainable_parameters=_number(where, row, "trainable_parameters"),
        kept_parameters=_kept(where, row),
        test_rows=_number(where, row, "test_rows"),
    )


def _number(where: str, row: dict[str, str], name: str) -> float | None:
    """The number in a column; None where it is absent, empty or not finite."""
    text = row.get(name, "")
    try:
        value = float(text) if text else math.nan
    except ValueError:
        raise InputError(f"{where}: {name} must be a number or empty, but is {text!r}") from None
    return value if math.isfinite(value) else None


def _kept(where: str, row: dict[str, str]) -> float | None:
    """Kept adapter, head, and the backbone where it is trained; a pruned adapter is smaller."""
    trainable, adapter, kept = (
        _number(where, row, f"{name}_parameters") for name in ("trainable", "adapter", "kept")
    )
    if trainable is None or adapter is None or kept is None:
        return None
    return trainable - adapter + kept


def _check_range(where: str, name: str, value: float | None, low: float) -> None:
    # A little more than the bounds, for what was rounded in float32.
    if value is not None and not low - 1e-6 <= value <= 1 + 1e-6:
        raise InputError(f"{where}: {name} must lie in [{low:g}, 1], but is {value:g}")


def _ordered(names: Iterable[str], first: tuple[str, ...]) -> list[str]:
    """Each name once: those of `first` in its order, then the rest as they come."""
    found = list(dict.fromkeys(names))
    return [n for n in first if n in found] + [n for n in found if n not in first]
