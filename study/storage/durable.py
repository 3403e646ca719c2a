"""Files that are replaced whole, and whose names survive a loss of power."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

PARTIAL = ".partial"
"""The suffix of a file that is being written."""


@contextmanager
def replacing(path: Path, keep: Path | None = None) -> Iterator[BinaryIO]:
    """Yields a file that replaces `path` once it is on disk; after an error it is deleted.

    Until then it has a temporary name that no other writer has, on this or another machine. The
    previous file at `path` is kept as `keep`, if given.
    """
    partial = path.with_suffix(f".{os.getpid()}-{secrets.token_hex(4)}{PARTIAL}")
    try:
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if keep is not None and path.exists():
            path.replace(keep)
        partial.replace(path)
        sync_names(path.parent)
    finally:
        partial.unlink(missing_ok=True)


def sync(file: Path) -> None:
    """Waits until the content of a file is on disk.

    Raises:
        OSError: it cannot be written.
    """
    with file.open("rb") as opened:
        os.fsync(opened.fileno())


def sync_names(folder: Path) -> None:
    """Waits until the names of the files in `folder` are on disk.

    Raises:
        OSError: they cannot be written.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
