"""Reads labels.npz and outputs/run-NNNNN.npz: true classes, predictions, kept triplets."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from study.analysis.comparison.results import ComparisonResults, RunResult, SeedKey
from study.errors import InputError
from study.influence import influence
from study.spec.metrics import base_name
from study.storage.folder import StudyFolder
from study.storage.predictions import read_arrays


@dataclass(frozen=True)
class Output:
    """Predicted classes of one run on a split, and the triplets that it kept."""

    probabilities: Float[np.ndarray, "rows classes"] | None
    """None if the file lacks the split."""
    kept: Bool[np.ndarray, "matrices b0"] | None
    """None for methods without a rank allocator."""
    modules: tuple[str, ...]

    @cached_property
    def predicted(self) -> Int[np.ndarray, " rows"] | None:
        """The class with the largest probability; None if the file lacks the split."""
        return None if self.probabilities is None else self.probabilities.argmax(axis=1)


@dataclass(frozen=True)
class Outputs:
    """Outputs of the complete runs of a folder on one split; runs without a file are absent."""

    split: str
    labels: Int[np.ndarray, " rows"] | None
    runs: dict[int, Output]
    """By run number."""

    def influences(self, metric: str) -> dict[int | None, Float[np.ndarray, " rows"]]:
        """Returns the influence of every row on a metric of the split, by run number.

        Runs without probabilities, or for whose score no influence is known, are left out.
        """
        found: dict[int | None, Float[np.ndarray, " rows"]] = {}
        for number, output in self.runs.items():
            if self.labels is not None and output.probabilities is not None:
                psi = influence(base_name(metric), output.probabilities, self.labels)
                if psi is not None:
                    found[number] = psi
        return found

    def of(self, runs: Iterable[RunResult]) -> dict[SeedKey, Output]:
        """Returns the outputs of the given runs, by their seeds."""
        return {run.key: self.runs[run.number] for run in runs if run.number in self.runs}


def split_of(metric: str) -> str:
    """Returns the split of a metric; test for metrics without one."""
    return "dev" if metric.startswith("dev_") else "test"


def read_outputs(comparison: ComparisonResults, split: str) -> Outputs:
    """Returns the outputs of a comparison; files that do not exist are skipped.

    Raises:
        InputError: a file cannot be read, or an array has the wrong shape, type or number of rows.
    """
    files = StudyFolder(comparison.outputs or comparison.folder)
    path = files.labels
    labels = _load(path).get(split)
    if comparison.outputs is not None:
        labels = _labels_of_runs(comparison, files, split)
    if labels is not None and not (labels.ndim == 1 and labels.size and labels.dtype.kind in "iu"):
        raise _wrong_array(path, f"{split} must be a vector of integer classes", labels)
    outputs = {}
    for run in comparison.runs:
        if run.state == "complete" and run.number is not None:
            path = files.output(run.number)
            if arrays := _load(path):
                outputs[run.number] = _output(path, arrays, split, labels)
    return Outputs(split, labels, outputs)


def _labels_of_runs(comparison: ComparisonResults, files: StudyFolder, split: str) -> Any:
    """Returns the labels stored with the outputs of the first run that has them; else None."""
    found = (
        _load(files.output(run.number)).get(f"labels_{split}")
        for run in comparison.runs
        if run.state == "complete" and run.number is not None
    )
    return next((labels for labels in found if labels is not None), None)


def _load(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        return read_arrays(path)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path}: must be a readable npz file, but got: {error}; remove it to analyse the "
            "runs without it"
        ) from error


def _output(path: Path, arrays: dict[str, Any], split: str, labels: Any) -> Output:
    probabilities = arrays.get(split)
    if probabilities is not None:
        _check_table(path, split, probabilities, "fiu", None if labels is None else len(labels))
        probabilities = probabilities.astype(float)
    kept, modules = arrays.get("kept"), arrays.get("modules", np.array([], dtype=str))
    if modules.ndim != 1 or modules.dtype.kind != "U":
        raise _wrong_array(path, "modules must be a vector of names", modules)
    if kept is not None:
        _check_table(path, "kept", kept, "biu", len(modules))
    names = tuple(map(str, modules))
    return Output(probabilities, None if kept is None else kept.astype(bool), names)


def _check_table(path: Path, name: str, table: Any, kinds: str, rows: int | None) -> None:
    """Checks that an array is a matrix of numbers with the expected number of rows."""
    fits = table.ndim == 2 and table.size and table.dtype.kind in kinds
    if not fits or (rows is not None and len(table) != rows):
        what = "modules" if name == "kept" else "labels"
        per = "" if rows is None else f" for each of the {rows} {what}"
        raise _wrong_array(path, f"{name} must have a row of numbers{per}", table)


def _wrong_array(path: Path, rule: str, array: Any) -> InputError:
    return InputError(
        f"{path}: {rule}, but got shape {array.shape} and type {array.dtype}; remove the file to "
        "analyse the runs without it"
    )
