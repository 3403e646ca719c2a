"""Reads results.csv of a benchmark folder."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from study.analysis.hurdle.guessing import bound_of_guessing, has_collapsed
from study.csv_table import Column, finite, not_empty, number, one_of, read_csv
from study.errors import InputError, instead_of
from study.paper.reference import EMP_TASKS, METHODS, PD_TASKS

RESULTS = "results.csv"
Metric = Literal["mcc", "auc"]
ResultState = Literal["complete", "failed", "running", "planned", "unavailable"]
STATES: tuple[ResultState, ...] = get_args(ResultState)
BASELINES = ("majority", "gc", "kmer", "cnn")
RELATED = {
    f"{kind}/{subset}": "promoters"
    for kind in ("prom", "prom_core")
    for subset in ("all", "notata", "tata")
}
"""Tasks that share sequences: `all` holds `tata` and `notata`, and the core promoters are parts of
the others. Over tasks they count once."""
_FIX = "write the file with study.benchmark"
_SCHEMA = (
    Column("backbone", (), _FIX),
    Column("task", (not_empty("task"),), _FIX),
    Column("method", (not_empty("method"),), _FIX),
    Column("seed", (), _FIX),
    Column("state", (one_of("state", STATES),), _FIX),
    Column("test_mcc", (number("test_mcc", -1, 1),), _FIX),
    Column("test_auc", (number("test_auc", 0, 1),), _FIX),
    *(
        Column(name, (number(name),), required=False)
        for name in (
            "trainable_parameters", "adapter_parameters", "kept_parameters", "test_rows",
            "classes",
        )
    ),
)  # fmt: skip


@dataclass(frozen=True)
class BenchmarkResult:
    """One row of results.csv; backbone and seed are empty for a baseline."""

    backbone: str
    task: str
    method: str
    seed: str
    state: ResultState
    reason: str
    scores: dict[Metric, float]
    """Finite test scores; empty unless the run is complete."""
    trainable_parameters: float | None
    kept_parameters: float | None
    """Trainable parameters less those of the triplets that are pruned at the end."""
    test_rows: float | None
    classes: float | None = None
    """Of the task; None in folders of older versions, and before a run has ended."""
    run: int | None = None
    """The number of its trial, by which its outputs are named; None before it has begun."""

    @property
    def collapsed(self) -> bool:
        """Whether |MCC| is within the range of guessing; False for the majority baseline."""
        rows = None if self.test_rows is None else int(self.test_rows)
        bound = bound_of_guessing(rows, int(self.classes or 2))
        return self.method != "majority" and has_collapsed(self.scores.get("mcc"), bound)


@dataclass(frozen=True)
class BenchmarkResults:
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

    def classes(self, task: str) -> int:
        """Returns the number of classes of a task; 2 if it is not recorded."""
        results = (result for result in self.results if result.task == task)
        return next((int(result.classes) for result in results if result.classes), 2)


def label(backbone: str) -> str:
    """Returns the name of a backbone in tables: the last two parts of a path, else the name."""
    path = Path(backbone)
    return "/".join(path.parts[-2:]) if path.is_absolute() else backbone


def group_of(task: str) -> str:
    """Returns the group of related tasks that counts once over tasks; the task if it is alone."""
    return RELATED.get(task, task)


def read_benchmark(folder: Path) -> BenchmarkResults:
    """Reads a benchmark folder.

    Raises:
        InputError: results.csv is missing, unreadable or empty, lacks one of `COLUMNS`, or has
            an invalid or duplicate row.
    """
    path = folder / RESULTS
    if not path.is_file():
        raise InputError(
            f"{folder}: a benchmark folder must contain {RESULTS}, but got {instead_of(path)}; "
            "give the folder that study.benchmark wrote, <storage>/<name>"
        )
    results = [_result(row) for _, row in read_csv(path, _SCHEMA).rows()]
    _check_unique(path, results)
    return BenchmarkResults(folder, results)


def _check_unique(path: Path, results: list[BenchmarkResult]) -> None:
    seen = Counter((one.backbone, one.task, one.method, one.seed) for one in results)
    (*cell, seed), times = seen.most_common(1)[0]
    if times > 1:
        raise InputError(
            f"{path}: each combination of backbone, task, method and seed must have one row, but "
            f"got {times} rows for {', '.join(filter(None, cell))}, seed {seed or 'none'}; give "
            "different settings different method labels"
        )


def _result(row: dict[str, str]) -> BenchmarkResult:
    state: ResultState = row["state"]  # type: ignore[assignment]
    scores: dict[Metric, float | None] = {
        "mcc": finite(row["test_mcc"]),
        "auc": finite(row["test_auc"]),
    }
    return BenchmarkResult(
        backbone=row["backbone"],
        task=row["task"],
        method=row["method"],
        seed=row["seed"],
        state=state,
        reason=row.get("reason", ""),
        scores={m: s for m, s in scores.items() if s is not None and state == "complete"},
        trainable_parameters=finite(row.get("trainable_parameters", "")),
        kept_parameters=_kept_parameters(row),
        test_rows=finite(row.get("test_rows", "")),
        classes=finite(row.get("classes", "")),
        run=None if (run := finite(row.get("run", ""))) is None else int(run),
    )


def _kept_parameters(row: dict[str, str]) -> float | None:
    """Returns trainable parameters with the adapter's replaced by those kept after pruning.

    Without an adapter nothing is pruned: full fine-tuning keeps all of the backbone. Earlier
    versions recorded 0 for it.
    """
    trainable, adapter, kept = (
        finite(row.get(f"{name}_parameters", "")) for name in ("trainable", "adapter", "kept")
    )
    if trainable is None or adapter is None or kept is None:
        return None
    return trainable - adapter + kept if adapter else trainable


def _ordered(names: Iterable[str], first: tuple[str, ...]) -> list[str]:
    """Returns each name once: those in `first` in its order, then the rest as they come."""
    unique = list(dict.fromkeys(names))
    return [n for n in first if n in unique] + [n for n in unique if n not in first]
