"""What single runs answered: labels.npz and outputs/run-NNNNN.npz of a comparison folder."""

import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from study.analysis.comparison.reading import Comparison, Key, Run
from study.errors import InputError


@dataclass(frozen=True)
class Output:
    """One run's answers on a split, and which triplets it kept."""

    predicted: Int[np.ndarray, " rows"] | None
    """The class with the largest probability; None if the split is not there."""
    kept: Bool[np.ndarray, "matrices b0"] | None
    """None of methods without a rank allocator."""
    modules: tuple[str, ...]


@dataclass(frozen=True)
class Outputs:
    """The outputs of a folder's complete runs, as far as they are there, for one split."""

    split: str
    labels: Int[np.ndarray, " rows"] | None
    runs: dict[int, Output]
    """By number of the run."""

    def of(self, runs: Iterable[Run]) -> dict[Key, Output]:
        """Those of some runs, by their seeds."""
        return {run.key: self.runs[run.number] for run in runs if run.number in self.runs}


def split_of(metric: str) -> str:
    """Returns the split that a metric is of; test where it is of none."""
    return "dev" if metric.startswith("dev_") else "test"


def read_outputs(comparison: Comparison, split: str) -> Outputs:
    """Reads labels and outputs; what is not there is left out.

    Raises:
        InputError: a file cannot be read, has not as many rows as there are labels, or arrays of
            another shape or kind.
    """
    path = comparison.folder / "labels.npz"
    labels = _load(path).get(split)
    if labels is not None and not (labels.ndim == 1 and labels.size and labels.dtype.kind in "iu"):
        raise _unfit(path, f"{split} must be a list of classes, whole numbers", labels)
    found = {}
    for run in comparison.runs:
        if run.state == "complete" and run.number is not None:
            path = comparison.folder / "outputs" / f"run-{run.number:05d}.npz"
            if arrays := _load(path):
                found[run.number] = _output(path, arrays, split, labels)
    return Outputs(split, labels, found)


def _load(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        with path.open("rb") as file, np.lib.npyio.NpzFile(file, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(
            f"{path}: must be a file of arrays, but cannot be read ({error}); remove it to "
            "compare the runs without it"
        ) from error


def _output(path: Path, arrays: dict[str, Any], split: str, labels: Any) -> Output:
    probabilities = arrays.get(split)
    predicted = None
    if probabilities is not None:
        _check_table(path, split, probabilities, "fiu", None if labels is None else len(labels))
        predicted = probabilities.argmax(axis=1)
    kept, modules = arrays.get("kept"), arrays.get("modules", np.array([], dtype=str))
    if modules.ndim != 1 or modules.dtype.kind != "U":
        raise _unfit(path, "modules must be a list of names", modules)
    if kept is not None:
        _check_table(path, "kept", kept, "biu", len(modules))
    names = tuple(map(str, modules))
    return Output(predicted, None if kept is None else kept.astype(bool), names)


def _check_table(path: Path, name: str, table: Any, kinds: str, rows: int | None) -> None:
    """Refuses what is no table of numbers, or has another number of rows."""
    fits = table.ndim == 2 and table.size and table.dtype.kind in kinds
    if not fits or (rows is not None and len(table) != rows):
        each = "" if rows is None else f" for each of the {rows} "
        of = each and f"{each}{'modules' if name == 'kept' else 'labels'}"
        raise _unfit(path, f"{name} must have a row of numbers{of}", table)


def _unfit(path: Path, rule: str, found: Any) -> InputError:
    return InputError(
        f"{path}: {rule}, but has the shape {found.shape} and the type {found.dtype}; remove it "
        "to compare the runs without it"
    )
