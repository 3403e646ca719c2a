"""Errors that the user can fix; commands print them on one line and exit with status 2."""

from pathlib import Path


class InputError(Exception):
    """A setting, file or service given by the user cannot be used.

    The message is one line, `WHERE: RULE, but got FOUND; FIX`. FIX is left out if the rule itself
    names the allowed values or bounds. Commands print the message without a traceback and exit
    with status 2. Any other exception is a bug.
    """


class UnavailableError(InputError):
    """Weights or data are unavailable: no network and not in the cache, or they do not exist.

    A study stops with this error; a benchmark leaves the cells that need them empty.
    """


def instead_of(*files: Path) -> str:
    """Returns what is at the place of a folder with these files, e.g. `no such folder`.

    The first file is directly in the folder.
    """
    folder = files[0].parent
    if not folder.is_dir():
        return "a file" if folder.exists() else "no such folder"
    missing = [str(file.relative_to(folder)) for file in files if not file.is_file()]
    return f"a folder without {' and '.join(missing)}"
