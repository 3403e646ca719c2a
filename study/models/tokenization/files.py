"""The tokenizer in a backbone's folder: vocabulary, split, scheme and special tokens."""

import json
from collections.abc import Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING

from study.errors import InputError
from study.models.damage import refusing
from study.models.info import BackboneInfo
from study.models.tokenization.special import Added, padding_id, special_ids
from study.models.tokenization.splits import (
    Split,
    adjacent,
    filled,
    overlapping,
    scheme_of_kmers,
    unknown_id,
    word_length,
    words_of_dna,
)
from study.models.tokenization.tokenizer import Tokenizer

if TYPE_CHECKING:
    import tokenizers

HYBRID = "dna_config.json"
"""The k-mers of Carbon, whose other files are a tokenizer of text."""
_Read = tuple[Mapping[str, int], Split, str, Added | None]


def token_lengths(info: BackboneInfo, sequences: Sequence[str]) -> list[int]:
    """Returns the tokens of each sequence, special tokens included, before truncation."""
    return [len(ids) for ids in load_tokenizer(info)(sequences)]


def load_tokenizer(info: BackboneInfo) -> Tokenizer:
    """Returns the tokenizer in the backbone's folder.

    Raises:
        InputError: the folder has no tokenizer files, or the vocabulary lacks a special token of
            the family or is larger than the embedding.
    """
    vocab, split, scheme, added = _read(info)
    if len(vocab) and max(vocab.values()) >= info.vocab_size:
        raise InputError(
            f"backbone {info.name}: token ids must be below vocab_size {info.vocab_size} of "
            f"config.json, but got {max(vocab.values())}; use the tokenizer files that belong to "
            "the weights"
        )
    prefix, suffix = special_ids(info, vocab, added)
    pad_id = padding_id(info, vocab, suffix)
    return Tokenizer(split, vocab, prefix, suffix, pad_id, unknown_id(vocab), scheme)


def _read(info: BackboneInfo) -> _Read:
    """Returns the vocabulary, the split, the scheme and, of a tokenizer.json, what it adds."""
    folder = info.folder
    if (folder / HYBRID).is_file():
        return _hybrid(info)
    if (folder / "tokenizer.json").is_file() or (folder / "merges.txt").is_file():
        return _subwords(info)
    if not (folder / "vocab.txt").is_file():
        raise InputError(
            f"backbone {info.name}: the folder must contain tokenizer.json, or vocab.json and "
            "merges.txt, or vocab.txt, but got none of them; save the tokenizer beside the model"
        )
    vocab = _vocabulary(info)
    if info.base in ("bert", "modernbert"):
        k = word_length(vocab)
        if k is None:
            raise InputError(
                f"backbone {info.name}: a BERT vocab.txt must contain all k-mers of one length k, "
                "but got other words; give a tokenizer.json for any other scheme"
            )
        return vocab, overlapping(vocab, k), scheme_of_kmers(k), None
    lengths = {len(word) for word in words_of_dna(vocab)}
    longest = max(lengths, default=1)
    scheme = "single nucleotides" if longest == 1 else f"non-overlapping {longest}-mers"
    whole = info.base == "llama" and lengths == {longest} != {1}
    return vocab, filled(vocab, longest) if whole else adjacent(vocab), scheme, None


def _vocabulary(info: BackboneInfo) -> Mapping[str, int]:
    """Returns the vocabulary of a vocab.txt: a word a line, by the order of ids or with its id."""
    with refusing(f"backbone {info.name}: vocab.txt must be readable text", "restore the file"):
        words = (info.folder / "vocab.txt").read_text(encoding="utf-8-sig").split()
    if words[1:2] == ["0"]:
        words, ids = words[::2], words[1::2]
        if ids != list(map(str, range(len(words)))):
            raise InputError(
                f"backbone {info.name}: vocab.txt must have the ids 0, 1, 2 and so on beside its "
                "words, but got others; restore the file"
            )
    vocab = {word: index for index, word in enumerate(words)}
    if len(vocab) < len(words):
        twice = next(word for index, word in enumerate(words) if vocab[word] != index)
        raise InputError(
            f"backbone {info.name}: vocab.txt must name every token once, but got {twice!r:.40} "
            "twice; restore the file"
        )
    return vocab


def _hybrid(info: BackboneInfo) -> _Read:
    """Reads k-mers over A, T, C, G in that order, which follow some special tokens."""
    rule = f"backbone {info.name}: {HYBRID} must have k, dna_start_id and dna_special_tokens"
    with refusing(rule, "restore the file"):
        values = json.loads((info.folder / HYBRID).read_text(encoding="utf-8"))
        k, start = int(values["k"]), int(values["dna_start_id"])
        special = [str(token) for token in values["dna_special_tokens"]]
        if not 1 <= k <= 8 or start < 0 or special[:1] != ["<dna>"] or "<oov>" not in special:
            raise ValueError(f"k {k}, dna_start_id {start}, dna_special_tokens {special}")
    words = [*special, *map("".join, product("ATCG", repeat=k))]
    vocab = {word: start + place for place, word in enumerate(words)}
    return vocab, filled(vocab, k), f"non-overlapping {k}-mers", ((vocab["<dna>"],), ())


def _subwords(info: BackboneInfo) -> _Read:
    """Uses the `tokenizers` library, except for single nucleotides and BERT's k-mers."""
    rule = f"backbone {info.name}: the tokenizer files must be readable"
    with refusing(rule, "restore them"):
        inner, scheme = library_tokenizer(info)
        vocab = inner.get_vocab()
        added = _added(inner) if info.has_tokenizer_json else None
    k = word_length(vocab)
    if k == 1 or (k is not None and info.base in ("bert", "modernbert")):
        return vocab, overlapping(vocab, k), scheme_of_kmers(k), added

    def split(sequences: Sequence[str]) -> list[list[int]]:
        with refusing(rule, "restore them"):
            encoded = inner.encode_batch_fast(list(sequences), add_special_tokens=False)
            return [encoding.ids for encoding in encoded]

    return vocab, split, scheme, added


def _added(inner: "tokenizers.Tokenizer") -> Added:
    """Returns what the post-processor of a tokenizer adds to a sequence, often nothing."""
    whole = inner.encode("ACGT")
    marks = list(map(bool, whole.special_tokens_mask))
    begin = marks.index(False) if False in marks else len(marks)
    end = len(marks) - marks[::-1].index(False) if False in marks else len(marks)
    return tuple(whole.ids[:begin]), tuple(whole.ids[end:])


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
