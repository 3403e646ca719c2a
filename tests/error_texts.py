"""The pattern of a user's error message: `WHERE: RULE, but got FOUND; FIX`."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from study.errors import InputError

PATTERN = re.compile(r"\S.*?: .*\b(must|needs|may)\b.*, but got\b.*\S")
"""A line: a place, a rule, and what was given instead; a fix is optional (see `InputError`)."""
CHECKED = ("study.",)
"""Prefixes of the modules whose messages are checked."""


@contextmanager
def recorded_faults() -> Iterator[list[str]]:
    """Yields the messages, as they are created, that break the pattern."""
    faults: list[str] = []

    def record(error: InputError, *arguments: object) -> None:
        Exception.__init__(error, *arguments)
        module = str(sys._getframe(1).f_globals["__name__"])
        if module.startswith(CHECKED) and not PATTERN.fullmatch(str(error)):
            faults.append(f"{module}: {error}")

    with mock.patch.object(InputError, "__init__", record):
        yield faults
