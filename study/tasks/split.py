"""One split of a task: sequences and their labels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import compress

SPLITS = ("train", "dev", "test")
_COMPLEMENT = str.maketrans("ACGT", "TGCA")


def reverse_complement(sequence: str) -> str:
    """The other strand of an upper-case sequence over A, C, G, T, N, read 5' to 3'."""
    return sequence.translate(_COMPLEMENT)[::-1]


@dataclass(frozen=True)
class Split:
    """Sequences over A, C, G, T, N in upper case, and their classes 0..k-1, row by row."""

    sequences: list[str]
    labels: list[int]

    def __len__(self) -> int:
        return len(self.labels)

    def where(self, chosen: Iterable[bool]) -> Split:
        """The rows that are chosen, in their order; `chosen` has one entry a row."""
        chosen = list(chosen)
        return Split(list(compress(self.sequences, chosen)), list(compress(self.labels, chosen)))
