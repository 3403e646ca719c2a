"""predictions.npz: the logits and labels of a trained model on dev and test; reading npz files."""

import tokenize
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from study.errors import InputError
from study.storage.durable import replacing

SPLITS = ("dev", "test")
_DAMAGE = (
    *(EOFError, zipfile.BadZipFile, zlib.error, tokenize.TokenError),
    *(NotImplementedError, RuntimeError),  # Damaged flags: another compression, encryption.
)
"""What zipfile and numpy raise for a damaged file, beside ValueError."""


@dataclass(frozen=True)
class SplitPredictions:
    """One split, its rows in the order of the data."""

    logits: Float[np.ndarray, "rows classes"]
    """float32; the logarithms of mean probabilities if both strands are averaged."""
    labels: Int[np.ndarray, " rows"]

    @property
    def predicted(self) -> Int[np.ndarray, " rows"]:
        """The class of the largest logit."""
        predicted: Int[np.ndarray, " rows"] = self.logits.argmax(axis=1)
        return predicted


@dataclass(frozen=True)
class Predictions:
    """The splits by name, and the classes in the order of the logits."""

    splits: Mapping[str, SplitPredictions]
    classes: tuple[str, ...]
    """Their names, or their numbers as texts if the labels are numbers."""


def write_predictions(path: Path, predictions: Predictions) -> None:
    """Writes predictions.npz; equal predictions give equal bytes.

    The arrays are `dev_logits`, `dev_labels`, `test_logits`, `test_labels` and `classes`.

    Raises:
        OSError: the file cannot be written.
    """
    arrays: dict[str, Any] = {"classes": np.array(predictions.classes, dtype=str)}
    for name, split in predictions.splits.items():
        arrays[f"{name}_logits"] = split.logits.astype(np.float32)
        arrays[f"{name}_labels"] = split.labels.astype(np.int64)
    with replacing(path) as file:
        np.savez_compressed(file, **arrays)


def read_predictions(path: Path) -> Predictions | None:
    """Returns the predictions of a file; None if there is none, as in folders of older versions.

    Raises:
        InputError: the file is damaged.
    """
    if not path.is_file():
        return None
    try:
        arrays = read_arrays(path)
        classes = tuple(map(str, arrays["classes"]))
        return Predictions({name: _split(arrays, name, classes) for name in SPLITS}, classes)
    except KeyError as error:
        raise _damaged(path, f"no array {error}") from error
    except (OSError, ValueError) as error:
        raise _damaged(path, str(error)) from error


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Returns all arrays of an npz file, without unpickling.

    Raises:
        OSError: it cannot be read.
        ValueError: it is damaged.
    """
    try:
        with path.open("rb") as file, np.lib.npyio.NpzFile(file, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except _DAMAGE as error:
        raise ValueError(str(error)) from error


def _split(
    arrays: Mapping[str, np.ndarray], name: str, classes: Sequence[str]
) -> SplitPredictions:
    """Returns a split of the stored arrays.

    Raises:
        ValueError: they do not belong together.
    """
    logits, labels = arrays[f"{name}_logits"], arrays[f"{name}_labels"]
    fits = logits.ndim == 2 and logits.dtype.kind == "f" and logits.shape[1] == len(classes) > 1
    if not fits or labels.shape != logits.shape[:1] or labels.dtype.kind != "i" or not labels.size:
        raise ValueError(
            f"{name}_logits of shape {logits.shape} and {name}_labels of shape {labels.shape} for "
            f"{len(classes)} classes"
        )
    if labels.min() < 0 or labels.max() >= len(classes):
        raise ValueError(f"{name}_labels from {labels.min()} to {labels.max()}")
    return SplitPredictions(logits, labels)


def _damaged(path: Path, found: str) -> InputError:
    return InputError(
        f"{path}: must have the logits and labels of dev and test, but got: {found}; remove the "
        "file to read the study without them"
    )
