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
        raise InputError(f"{rule}, but got {one_line(error)}; {fix}") from error


def one_line(error: BaseException) -> str:
    """Returns an error's message on one line, cut, with its control characters escaped."""
    text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in " ".join(str(error).split()))
    text = text.rstrip(":. ")
    text = text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
    return text if " " in text else f"{type(error).__name__}({text})"
