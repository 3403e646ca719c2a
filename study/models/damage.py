"""One-line errors for whatever a library raises when it reads a user's files."""

from collections.abc import Iterator
from contextlib import contextmanager

from study.errors import InputError

_LONGEST = 200
"""Characters of another library's message that are shown."""


@contextmanager
def refusing(rule: str, fix: str) -> Iterator[None]:
    """Turns every exception but an InputError into an InputError of one line.

    For calls that parse files or build objects from their values: the libraries document no
    exceptions for damaged ones. `rule` names the place and what must hold, `fix` what to do.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{rule}, but got {message_of(error)}; {fix}") from error


def message_of(error: BaseException) -> str:
    """Returns an error's message without line breaks, cut; with its type if it is one word."""
    text = " ".join(str(error).split()).rstrip(":. ")
    text = text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
    return text if " " in text else f"{type(error).__name__}({text})"
