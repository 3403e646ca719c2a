"""Reads a benchmark folder as comparisons: its methods, for each task and backbone.

Runs with the same seed are a pair: the seed is that of mask, init and data. Pages and tables are
written to comparisons/TASK-BACKBONE/ in the folder of the benchmark.
"""

from pathlib import Path

from study.analysis.benchmark.reading import (
    BenchmarkResult,
    BenchmarkResults,
    group_of,
    label,
    read_benchmark,
)
from study.analysis.comparison.results import STATES, ComparisonResults, RunResult, RunState
from study.csv_table import has_column
from study.errors import InputError
from study.storage.folder import StudyFolder

FOLDER = "comparisons"
"""In the folder of the benchmark: a folder for each task and backbone."""

_STATES: dict[str, RunState] = {state: state for state in STATES}


def is_benchmark_folder(folder: Path) -> bool:
    """Returns whether a folder has the results.csv of a benchmark."""
    path = StudyFolder(folder).results
    return path.is_file() and all(has_column(path, name) for name in ("backbone", "task"))


def read_benchmark_results(folder: Path, metric: str | None = None) -> list[ComparisonResults]:
    """Returns a comparison for each task and backbone with two methods or more.

    Raises:
        InputError: results.csv is invalid, lacks the metric, or has no two methods to compare.
    """
    if metric not in (None, "test_mcc", "test_auc"):
        raise InputError(
            f"{folder}: --metric must be test_mcc or test_auc for a benchmark, but got {metric}; "
            "give one of these"
        )
    found = list(comparisons_of(read_benchmark(folder)).values())
    if not found:
        raise InputError(
            f"{folder}: a benchmark must have two methods with runs on a task and backbone, but "
            "got none; continue it with study.benchmark --resume"
        )
    return found


def comparisons_of(benchmark: BenchmarkResults) -> dict[tuple[str, str], ComparisonResults]:
    """Returns the comparisons by task and backbone; those of one method, or of no run, not."""
    cells: dict[tuple[str, str], list[BenchmarkResult]] = {}
    for one in benchmark.results:
        if one.backbone and one.state != "unavailable":
            cells.setdefault((one.task, one.backbone), []).append(one)
    return {
        (task, backbone): ComparisonResults(
            benchmark.folder / FOLDER / _name(task, backbone),
            _runs(results),
            outputs=benchmark.folder,
            group=group_of(task),
        )
        for (task, backbone), results in cells.items()
        if len({one.method for one in results}) > 1
        and any(one.state == "complete" for one in results)
    }


def _name(task: str, backbone: str) -> str:
    return f"{task}-{label(backbone)}".replace("/", "-")


def _runs(results: list[BenchmarkResult]) -> list[RunResult]:
    """Returns the runs, those of equal seeds one after another."""
    order = sorted(results, key=lambda one: int(one.seed))
    first = 1 + max((one.run for one in results if one.run is not None), default=-1)
    return [
        RunResult(
            number=first + place if one.run is None else one.run,
            configuration=one.method,
            method=one.method,
            key=(int(one.seed), int(one.seed), int(one.seed)),
            state=_STATES[one.state],
            reason=one.reason,
            settings={},
            values={f"test_{name}": score for name, score in one.scores.items()},
        )
        for place, one in enumerate(order)
    ]
