"""Sequences of dev and test that have a near copy in train, on either strand.

| symbol | meaning |
|---|---|
| K | length of the words: all substrings of a sequence over A, C, G, T |
| A, B | sets of the canonical words of two sequences; a word and its reverse complement are one |
| J(A, B) | their Jaccard similarity, size of the intersection / size of the union |
| b, r | bands of a sketch, and minima in a band |

Two sequences are near copies if J >= JACCARD. First, rows are left out of which fewer words than
the share JACCARD occur on the other side at all. Among the others, pairs are found by MinHash
sketches (Broder 1997) with banding (locality-sensitive hashing): two sequences are compared if all
r minima of one of the b bands are equal, which has the probability 1 - (1 - J^r)^b. J of such a
pair is then computed exactly, so that no pair is reported wrongly; 5 % of the pairs at J = JACCARD
are missed, 1 % of those at J = 0.3. All hash functions are fixed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt32

from study.tasks.split import Split

K = 13
JACCARD = 0.25
"""Of windows of equal length: an overlap of 40 % of their length, or 7 % of bases changed."""
BANDS, ROWS = 48, 2
LIMIT = 20_000_000
"""Bases of all splits up to which near copies are looked for without being asked."""
_CHUNK = 256
"""Sequences whose words are computed at once."""
_CODES = np.full(256, 4, np.uint8)
_CODES[np.frombuffer(b"ACGT", np.uint8)] = np.arange(4)

Words = UInt32[np.ndarray, " words"]


@dataclass(frozen=True)
class NearCopies:
    """Which rows have a near copy: of dev and test in train, of train in dev or test."""

    train: list[bool]
    dev: list[bool]
    test: list[bool]

    def counts(self) -> dict[str, int]:
        """Returns the number of such rows by split."""
        return {"train": sum(self.train), "dev": sum(self.dev), "test": sum(self.test)}


def bases(*splits: Split) -> int:
    """Returns the length of all sequences together."""
    return sum(len(sequence) for split in splits for sequence in split.sequences)


def near_copies(train: Split, dev: Split, test: Split) -> NearCopies:
    """Finds the near copies between train and the two other splits.

    Sequences with fewer than K bases, or with an N in every word, have none.
    """
    ours = list(_words(train.sequences))
    others = list(_words([*dev.sequences, *test.sequences]))
    theirs = _suspects(others, range(len(others)), ours)
    mine = _suspects(ours, range(len(ours)), [others[row] for row in theirs])
    theirs = _suspects(others, theirs, [ours[row] for row in mine])

    def is_near(row: int, other: int) -> bool:
        return jaccard(ours[row], others[other]) >= JACCARD

    copies, pending = [False] * len(ours), set(theirs)
    for row, found in _candidates(ours, mine, others, theirs):
        fresh = found & pending  # Those whose own copy is not known yet.
        near = {other for other in fresh if is_near(row, other)}
        copies[row] = bool(near) or any(is_near(row, other) for other in found - fresh)
        pending -= near
    copied = [False] * len(others)
    for row in set(theirs) - pending:
        copied[row] = True
    return NearCopies(copies, copied[: len(dev)], copied[len(dev) :])


def jaccard(one: Words, two: Words) -> float:
    """Returns the Jaccard similarity of two sets of words, 0 if both are empty."""
    both = len(np.intersect1d(one, two, assume_unique=True))
    return both / max(len(one) + len(two) - both, 1)


def _suspects(words: list[Words], rows: Iterable[int], others: list[Words]) -> list[int]:
    """Returns the rows of which at least the share JACCARD of the words is in `others`."""
    known = np.zeros(4**K, bool)
    for other in others:
        known[other] = True
    return [row for row in rows if known[words[row]].sum() >= max(1, JACCARD * len(words[row]))]


def _candidates(
    ours: list[Words], mine: list[int], others: list[Words], theirs: list[int]
) -> Iterator[tuple[int, set[int]]]:
    """Yields the rows of `mine`, each with those of `theirs` whose sketch has an equal band."""
    from datasketch import MinHash, MinHashLSH  # Half a second.

    # The words are numbers, which datasketch mixes and permutes; they need no other hash function.
    sketch = MinHash(num_perm=BANDS * ROWS, seed=1, hashfunc=int, scheme="affine32")
    index = MinHashLSH(num_perm=BANDS * ROWS, params=(BANDS, ROWS))
    for row in theirs:
        sketch.clear()
        sketch.update_batch(others[row].tolist())
        index.insert(row, sketch)
    for row in mine:
        sketch.clear()
        sketch.update_batch(ours[row].tolist())
        yield row, set(index.query(sketch))


def _words(sequences: Sequence[str]) -> Iterator[Words]:
    """Yields the different canonical words of each sequence as numbers below 4**K, sorted."""
    for start in range(0, len(sequences), _CHUNK):
        chunk = sequences[start : start + _CHUNK]
        text = "N".join([*chunk, "N" * K]).encode("ascii")  # Each word has its place in the text.
        codes = _CODES[np.frombuffer(text, np.uint8)]
        places = len(codes) - K + 1
        forward, reverse = np.zeros(places, np.uint32), np.zeros(places, np.uint32)
        known = np.ones(places, bool)
        for offset in range(K):
            code = codes[offset : offset + places]
            known &= code < 4
            forward = 4 * forward + code
            reverse += (3 - code.astype(np.uint32)) * np.uint32(4**offset)
        canonical = np.minimum(forward, reverse)
        begin = 0
        for sequence in chunk:
            end = begin + max(len(sequence) - K + 1, 0)
            yield np.unique(canonical[begin:end][known[begin:end]])
            begin += len(sequence) + 1
