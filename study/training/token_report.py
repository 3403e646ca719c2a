"""Statistics of a tokenised task: sequence lengths in tokens, truncated sequences."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class SplitTokens:
    """Tokens per sequence of one split, special tokens included, before truncation."""

    mean: float
    longest: int
    truncated: float
    """Fraction of sequences that are longer than `max_length` and lose their end."""
    unknown: float = 0.0
    """Fraction of unknown tokens: always 0, as unknown tokens are refused."""


@dataclass(frozen=True)
class TokenReport:
    """The statistics of all splits of a task."""

    max_length: int
    """The most tokens of a row: `task.max_length`, else the length of the longest row."""
    measured: bool
    """Whether `max_length` is the length of the longest row."""
    splits: dict[str, SplitTokens]
    """By name; with reverse complements also `train, other strand` and so on."""

    def lines(self) -> list[str]:
        """Returns the report as text: a line for the task, then a line per split."""
        limit = "the longest sequence" if self.measured else "task.max_length"
        lines = [f"at most {self.max_length} per sequence ({limit}), none unknown"]
        for name, split in self.splits.items():
            cut = f", {split.truncated:.1%} of the sequences truncated" if split.truncated else ""
            lines.append(f"{name}: {split.mean:.1f} on average, {split.longest} at most{cut}")
        return lines

    def record(self) -> dict[str, Any]:
        """Returns the report as JSON for the journal."""
        return asdict(self)


def count_tokens(lengths: Sequence[int], max_length: int) -> SplitTokens:
    """Returns the statistics of the tokens per sequence of a split with at least one sequence."""
    counts = np.asarray(lengths)
    return SplitTokens(
        mean=float(counts.mean()),
        longest=int(counts.max()),
        truncated=float((counts > max_length).mean()),
    )
