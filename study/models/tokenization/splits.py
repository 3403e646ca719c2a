"""The splits of a sequence into words of a vocabulary, as token ids."""

import re
from collections.abc import Callable, Mapping, Sequence

Split = Callable[[Sequence[str]], list[list[int]]]
"""Returns the ids of each sequence, without special tokens."""
_UNKNOWNS = ("<unk>", "[UNK]", "<oov>")
MISSING = -1
"""The id of unknown tokens if the vocabulary has no unknown token."""


def words_of_dna(vocab: Mapping[str, int]) -> list[str]:
    """Returns the words of a vocabulary that consist of A, C, G, T and N."""
    return [word for word in vocab if re.fullmatch("[ACGTN]+", word)]


def word_length(vocab: Mapping[str, int]) -> int | None:
    """Returns k if the DNA words of the vocabulary are all 4^k k-mers, else None."""
    words = words_of_dna(vocab)
    lengths = {len(word) for word in words}
    return lengths.pop() if len(lengths) == 1 and len(words) >= 4 ** len(words[0]) else None


def scheme_of_kmers(k: int) -> str:
    """Returns the scheme of overlapping k-mers in words."""
    return "single nucleotides" if k == 1 else f"overlapping {k}-mers"


def overlapping(vocab: Mapping[str, int], k: int) -> Split:
    """Returns the split into overlapping k-mers: ACGTA is ACG CGT GTA for k = 3."""
    unknown = unknown_id(vocab)

    def split(sequences: Sequence[str]) -> list[list[int]]:
        return [
            [vocab.get(s[i : i + k], unknown) for i in range(len(s) - k + 1)] for s in sequences
        ]

    return split


def adjacent(vocab: Mapping[str, int]) -> Split:
    """Returns the split into the longest words from the left: ACGTACGN is ACGTAC G N, k = 6."""
    unknown = unknown_id(vocab)
    pattern = re.compile(adjacent_words(vocab))

    def split(sequences: Sequence[str]) -> list[list[int]]:
        return [[vocab.get(word, unknown) for word in pattern.findall(s)] for s in sequences]

    return split


def adjacent_words(vocab: Mapping[str, int]) -> str:
    """Returns a regular expression for the longest word of a vocabulary, or any letter."""
    lengths = sorted({len(word) for word in words_of_dna(vocab)}, reverse=True)
    return "|".join([*(f"[ACGT]{{{n}}}" for n in lengths), "."])


def filled(vocab: Mapping[str, int], k: int) -> Split:
    """Returns the split into adjacent k-mers, the last one filled up with A.

    ACGTACGTA is ACG TAC GTA for k = 3, and ACGTACG is ACG TAC GAA.
    """
    unknown = unknown_id(vocab)

    def split(sequences: Sequence[str]) -> list[list[int]]:
        return [
            [vocab.get(s[i : i + k].ljust(k, "A"), unknown) for i in range(0, len(s), k)]
            for s in sequences
        ]

    return split


def first(vocab: Mapping[str, int], names: Sequence[str]) -> int | None:
    """Returns the id of the first of some tokens that the vocabulary has; None without any."""
    return next((vocab[name] for name in names if name in vocab), None)


def unknown_id(vocab: Mapping[str, int]) -> int:
    """Returns the id of the unknown token, or `MISSING`."""
    unknown = first(vocab, _UNKNOWNS)
    return MISSING if unknown is None else unknown
