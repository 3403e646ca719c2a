"""A trial's checkpoints: the last two, each written whole or not at all.

`checkpoints/trial-00003.pt` is the last, `trial-00003.previous.pt` the one before it, which serves
if the last turns out to be damaged. What is being written has a name that belongs to its process.
"""

import pickle
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from study.storage.durable import replacing
from study.storage.folder import StudyFolder

DAMAGED = (
    *(RuntimeError, ValueError, KeyError, TypeError, EOFError),
    *(pickle.UnpicklingError, zipfile.BadZipFile, zlib.error),
)
"""What a damaged file makes torch's reader raise; one out of reach is none."""


def save(folder: StudyFolder, trial: int, state: dict[str, Any]) -> str:
    """Writes a trial's checkpoint; returns why it could not, "" if it could.

    A trial can do without: if it must be taken up again, it goes on from an older checkpoint.
    """
    path = folder.checkpoint(trial)
    return write(path, state, keep=previous(path))


def write(path: Path, state: dict[str, Any], keep: Path | None = None) -> str:
    """Writes a file that `read` reads; returns why it could not, "" if it could."""
    try:
        with replacing(path, keep) as file:
            torch.save(state, file)
    except (OSError, RuntimeError) as error:  # torch's writer knows a full disk as the latter.
        return f"{path.name} could not be written: {_first_line(error)}"
    return ""


def load(
    folder: StudyFolder, trial: int, fits: Callable[[dict[str, Any]], bool]
) -> tuple[dict[str, Any] | None, list[str]]:
    """Returns a trial's newest sound checkpoint, on the CPU, and what is wrong with newer ones.

    None if there is none that `fits`. A damaged file stays where it is, as `.damaged`.
    """
    path = folder.checkpoint(trial)
    warnings: list[str] = []
    for candidate in (path, previous(path)):
        try:
            state = read(candidate)
            if fits(state):
                return state, warnings
        except FileNotFoundError:
            continue
        except DAMAGED as error:
            warnings.append(set_aside(candidate, error))
    if warnings:
        warnings.append("no older checkpoint: the trial starts again from its beginning")
    return None, warnings


def read(file: Path) -> dict[str, Any]:
    """Returns what a checkpoint file holds, on the CPU; raises one of `DAMAGED` if it is."""
    _check_sums(file)
    state: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
    return state


def set_aside(file: Path, error: Exception) -> str:
    """Renames a damaged file to `.damaged`; returns what to say of it."""
    file.replace(file.with_suffix(".damaged"))
    return f"{file.name} is damaged and was set aside: {_first_line(error)}"


def discard(folder: StudyFolder, trial: int) -> None:
    """Deletes a trial's checkpoints, damaged and half-written ones too.

    What cannot be deleted stays, until the next run of the driver: it takes room, no more.
    """
    path = folder.checkpoint(trial)
    with suppress(OSError):
        for file in folder.checkpoints.glob(f"{path.stem}.*"):
            file.unlink(missing_ok=True)


def discard_partial(folder: StudyFolder) -> None:
    """Deletes what processes that were killed have left half written."""
    with suppress(OSError):
        for file in folder.checkpoints.glob("*.partial"):
            file.unlink(missing_ok=True)


def previous(path: Path) -> Path:
    """Returns where the checkpoint before the last one is."""
    return path.with_suffix(".previous.pt")


def _check_sums(file: Path) -> None:
    """Compares every part of a torch file with its checksum, which torch itself does not."""
    with zipfile.ZipFile(file) as parts:
        damaged = parts.testzip()
    if damaged is not None:
        raise zipfile.BadZipFile(f"{damaged} does not have its checksum")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
