"""One pass over the text as rows of token ids: a function of (seed, pass)."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt16
from tokenizers import Tokenizer

from study.models.pretraining.bpe import BOS_ID
from study.models.pretraining.text import reverse_complement

_LONGEST = 1000  # Bases; longer lines are cut, so that a contig does not fill a whole batch.
_LARGEST_SHIFT = 8  # Bases skipped at the start, so that token boundaries differ between passes.
_SLICE = 20_000  # Sequences tokenised at a time.


def packed_rows(
    lines: Sequence[str], tokenizer: Tokenizer, length: int, *, seed: int, number: int
) -> UInt16[np.ndarray, "rows length"]:
    """Returns the rows of pass `number`: sequences in random order, joined, </s> before each.

    Each sequence is read from a random strand and without its first 0 to 7 bases. Every row
    starts with </s>; a sequence that exceeds its row continues in the next. The incomplete last
    row is dropped.
    """
    generator = np.random.default_rng([seed, 2, number])
    sequences = _cut(lines, generator)
    order = generator.permutation(len(sequences))
    flips = generator.random(len(sequences)) < 0.5
    shifts = generator.integers(_LARGEST_SHIFT, size=len(sequences))
    stream: list[UInt16[np.ndarray, " _"]] = []
    for start in range(0, len(order), _SLICE):
        chosen = order[start : start + _SLICE]
        batch = [
            (reverse_complement(sequences[i]) if flips[i] else sequences[i])[shifts[i] :]
            for i in chosen
        ]
        encoded = tokenizer.encode_batch_fast(batch)  # Each starts with </s>.
        stream += [np.array(e.ids, dtype=np.uint16) for e in encoded]
    tokens = np.concatenate(stream)
    count = len(tokens) // (length - 1)
    rows = np.full((count, length), BOS_ID, dtype=np.uint16)
    rows[:, 1:] = tokens[: count * (length - 1)].reshape(count, length - 1)
    return generator.permutation(rows)


def _cut(lines: Sequence[str], generator: np.random.Generator) -> list[str]:
    """Returns the lines, those longer than _LONGEST cut at places that differ between passes."""
    parts: list[str] = []
    for line in lines:
        if len(line) <= _LONGEST:
            parts.append(line)
            continue
        first = int(generator.integers(1, _LONGEST))
        parts.append(line[:first])
        parts += [line[start : start + _LONGEST] for start in range(first, len(line), _LONGEST)]
    return parts
