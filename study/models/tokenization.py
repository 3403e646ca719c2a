"""Tokenizers: DNA sequences -> token ids, from the tokenizer files of a backbone.

The files determine the scheme, one of five:
- a vocabulary of single nucleotides, in any file: one token per letter;
- a BERT vocabulary of k-mers, in any file: overlapping k-mers (DNABERT);
- an ESM vocab.txt of k-mers: adjacent k-mers, single letters where none fits;
- vocab.json and merges.txt: byte-level BPE of GPT-2 (OPT);
- any other tokenizer.json: as it specifies (BPE in DNABERT-2).

The family determines the special tokens: bos in front (OPT); [CLS] in front and [SEP] at the end
(BERT); <cls> in front and, if tokenizer_config.json names one, eos at the end (ESM).
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from study.errors import InputError
from study.models.damage import refusing
from study.models.info import BackboneInfo

if TYPE_CHECKING:
    import tokenizers

_Split = Callable[[Sequence[str]], list[list[int]]]
_PADS = ("<pad>", "[PAD]")
_UNKNOWNS = ("<unk>", "[UNK]")
MISSING = -1
"""The id of unknown tokens if the vocabulary has no unknown token."""

_TOO_SHORT = (
    "every sequence must have at least one token, but got none, as it is shorter than the tokens "
    "of the backbone; remove such rows, or use another backbone"
)


@dataclass(frozen=True)
class Tokenizer:
    """Converts sequences to token ids."""

    split: _Split
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
        k = _word_length(self.vocab)
        return k if k is not None and self.scheme == _scheme_of_kmers(k) else None

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
        if _word_length(self.vocab) is None:
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


def token_lengths(info: BackboneInfo, sequences: Sequence[str]) -> list[int]:
    """Returns the tokens of each sequence, special tokens included, before truncation."""
    return [len(ids) for ids in load_tokenizer(info)(sequences)]


def load_tokenizer(info: BackboneInfo) -> Tokenizer:
    """Returns the tokenizer in the backbone's folder.

    Raises:
        InputError: the folder has no tokenizer files, or the vocabulary lacks a special token of
            the family or is larger than the embedding.
    """
    vocab, split, scheme = _read(info)
    if len(vocab) and max(vocab.values()) >= info.vocab_size:
        raise InputError(
            f"backbone {info.name}: token ids must be below vocab_size {info.vocab_size} of "
            f"config.json, but got {max(vocab.values())}; use the tokenizer files that belong to "
            "the weights"
        )
    prefix, suffix = _special_ids(info, vocab)
    # The vocabulary takes precedence: pad_token_id of DNABERT-2's config is 0, its [UNK].
    named = _first(vocab, _PADS)
    pad_id = info.pad_id if named is None else named
    if pad_id is None:
        raise InputError(
            f"backbone {info.name}: a padding token must be known, but got no pad_token_id in "
            f"config.json and none of {', '.join(_PADS)} in the vocabulary; set pad_token_id"
        )
    return Tokenizer(split, vocab, prefix, suffix, pad_id, _unknown_id(vocab), scheme)


def _read(info: BackboneInfo) -> tuple[Mapping[str, int], _Split, str]:
    """Returns the vocabulary, the split function and the scheme."""
    folder = info.folder
    if (folder / "tokenizer.json").is_file() or (folder / "merges.txt").is_file():
        return _subwords(info)
    if not (folder / "vocab.txt").is_file():
        raise InputError(
            f"backbone {info.name}: the folder must contain tokenizer.json, or vocab.json and "
            "merges.txt, or vocab.txt, but got none of them; save the tokenizer beside the model"
        )
    with refusing(f"backbone {info.name}: vocab.txt must be readable text", "restore the file"):
        words = (folder / "vocab.txt").read_text(encoding="utf-8-sig").split()
    vocab = {word: index for index, word in enumerate(words)}
    if len(vocab) < len(words):
        twice = next(word for index, word in enumerate(words) if vocab[word] != index)
        raise InputError(
            f"backbone {info.name}: vocab.txt must name every token once, but got {twice!r:.40} "
            "twice; restore the file"
        )
    if info.base != "bert":
        longest = max(map(len, _words_of_dna(vocab)), default=1)
        scheme = "single nucleotides" if longest == 1 else f"non-overlapping {longest}-mers"
        return vocab, _adjacent(vocab), scheme
    k = _word_length(vocab)
    if k is None:
        raise InputError(
            f"backbone {info.name}: a BERT vocab.txt must contain all k-mers of one length k, but "
            "got other words; give a tokenizer.json for any other scheme"
        )
    return vocab, _overlapping(vocab, k), _scheme_of_kmers(k)


def _subwords(info: BackboneInfo) -> tuple[Mapping[str, int], _Split, str]:
    """Uses the `tokenizers` library, except for single nucleotides and BERT's k-mers."""
    rule = f"backbone {info.name}: the tokenizer files must be readable"
    with refusing(rule, "restore them"):
        inner, scheme = library_tokenizer(info)
        vocab = inner.get_vocab()
    k = _word_length(vocab)
    if k == 1 or (k is not None and info.base == "bert"):
        return vocab, _overlapping(vocab, k), _scheme_of_kmers(k)

    def split(sequences: Sequence[str]) -> list[list[int]]:
        with refusing(rule, "restore them"):
            encoded = inner.encode_batch_fast(list(sequences), add_special_tokens=False)
            return [encoding.ids for encoding in encoded]

    return vocab, split, scheme


def library_tokenizer(info: BackboneInfo) -> "tuple[tokenizers.Tokenizer, str]":
    """Returns the tokenizer of tokenizer.json, or of vocab.json and merges.txt, and its scheme."""
    import tokenizers

    if info.has_tokenizer_json:
        inner = tokenizers.Tokenizer.from_file(str(info.folder / "tokenizer.json"))
        inner.no_truncation()
        inner.no_padding()
        return inner, type(inner.model).__name__
    files = [str(info.folder / name) for name in ("vocab.json", "merges.txt")]
    inner = tokenizers.Tokenizer(tokenizers.models.BPE.from_file(*files))
    inner.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    return inner, "byte-level BPE"


def _words_of_dna(vocab: Mapping[str, int]) -> list[str]:
    return [word for word in vocab if re.fullmatch("[ACGTN]+", word)]


def _word_length(vocab: Mapping[str, int]) -> int | None:
    """Returns k if the DNA words of the vocabulary are all 4^k k-mers, else None."""
    words = _words_of_dna(vocab)
    lengths = {len(word) for word in words}
    return lengths.pop() if len(lengths) == 1 and len(words) >= 4 ** len(words[0]) else None


def _scheme_of_kmers(k: int) -> str:
    return "single nucleotides" if k == 1 else f"overlapping {k}-mers"


def _overlapping(vocab: Mapping[str, int], k: int) -> _Split:
    """Returns the split into overlapping k-mers: ACGTA is ACG CGT GTA for k = 3."""
    unknown = _unknown_id(vocab)

    def split(sequences: Sequence[str]) -> list[list[int]]:
        return [
            [vocab.get(s[i : i + k], unknown) for i in range(len(s) - k + 1)] for s in sequences
        ]

    return split


def _adjacent(vocab: Mapping[str, int]) -> _Split:
    """Returns the split into the longest words from the left: ACGTACGN is ACGTAC G N, k = 6."""
    unknown = _unknown_id(vocab)
    pattern = re.compile(adjacent_words(vocab))

    def split(sequences: Sequence[str]) -> list[list[int]]:
        return [[vocab.get(word, unknown) for word in pattern.findall(s)] for s in sequences]

    return split


def adjacent_words(vocab: Mapping[str, int]) -> str:
    """Returns a regular expression for the longest word of a vocabulary, or any letter."""
    lengths = sorted({len(word) for word in _words_of_dna(vocab)}, reverse=True)
    return "|".join([*(f"[ACGT]{{{n}}}" for n in lengths), "."])


def _special_ids(
    info: BackboneInfo, vocab: Mapping[str, int]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Returns the special ids at the start and at the end of every sequence."""
    if info.base == "opt":
        return (() if info.bos_id is None else (info.bos_id,)), ()
    if info.base == "cnn":
        return (), ()
    if info.base == "esm":
        eos = _esm_eos(info)
        return (_required(info, vocab, "<cls>"),), (vocab[eos],) if eos and eos in vocab else ()
    return (_required(info, vocab, "[CLS]"),), (_required(info, vocab, "[SEP]"),)


def _esm_eos(info: BackboneInfo) -> str | None:
    """Returns the eos token of tokenizer_config.json; DNA models have none."""
    path = info.folder / "tokenizer_config.json"
    if not path.is_file():
        return None
    rule = f"backbone {info.name}: tokenizer_config.json must be a JSON object"
    with refusing(rule, "restore the file"):
        named = json.loads(path.read_text(encoding="utf-8")).get("eos_token")
    content = named.get("content") if isinstance(named, dict) else named
    return content if isinstance(content, str) else None


def _required(info: BackboneInfo, vocab: Mapping[str, int], token: str) -> int:
    if token not in vocab:
        raise InputError(
            f"backbone {info.name}: the vocabulary of the {info.family} family must contain "
            f"{token}, but got {len(vocab)} tokens without it; use the model's own tokenizer files"
        )
    return vocab[token]


def _first(vocab: Mapping[str, int], names: Sequence[str]) -> int | None:
    return next((vocab[name] for name in names if name in vocab), None)


def _unknown_id(vocab: Mapping[str, int]) -> int:
    unknown = _first(vocab, _UNKNOWNS)
    return MISSING if unknown is None else unknown
