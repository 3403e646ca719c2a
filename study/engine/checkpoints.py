"""Checkpoints of trials: the last two of each, written atomically.

`checkpoints/trial-00003.pt` is the last one; `trial-00003.previous.pt`, the one before it, is used
if the last is damaged. A file that is being written has a name unique to its process.
"""

import zipfile
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from study.storage.durable import replacing
from study.storage.folder import StudyFolder

PARTS = ("trial", "result", "params")
"""What a trial's checkpoint has: its state, its last report, its parameters."""


class DamagedError(Exception):
    """A file of `write` that cannot be read; the message is the reason, on one line."""


def save(folder: StudyFolder, trial: int, state: dict[str, Any]) -> str:
    """Writes a trial's checkpoint; returns an error message, "" on success.

    A failure does not end the trial; a resume would continue it from an older checkpoint.
    """
    path = folder.checkpoint(trial)
    return write(path, state, keep=previous(path))


def write(path: Path, state: dict[str, Any], keep: Path | None = None) -> str:
    """Writes a file for `read`; returns an error message, "" on success."""
    try:
        with replacing(path, keep) as file:
            torch.save(state, file)
    except (OSError, RuntimeError) as error:  # torch raises the latter on a full disk.
        return f"{path.name} could not be written: {_first_line(error)}"
    return ""


def load(
    folder: StudyFolder, trial: int, fits: Callable[[dict[str, Any]], bool]
) -> tuple[dict[str, Any] | None, list[str]]:
    """Returns a trial's newest intact checkpoint that `fits`, on the CPU, and warnings.

    None if there is no such checkpoint. Damaged files are renamed to `.damaged`.
    """
    path = folder.checkpoint(trial)
    warnings: list[str] = []
    for candidate in (path, previous(path)):
        try:
            state = read(candidate, PARTS)
        except FileNotFoundError:
            continue
        except DamagedError as error:
            warnings.append(set_aside(candidate, error))
            continue
        if fits(state):
            return state, warnings
    if warnings:
        warnings.append("no older checkpoint: the trial starts again from its beginning")
    return None, warnings


def read(file: Path, parts: Collection[str]) -> dict[str, Any]:
    """Returns the content of a file of `write`, on the CPU; `parts` are its keys.

    Raises:
        FileNotFoundError: there is no such file.
        DamagedError: the file is damaged, lacks a part, or cannot be read from the disk.
    """
    try:
        _check_sums(file)
        state: object = torch.load(file, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise
    except Exception as error:  # The readers of zip, pickle and torch raise almost anything.
        raise DamagedError(_first_line(error)) from error
    if not isinstance(state, dict) or not state.keys() >= set(parts):
        raise DamagedError(f"it must have {', '.join(parts)}")
    return state


def set_aside(file: Path, error: DamagedError) -> str:
    """Renames a damaged file to `.damaged`; returns a warning."""
    file.replace(file.with_suffix(".damaged"))
    return f"{file.name} is damaged and was set aside: {error}"


def discard(folder: StudyFolder, trial: int) -> None:
    """Deletes a trial's checkpoints, including damaged and partial ones.

    Files that cannot be deleted stay until the next session; they only take up space.
    """
    path = folder.checkpoint(trial)
    with suppress(OSError):
        for file in folder.checkpoints.glob(f"{path.stem}.*"):
            file.unlink(missing_ok=True)


def move(source: StudyFolder, trial: int, target: StudyFolder, number: int) -> None:
    """Gives a trial's checkpoints to trial `number` of another folder; those missing are left out.

    Files that cannot be moved stay; the trial then starts from its beginning.
    """
    here, there = source.checkpoint(trial), target.checkpoint(number)
    for file, moved in ((previous(here), previous(there)), (here, there)):
        with suppress(OSError):
            file.replace(moved)


def discard_partial(folder: StudyFolder) -> None:
    """Deletes partial files of processes that were killed."""
    with suppress(OSError):
        for file in folder.checkpoints.glob("*.partial"):
            file.unlink(missing_ok=True)


def previous(path: Path) -> Path:
    """Returns the path of the checkpoint before the last one."""
    return path.with_suffix(".previous.pt")


def _check_sums(file: Path) -> None:
    """Compares every part of a torch file with its checksum, which torch does not do."""
    with zipfile.ZipFile(file) as parts:
        damaged = parts.testzip()
    if damaged is not None:
        raise zipfile.BadZipFile(f"the checksum of {damaged} is wrong")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
