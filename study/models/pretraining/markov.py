"""The baseline of a DNA language model: a Markov chain of order 5."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64, Int64

from study.models.pretraining.text import reverse_complement

ORDER = 5
_CODES = np.zeros(256, dtype=np.int64)
_CODES[list(b"ACGT")] = range(4)


def markov_bits_per_base(train: Sequence[str], held_out: Sequence[str]) -> float:
    """Returns the bits per base of `held_out` under the chain fitted on both strands of `train`.

    Sequences consist of A, C, G and T. The first bases of a sequence are predicted by the chains
    of order 0 to 4. One is added to every count.
    """
    tables = _log2_probabilities(train)
    bits, bases = 0.0, 0
    for sequence in held_out:
        codes = _encode(sequence)
        bases += len(codes)
        for order in range(ORDER + 1):
            words = _words(codes if order == ORDER else codes[: order + 1], order)
            bits -= float(tables[order][words].sum())
    return bits / bases


def _log2_probabilities(train: Sequence[str]) -> list[Float64[np.ndarray, " words"]]:
    tables = []
    for order in range(ORDER + 1):
        counts = np.ones(4 ** (order + 1))
        for start in range(0, len(train), 10_000):
            part = train[start : start + 10_000]
            both = (s for line in part for s in (line, reverse_complement(line)))
            words = np.concatenate([_words(_encode(sequence), order) for sequence in both])
            counts += np.bincount(words, minlength=len(counts))
        by_context = counts.reshape(-1, 4)
        tables.append(np.log2(by_context / by_context.sum(axis=1, keepdims=True)).ravel())
    return tables


def _encode(sequence: str) -> Int64[np.ndarray, " bases"]:
    return _CODES[np.frombuffer(sequence.encode(), dtype=np.uint8)]


def _words(codes: Int64[np.ndarray, " bases"], order: int) -> Int64[np.ndarray, " words"]:
    """Returns every stretch of order + 1 bases as a number in base 4, the first base highest."""
    count = max(0, len(codes) - order)
    words = np.zeros(count, dtype=np.int64)
    for offset in range(order + 1):
        words = words * 4 + codes[offset : offset + count]
    return words
