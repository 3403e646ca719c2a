"""Converts DNA sequences to token ids; unknown letters and tokens are errors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from study.errors import InputError
from study.models.tokenization.splits import Split, scheme_of_kmers, word_length

_TOO_SHORT = (
    "every sequence must have at least one token, but got none, as it is shorter than the tokens "
    "of the backbone; remove such rows, or use another backbone"
)


@dataclass(frozen=True)
class Tokenizer:
    """Converts sequences to token ids."""

    split: Split
    """Returns the ids of each sequence, without special tokens."""
    vocab: Mapping[str, int]
    prefix: tuple[int, ...]
    suffix: tuple[int, ...]
    pad_id: int
    unknown_id: int
    """`MISSING` if the vocabulary has no unknown token."""
    scheme: str
    """How sequences become tokens, e.g. `overlapping 6-mers`."""

    def __call__(self, sequences: Sequence[str]) -> list[list[int]]:
        """Returns the ids of each sequence, special tokens included, not truncated.

        Raises:
            InputError: a sequence has an unknown token or no token at all; the message names the
                first one and the share of unknown tokens.
        """
        self._check_letters(sequences)
        rows = self.split(sequences)
        for number, (ids, sequence) in enumerate(zip(rows, sequences, strict=True), start=1):
            if not ids or self.unknown_id in ids:
                fault = self._describe_unknown(rows) if ids else _TOO_SHORT
                raise InputError(f"sequence {number} of {len(rows)} ({sequence[:30]}…): {fault}")
        return [[*self.prefix, *ids, *self.suffix] for ids in rows]

    @property
    def overlap(self) -> int | None:
        """The length of overlapping k-mers, 1 for single nucleotides; None for other schemes."""
        k = word_length(self.vocab)
        return k if k is not None and self.scheme == scheme_of_kmers(k) else None

    def _describe_unknown(self, rows: Sequence[list[int]]) -> str:
        counts = [ids.count(self.unknown_id) for ids in rows]
        share = sum(counts) / sum(map(len, rows))
        return (
            "every token must be in the backbone's vocabulary, but got unknown tokens "
            f"({share:.2%} of all, in {sum(map(bool, counts))} of {len(rows)} sequences); check "
            "for N or lower-case letters, or use another backbone"
        )

    def cut(self, row: list[int], max_length: int) -> list[int]:
        """Returns the row truncated to `max_length` ids; the closing special token is kept."""
        if len(row) <= max_length:
            return row
        return [*row[: max_length - len(self.suffix)], *self.suffix]

    def _check_letters(self, sequences: Sequence[str]) -> None:
        """Checks every letter by itself: some tokenizers drop unknown letters silently."""
        if word_length(self.vocab) is None:
            letters = _letters("".join(sequences))
            dropped = [x for x, ids in zip(letters, self.split(letters), strict=True) if not ids]
            if dropped:
                raise InputError(
                    "sequences: every letter must be in the backbone's vocabulary, but got "
                    f"{dropped}; remove such rows, or use another backbone"
                )


def _letters(text: str) -> list[str]:
    """Returns the distinct letters of a text; for few letters much faster than `set(text)`."""
    letters = []
    while text:
        letters.append(text[0])
        text = text.replace(text[0], "")
    return sorted(letters)
