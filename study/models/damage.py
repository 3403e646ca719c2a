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
        raise InputError(f"{rule}, but got {first_line(error)}; {fix}") from error


def first_line(error: BaseException) -> str:
    """Returns the first line of an error's message with its control characters escaped."""
    line = next((line for line in str(error).splitlines() if line.strip()), "")
    shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line.strip().rstrip(":"))
    shown = shown if len(shown) <= _LONGEST else shown[:_LONGEST] + "…"
    return shown if " " in shown else f"{type(error).__name__}({shown})"
