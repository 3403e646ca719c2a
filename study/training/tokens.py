"""How the tokenizer saw each split: tokens per sequence, what is cut, what is unknown."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class SplitTokens:
    """Tokens per sequence of one split, special tokens included, before any cut."""

    mean: float
    longest: int
    truncated: float
    """Share of sequences, in [0, 1], that are longer than the limit and lose their end."""
    unknown: float = 0.0
    """Share of unknown tokens: always 0, as a split with any is refused."""


@dataclass(frozen=True)
class TokenReport:
    """The splits by name; `train, other strand` where reverse complements were read as well."""

    max_length: int
    """The most tokens a row may have: `task.max_length`, else as many as the longest has."""
    measured: bool
    """Whether `max_length` was measured; else it was set."""
    splits: dict[str, SplitTokens]

    def lines(self) -> list[str]:
        """The report for people, a line a split after one for all."""
        limit = "the longest sequence" if self.measured else "task.max_length"
        lines = [f"at most {self.max_length} a sequence ({limit}), none unknown"]
        for name, split in self.splits.items():
            cut = f", {split.truncated:.1%} of the sequences are cut" if split.truncated else ""
            lines.append(f"{name}: {split.mean:.1f} on average, {split.longest} at most{cut}")
        return lines

    def record(self) -> dict[str, Any]:
        """The report for the journal."""
        return asdict(self)


def count_tokens(lengths: Sequence[int], max_length: int) -> SplitTokens:
    """Sums up the tokens of each sequence of a split that has at least one."""
    counts = np.asarray(lengths)
    return SplitTokens(
        mean=float(counts.mean()),
        longest=int(counts.max()),
        truncated=float((counts > max_length).mean()),
    )
