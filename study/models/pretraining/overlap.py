"""Lines that share WINDOW exact bases with a set of sequences, on either strand.

Windows are compared by a 64-bit rolling hash. Equal windows have equal hashes, so no overlap is
missed; a collision (probability about 10^-19 per pair) can only exclude one line too many.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int64, UInt64

from study.csv_table import Column, read_csv
from study.models.pretraining.text import reverse_complement

WINDOW = 50
_BASE = 0x9E3779B97F4A7C15  # Odd, so that it has an inverse modulo 2^64.
_INVERSE = pow(_BASE, -1, 2**64)
_BLOCK = 1_000_000  # bases hashed at a time

_VALUES = np.zeros(256, dtype=np.uint64)
for _letter, _value in zip(b"ACGT", np.random.default_rng(0).integers(2**63, size=4), strict=True):
    _VALUES[_letter] = _value


class Windows:
    """The WINDOW-base stretches of some sequences and of their reverse complements."""

    def __init__(self, sequences: Sequence[str]) -> None:
        both = [*sequences, *(reverse_complement(s) for s in sequences)]
        blocks = [hashes for hashes, _, _ in _blocks(both)]
        self._hashes = np.unique(np.concatenate(blocks)) if blocks else np.empty(0, np.uint64)

    def shared_by(self, lines: Sequence[str]) -> Bool[np.ndarray, " lines"]:
        """Returns for each line whether it contains one of the stretches."""
        result = np.zeros(len(lines), dtype=bool)
        if not len(self._hashes):
            return result
        for hashes, positions, owners in _blocks(lines):
            place = np.searchsorted(self._hashes, hashes).clip(max=len(self._hashes) - 1)
            hit = positions[self._hashes[place] == hashes]
            result[owners[hit]] = True
        return result


def sequences_of_csv(path: Path) -> list[str]:
    """Returns the `sequence` column of a csv file, in upper case.

    Raises:
        InputError: there is no such file or column.
    """
    column = Column("sequence", fix="rename the column")
    return [cell.upper() for cell in read_csv(path, [column]).cells["sequence"]]


def _blocks(
    lines: Sequence[str],
) -> Iterator[
    tuple[UInt64[np.ndarray, " windows"], Int64[np.ndarray, " windows"], Int64[np.ndarray, " _"]]
]:
    """Yields, per block of lines, hash and start of every window and the line of every base."""
    first = 0
    while first < len(lines):
        last, size = first, 0
        while last < len(lines) and size < _BLOCK:
            size += len(lines[last]) + 1
            last += 1
        block = lines[first:last]
        owners = np.repeat(np.arange(first, last), [len(line) + 1 for line in block])
        hashes, positions = _hash_windows("\n".join(block))
        yield hashes, positions, owners
        first = last


def _hash_windows(
    text: str,
) -> tuple[UInt64[np.ndarray, " windows"], Int64[np.ndarray, " windows"]]:
    """Returns hashes and starts of the windows that consist of A, C, G and T.

    The hash of a window is sum_j value(base_j) * BASE^j modulo 2^64, from prefix sums.
    """
    values = _VALUES[np.frombuffer(text.encode(), dtype=np.uint8)]
    if len(values) < WINDOW:
        return np.empty(0, np.uint64), np.empty(0, np.int64)
    sums = np.concatenate([[np.uint64(0)], np.cumsum(values * _powers(_BASE, len(values)))])
    other = np.concatenate([[0], np.cumsum(values == 0)])
    positions = np.flatnonzero(other[WINDOW:] == other[:-WINDOW])
    spans = sums[positions + WINDOW] - sums[positions]
    return spans * _powers(_INVERSE, len(values))[positions], positions


def _powers(base: int, count: int) -> UInt64[np.ndarray, " count"]:
    factors = np.full(count, base, dtype=np.uint64)
    factors[0] = 1
    return np.multiply.accumulate(factors)
