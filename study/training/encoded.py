"""Tokenised splits as flat arrays, which Ray's object store shares between workers uncopied.

Imports no torch, so that bad data is refused before anything heavy is loaded.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from jaxtyping import Int

from study.tasks.quality import Quality
from study.training.tokens import TokenReport


@dataclass(frozen=True)
class EncodedSplit:
    """Token ids of all rows, one after the other; row i is `tokens[offsets[i]:offsets[i+1]]`.

    `reverse_complement` holds the same rows as read from the other strand, where they are wanted:
    in train to augment, in dev and test to average the two strands.
    """

    tokens: Int[np.ndarray, " total"]
    offsets: Int[np.ndarray, " rows_plus_one"]
    labels: Int[np.ndarray, " rows"]
    reverse_complement: "EncodedSplit | None" = None

    def __len__(self) -> int:
        return len(self.labels)

    def row(self, index: int) -> Int[np.ndarray, " length"]:
        """The token ids of one row."""
        return self.tokens[self.offsets[index] : self.offsets[index + 1]]

    @property
    def lengths(self) -> Int[np.ndarray, " rows"]:
        """Tokens per row, special tokens included."""
        return np.diff(self.offsets)


@dataclass(frozen=True)
class EncodedTask:
    """The three splits of a task as one tokenizer sees them."""

    name: str
    num_labels: int
    pad_id: int
    train: EncodedSplit
    dev: EncodedSplit
    test: EncodedSplit
    tokens: TokenReport | None = None
    """How the tokenizer saw the sequences."""
    quality: Quality | None = None
    """What the sequences were like."""

    def reports(self) -> dict[str, Any]:
        """Returns `tokens` and `quality` as the journal keeps them, where they were measured."""
        found = {"tokens": self.tokens, "quality": self.quality}
        return {name: report.record() for name, report in found.items() if report is not None}

    def fingerprint(self) -> str:
        """Returns a hash of all tokens and labels, by which changed data is noticed."""
        digest = hashlib.sha256(f"{self.num_labels} {self.pad_id}".encode())
        for split in (self.train, self.dev, self.test):
            for strand in (split, split.reverse_complement):
                if strand is not None:
                    for array in (strand.tokens, strand.offsets, strand.labels):
                        digest.update(array.tobytes())
        return digest.hexdigest()


def encode_split(
    rows: Sequence[Sequence[int]],
    labels: Sequence[int],
    reverse_complement: EncodedSplit | None = None,
) -> EncodedSplit:
    """Packs token ids row by row into flat arrays."""
    offsets = np.zeros(len(rows) + 1, dtype=np.int64)
    np.cumsum([len(row) for row in rows], out=offsets[1:])
    tokens = np.fromiter(chain.from_iterable(rows), dtype=np.int32, count=offsets[-1])
    return EncodedSplit(tokens, offsets, np.asarray(labels, dtype=np.int64), reverse_complement)
