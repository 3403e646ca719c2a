"""Findings of the doctor."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One fault of a study folder."""

    group: str
    """The group of checks that found it."""
    problem: str
    """What is wrong, and where."""
    fix: str
    """How to fix it: a sentence, or a command."""
    unfinished: bool = False
    """Whether an interruption can leave it behind; `--resume` then fixes it."""


class NotCheckedError(Exception):
    """A group of checks does not apply or cannot run at present; the message is the reason."""


def some(numbers: list[int], what: str = "trial") -> str:
    """Returns a list of at most eight numbers as text: `trial 3`, `trials 3, 4`."""
    listed = ", ".join(map(str, numbers[:8]))
    more = f" and {len(numbers) - 8} more" if len(numbers) > 8 else ""
    return f"{what}{'s' if len(numbers) > 1 else ''} {listed}{more}"
