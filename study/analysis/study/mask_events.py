"""Reads which triplets the mask events of a run kept, from best/ and the outputs of the race."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from study.errors import InputError
from study.storage.predictions import read_arrays

ARRAYS = ("modules", "event_steps", "event_kept", "event_top", "scored_steps", "event_scores")


@dataclass(frozen=True)
class MaskEvents:
    """The mask events of one run; triplets are numbered by matrix, then by their index in lam."""

    modules: list[str]
    """The names of the adapted matrices."""
    steps: list[int]
    kept: Bool[np.ndarray, "events triplets"]
    top: Bool[np.ndarray, "events triplets"]
    """Whether a triplet had one of the largest scores, as many as the budget allows."""
    scored: list[int]
    """The steps of the first, the middle and the last event."""
    scores: Float[np.ndarray, "scored triplets"]

    @property
    def b0(self) -> int:
        """The number of triplets of each matrix."""
        return int(self.kept.shape[1]) // len(self.modules)


def read_mask_events(path: Path) -> MaskEvents | None:
    """Returns the mask events of a file; None if there is none, or it does not have them.

    Folders of earlier versions do not have them.

    Raises:
        InputError: the file is damaged.
    """
    arrays = _arrays(path, ARRAYS)
    if arrays is None:
        return None
    try:
        return _mask_events(*arrays)
    except (ValueError, IndexError) as error:
        raise _damaged(path, error) from error


def read_final_ranks(path: Path) -> dict[str, int] | None:
    """Returns matrix -> triplets kept by the last mask event, of a run of a comparison.

    None if there is no such file, or the method has no rank allocator.

    Raises:
        InputError: the file is damaged.
    """
    arrays = _arrays(path, ("modules", "kept"))
    if arrays is None:
        return None
    modules, kept = arrays
    if kept.ndim != 2 or modules.shape != kept.shape[:1]:
        raise _damaged(path, ValueError("arrays of shapes that do not belong together"))
    return {str(name): int(row.sum()) for name, row in zip(modules, kept, strict=True)}


def _arrays(path: Path, names: Sequence[str]) -> list[np.ndarray] | None:
    """Returns arrays of a file; None if there is none, or it lacks one of them."""
    if not path.is_file():
        return None
    try:
        stored = read_arrays(path)
    except (OSError, ValueError) as error:
        raise _damaged(path, error) from error
    return [stored[name] for name in names] if set(names) <= stored.keys() else None


def _damaged(path: Path, error: Exception) -> InputError:
    return InputError(
        f"{path}: must have the triplets that a run kept, but got: {error}; remove the file to "
        "make the report without them"
    )


def _mask_events(
    modules: np.ndarray,
    steps: np.ndarray,
    kept: np.ndarray,
    top: np.ndarray,
    scored: np.ndarray,
    scores: np.ndarray,
) -> MaskEvents | None:
    """Returns the events of the stored arrays; None without an event.

    Raises:
        ValueError: they do not belong together.
    """
    if not len(steps) or not len(scored):
        return None
    triplets = scores.shape[1]
    if triplets % len(modules) or len(kept) != len(steps) or kept.shape != top.shape:
        raise ValueError("arrays of shapes that do not belong together")
    if len(scored) != len(scores) or kept.shape[1] != -(-triplets // 8):
        raise ValueError("arrays of shapes that do not belong together")
    return MaskEvents(
        [str(name) for name in modules],
        [int(step) for step in steps],
        np.unpackbits(kept, axis=1, count=triplets).astype(bool),
        np.unpackbits(top, axis=1, count=triplets).astype(bool),
        [int(step) for step in scored],
        scores,
    )
