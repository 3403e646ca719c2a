"""Opening a study folder: whether a study may start or resume in it, and its lock."""

import fcntl
import os
import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from study.errors import InputError, instead_of
from study.storage.durable import PARTIAL, replacing
from study.storage.folder import StudyFolder
from study.storage.stored import StoredStudy

Changes = Callable[[StoredStudy], Sequence[str]]
"""Returns the settings of a stored study that may not differ from the present ones, but do."""


def check_folder(path: Path, changes: Changes, resume: bool) -> StoredStudy:
    """Checks that a study may start or resume in `path`; returns what is stored there.

    Writes nothing.

    Raises:
        InputError: the folder holds a study and `resume` is not set, or none and it is; the study
            in it asks for something else, is of a newer version or has a damaged journal; the
            folder is foreign or cannot be written.
    """
    folder = StudyFolder(path)
    try:
        path.exists()
    except OSError as error:
        raise InputError(
            f"{str(path)[:100]}: the study folder must be a valid path, but got "
            f"{error.strerror}; choose another --storage"
        ) from None
    if folder.spec.exists():
        if not resume:
            raise _started(folder, changes)
        stored = StoredStudy.read(folder)  # First: a newer spec.yaml may have unknown keys.
        check_journal(stored)
        stored.check()
        refuse_changes(path, changes(stored))
        _check_writable(path)
        return stored
    if resume:
        raise InputError(
            f"{path}: --resume needs a study folder, but got {instead_of(folder.spec)}; "
            "leave --resume out to start a study, or give the --storage and --name of one"
        )
    if path.exists() and not (path.is_dir() and _holds_nothing(folder)):
        raise InputError(
            f"{path}: a new study needs an empty folder or none, but got one with other "
            "files, or a file; choose another --name or --storage"
        )
    _check_writable(path)
    return StoredStudy.read(folder)


def _started(folder: StudyFolder, changes: Changes) -> InputError:
    """Returns the error for a new study in the folder of another, with a name that is free."""
    try:
        changed = list(changes(StoredStudy.read(folder)))
    except InputError:  # Damaged: --resume says how.
        changed = []
    path, number = folder.path, 2
    while (path.parent / f"{path.name}-{number}").exists():
        number += 1
    name = f"--name {shlex.quote(f'{path.name}-{number}')}"
    rule = f"{path}: a new study needs a new folder, but got"
    if changed:
        return InputError(f"{rule} one with other settings ({'; '.join(changed)}); add {name}")
    return InputError(
        f"{rule} one that has been started; continue it with --resume, or start another with "
        f"{name}"
    )


def has_results(folder: StudyFolder) -> bool:
    """Whether there are results, which only a journal can have led to."""
    files = (folder.trials, folder.results, folder.scores, StudyFolder(folder.finalists).journal)
    return any(file.exists() for file in files) or any(folder.checkpoints.glob("*.pt"))


def check_journal(stored: StoredStudy) -> None:
    """Checks that a folder with results has a journal.

    Raises:
        InputError: it has been lost.
    """
    journal = stored.folder.journal
    if not stored.lines and has_results(stored.folder):
        raise InputError(
            f"{journal}: a folder with results must have the journal, but got "
            f"{'an empty one' if journal.exists() else 'none'}; restore it from a copy, or "
            "choose another --name"
        )


def open_folder(path: Path, spec: str, replace: bool = False) -> StudyFolder:
    """Creates the folder and writes the spec's YAML into it; call `check_folder` first.

    With `replace` an existing spec.yaml is replaced, e.g. by a grown spec. Lock the folder
    (`locked`) if another driver may be at work.
    """
    folder = StudyFolder(path)
    _create(path)
    if replace or not folder.spec.exists():
        with replacing(folder.spec) as file:
            file.write(spec.encode())
    # After spec.yaml: a study can be started if the driver dies before, resumed if it dies later.
    for directory in _subfolders(folder):
        directory.mkdir(exist_ok=True)
    return folder


@contextmanager
def locked(folder: StudyFolder) -> Iterator[None]:
    """Locks the study folder for one driver; the lock ends with the process.

    Creates the folder, as nothing may be written before it is locked.

    Raises:
        InputError: another driver is at work in the folder, or it cannot be created.
    """
    _create(folder.path)
    with folder.lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                f"{folder.path}: one driver at a time may run a study, but got a second while "
                "another is at work; wait for it or stop it"
            ) from None
        yield


def is_locked(folder: StudyFolder) -> bool:
    """Whether a driver is at work in the folder; writes nothing."""
    try:
        with folder.lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def refuse_changes(path: Path, changed: Sequence[str]) -> None:
    """Refuses to resume a study with other settings.

    Raises:
        InputError: something has `changed`.
    """
    if changed:
        raise InputError(
            f"{path}: --resume needs the spec that the study was started with (spec.yaml), or "
            f"more trials and wider domains, but got one that differs in: {'; '.join(changed)}; "
            f"undo the change, give --space {StudyFolder(path).spec}, or start a study with "
            "another --name"
        )


def _create(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{path}: the study folder must be one that can be created, but got {error.strerror}; "
            "choose another --storage"
        ) from None


def _subfolders(folder: StudyFolder) -> tuple[Path, ...]:
    return folder.checkpoints, folder.failures, folder.ray


def _holds_nothing(folder: StudyFolder) -> bool:
    """Whether the folder has only files of a driver that died before it wrote spec.yaml."""
    return all(
        path == folder.lock
        or path.suffix == PARTIAL
        or path.name.startswith(".cluster-check-")
        or (path in _subfolders(folder) and path.is_dir() and not any(path.iterdir()))
        for path in folder.path.iterdir()
    )


def _check_writable(path: Path) -> None:
    existing = next(parent for parent in (path, *path.parents) if parent.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        raise InputError(
            f"{path}: the study folder must be writable, but got {existing} without write "
            "permission; choose another --storage"
        )
