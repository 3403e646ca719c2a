"""What the doctor has to say: one thing that is wrong, and how to mend it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a study folder."""

    group: str
    """The group of checks that found it."""
    problem: str
    """What is wrong, and where."""
    mend: str
    """What to do about it: a sentence, or a command."""
    unfinished: bool = False
    """Whether an interruption at a bad moment leaves this behind, and `--resume` mends it."""


class NotCheckedError(Exception):
    """A group of checks does not apply, or cannot be made at present; the message says why."""


def some(numbers: list[int], most: int = 8) -> str:
    """Lists numbers in words: `trial 3`, `trials 3, 4 and 2 more`."""
    listed = ", ".join(map(str, numbers[:most]))
    more = f" and {len(numbers) - most} more" if len(numbers) > most else ""
    return f"trial{'s' if len(numbers) > 1 else ''} {listed}{more}"
