"""Sequences to predict -> token ids, on the strands that the trained model averages.

A sequence of more tokens than the model reads is refused, cut as in the study, or read in windows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from study.errors import InputError
from study.models import BackboneInfo
from study.models.tokenization import load_tokenizer
from study.spec import TaskSpec
from study.tasks.split import reverse_complement


@dataclass(frozen=True)
class Encoded:
    """The token ids of some sequences on one strand; each has one window or more."""

    windows: list[list[int]]
    """Special tokens included."""
    owner: Int[np.ndarray, " windows"]
    """The sequence of each window, in order."""
    cut: int
    """How many sequences were cut to `task.max_length` tokens."""


class Inputs:
    """Reads sequences as the model of a study does."""

    def __init__(self, task: TaskSpec, info: BackboneInfo, overlap: float | None = None) -> None:
        """Sets the limit: `task.max_length` tokens, else the positions of the backbone.

        `overlap`, in [0, 1), is the share of a window that the next one repeats; None refuses
        sequences of more tokens than the backbone has positions, and cuts others.

        Raises:
            InputError: windows are asked for, and there is no limit.
        """
        self._tokenizer = load_tokenizer(info)
        self._name = info.name
        self._positions = info.max_positions
        self._cut = task.max_length
        self._averages = task.averages_rc
        self._overlap = overlap
        self.pad_id = self._tokenizer.pad_id
        self.limit = task.max_length or info.max_positions
        """The most tokens of a window; None for no limit."""
        if overlap is not None and self.limit is None:
            raise InputError(
                "--windows: must be left out for a backbone without a longest input, but got "
                f"{info.name}, which reads sequences of any length whole; leave it out"
            )

    def encode(self, sequences: Sequence[str]) -> list[Encoded]:
        """Returns the token ids of DNA sequences on each strand that the predictions average.

        Raises:
            InputError: a sequence has an unknown letter, or is too long.
        """
        strands = [self._encode(sequences)]
        if self._averages:
            strands.append(self._encode([reverse_complement(one) for one in sequences]))
        return strands

    def _encode(self, sequences: Sequence[str]) -> Encoded:
        rows = self._tokenizer(sequences)
        if self._overlap is not None and self.limit is not None:
            parts = [self._windows(row, self.limit, self._overlap) for row in rows]
            owner = np.repeat(np.arange(len(rows)), [len(part) for part in parts])
            return Encoded([window for part in parts for window in part], owner, 0)
        cut = 0
        if self._cut is not None:
            cut = sum(len(row) > self._cut for row in rows)
            rows = [self._tokenizer.cut(row, self._cut) for row in rows]
        longest = max(map(len, rows), default=0)
        if self._positions is not None and longest > self._positions:
            raise InputError(
                f"sequences: must fit the {self._positions} positions of {self._name}, but got "
                f"one of {longest} tokens; shorten it, or predict the mean of its windows: "
                "--windows"
            )
        return Encoded(rows, np.arange(len(rows)), cut)

    def _windows(self, row: list[int], limit: int, overlap: float) -> list[list[int]]:
        """Returns the windows of a row with their special tokens; the last one ends with it."""
        if len(row) <= limit:
            return [row]
        before, after = list(self._tokenizer.prefix), list(self._tokenizer.suffix)
        inner = row[len(before) : len(row) - len(after)]
        size = max(1, limit - len(before) - len(after))
        step = max(1, round(size * (1 - overlap)))
        last = len(inner) - size
        starts = [*range(0, last, step), last]
        return [[*before, *inner[start : start + size], *after] for start in starts]
