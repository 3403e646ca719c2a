"""One split of a task: sequences and their labels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import compress

SPLITS = ("train", "dev", "test")
_COMPLEMENT = str.maketrans("ACGT", "TGCA")


def reverse_complement(sequence: str) -> str:
    """Returns the reverse complement of an upper-case sequence over A, C, G, T, N."""
    return sequence.translate(_COMPLEMENT)[::-1]


@dataclass(frozen=True)
class Split:
    """Sequences over A, C, G, T, N in upper case, and the class 0..k-1 of each."""

    sequences: list[str]
    labels: list[int]

    def __len__(self) -> int:
        return len(self.labels)

    def where(self, chosen: Iterable[bool]) -> Split:
        """Returns the chosen rows in their order; `chosen` has one entry per row."""
        chosen = list(chosen)
        return Split(list(compress(self.sequences, chosen)), list(compress(self.labels, chosen)))
