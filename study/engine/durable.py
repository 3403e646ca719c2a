"""File names that outlast a loss of power: those of new and renamed files are in the folder."""

import os
from pathlib import Path


def sync_names(folder: Path) -> None:
    """Returns when the names of the files in `folder` are on disk.

    Raises:
        OSError: they cannot be brought there.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
