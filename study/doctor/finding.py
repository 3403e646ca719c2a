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


def some(numbers: list[int], what: str = "trial") -> str:
    """Lists numbers in words: `trial 3`, `trials 3, 4`; no more than eight of them."""
    listed = ", ".join(map(str, numbers[:8]))
    more = f" and {len(numbers) - 8} more" if len(numbers) > 8 else ""
    return f"{what}{'s' if len(numbers) > 1 else ''} {listed}{more}"
