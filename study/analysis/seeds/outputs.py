"""What single runs answered: labels.npz and outputs/run-NNNNN.npz of a comparison folder."""

import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from study.analysis.seeds.reading import Comparison, Key, Run
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
        InputError: a file cannot be read, or has not as many rows as there are labels.
    """
    labels = _load(comparison.folder / "labels.npz").get(split)
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
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{path}: must be a file of arrays, but cannot be read ({error}); remove it to "
            "compare the runs without it"
        ) from error


def _output(path: Path, arrays: dict[str, Any], split: str, labels: Any) -> Output:
    probabilities = arrays.get(split)
    predicted = None
    if probabilities is not None:
        rows = len(probabilities) if labels is None else len(labels)
        if probabilities.ndim != 2 or len(probabilities) != rows:
            raise InputError(
                f"{path}: {split} must have a row for each of the {rows} labels, but has the "
                f"shape {probabilities.shape}; remove it to compare the runs without it"
            )
        predicted = probabilities.argmax(axis=1)
    kept = arrays.get("kept")
    modules = tuple(map(str, arrays.get("modules", ())))
    if kept is not None and (kept.ndim != 2 or len(kept) != len(modules)):
        raise InputError(
            f"{path}: kept must have a row for each of the {len(modules)} modules, but has the "
            f"shape {kept.shape}; remove it to compare the runs without it"
        )
    return Output(predicted, None if kept is None else kept.astype(bool), modules)
