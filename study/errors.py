"""Errors that the user can fix; commands print them on one line and exit with status 2."""

import re
from pathlib import Path

from typing_extensions import override

LONGEST = 1500
"""The most characters of a message that are shown."""


class InputError(Exception):
    """A setting, file or service given by the user cannot be used.

    The message is one line, `WHERE: RULE, but got FOUND; FIX`. FIX is left out if the rule itself
    names the allowed values or bounds. Commands print the message without a traceback and exit
    with status 2. Any other exception is a bug.
    """

    @override
    def __str__(self) -> str:
        return one_line(super().__str__())


class UnavailableError(InputError):
    """Weights or data are unavailable: no network and not in the cache, or they do not exist.

    A study stops with this error; a benchmark leaves the cells that need them empty.
    """


def one_line(text: str) -> str:
    """Returns a message as it can be shown: on one line, without control characters.

    What cannot be printed (NUL, escape sequences, line breaks, lone surrogates) is escaped as in a
    Python string. A text of more than `LONGEST` characters is cut in its middle. Users and
    passwords of web addresses are left out.
    """
    text = without_user(text)
    if len(text) > LONGEST:
        text = f"{text[: LONGEST * 2 // 3]} ... {text[-LONGEST // 3 :]}"
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def without_user(text: str) -> str:
    """Returns a text without the users and passwords of the web addresses in it."""
    return re.sub(r"(?<=://)\S*@", "", text)


def instead_of(*files: Path) -> str:
    """Returns what is at the place of a folder with these files, e.g. `no such folder`.

    The first file is directly in the folder.
    """
    folder = files[0].parent
    if not folder.is_dir():
        return "a file" if folder.exists() else "no such folder"
    missing = [str(file.relative_to(folder)) for file in files if not file.is_file()]
    return f"a folder without {' and '.join(missing)}"
