"""Reads labels.npz and outputs/run-NNNNN.npz: true classes, predictions, kept triplets."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from study.analysis.comparison.results import ComparisonResults, RunResult, SeedKey
from study.errors import InputError
from study.influence import influence
from study.spec.metrics import base_name
from study.storage.folder import StudyFolder
from study.storage.predictions import read_arrays

FEWEST_UNITS = 30
"""Units of a drawn split from which its influences are used."""


@dataclass(frozen=True)
class Output:
    """Predicted classes of one run on a split, and the triplets that it kept."""

    probabilities: Float[np.ndarray, "rows classes"] | None
    """None if the file lacks the split."""
    kept: Bool[np.ndarray, "matrices b0"] | None
    """None for methods without a rank allocator."""
    modules: tuple[str, ...]
    labels: Int[np.ndarray, " rows"] | None = None
    """True classes."""
    units: Int[np.ndarray, " rows"] | None = None
    """What the rows are in the table from which the data seed has drawn them: rows with the same
    number are never in two splits. None if all runs have the same rows."""
    share: float | None = None
    """Share of the rows of that table; None if all runs have the same rows."""

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

    @cached_property
    def share(self) -> float | None:
        """Mean share of the table that a split has; None if all runs have the same rows."""
        shares = [output.share for output in self.runs.values() if output.share is not None]
        return fmean(shares) if shares else None

    def influences(self, metric: str) -> dict[int | None, Float[np.ndarray, " rows"]]:
        """Returns the influence of every row on a metric of the split, by run number.

        Of splits that data seeds have drawn that of every unit of the table, 0 if it is not in
        the split; in parts of the mean of all units, so that means over runs mean the same.
        Runs without probabilities, or for whose score no influence is known, are left out; all,
        if the splits have so few units that influences around their own mean say too little.
        """
        known = [output.units for output in self.runs.values() if output.units is not None]
        size = 1 + max((int(units.max()) for units in known), default=0)
        if known and fmean(len(np.unique(units)) for units in known) < FEWEST_UNITS:
            return {}
        found: dict[int | None, Float[np.ndarray, " rows"]] = {}
        for number, output in self.runs.items():
            if output.labels is not None and output.probabilities is not None:
                psi = influence(base_name(metric), output.probabilities, output.labels)
                if psi is not None:
                    units = output.units
                    found[number] = psi if units is None else _of_table(psi, units, size)
        return found

    def of(self, runs: Iterable[RunResult]) -> dict[SeedKey, Output]:
        """Returns the outputs of the given runs, by their seeds."""
        return {run.key: self.runs[run.number] for run in runs if run.number in self.runs}


def _of_table(
    psi: Float[np.ndarray, " rows"], units: Int[np.ndarray, " rows"], size: int
) -> Float[np.ndarray, " units"]:
    own: Float[np.ndarray, " units"] = np.bincount(units, psi, minlength=size) * (size / len(psi))
    return own


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
    labels = _checked_classes(path, split, labels)
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
    labels = _checked_classes(path, f"labels_{split}", arrays.get(f"labels_{split}", labels))
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
    units, share = arrays.get(f"units_{split}"), arrays.get(f"share_{split}")
    _checked_classes(path, f"units_{split}", units, None if labels is None else len(labels))
    return Output(
        probabilities,
        None if kept is None else kept.astype(bool),
        names,
        labels,
        units,
        None if share is None else float(share),
    )


def _checked_classes(path: Path, name: str, array: Any, rows: int | None = None) -> Any:
    """Returns a vector of classes or units, with the expected number of rows; None without one.

    Raises:
        InputError: the array is something else.
    """
    if array is None:
        return None
    fits = array.ndim == 1 and array.size and array.dtype.kind in "iu" and array.min() >= 0
    if not fits or (rows is not None and len(array) != rows):
        raise _wrong_array(path, f"{name} must be a vector of integer classes", array)
    return array


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
