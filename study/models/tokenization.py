"""DNA to token ids, by the tokenizer files of a backbone; loads neither torch nor transformers.

Five schemes, found from the files:
- a vocabulary of single nucleotides, in any file: one token a letter;
- a BERT vocabulary of k-mers, likewise: overlapping k-mers, as DNABERT wants them;
- an ESM vocab.txt of k-mers: k-mers side by side, single letters where none fits;
- vocab.json and merges.txt: GPT-2's byte-level byte pairs, as OPT has them;
- any other tokenizer.json: whatever it says (byte pairs of DNA, as DNABERT-2 has them).

Special tokens follow the family: OPT has its bos token in front, BERT [CLS] and [SEP] around,
ESM <cls> in front and, where tokenizer_config.json names one, an eos token at the end.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from study.errors import InputError
from study.models.info import BackboneInfo

_Split = Callable[[Sequence[str]], list[list[int]]]
_PADS = ("<pad>", "[PAD]")
_UNKNOWNS = ("<unk>", "[UNK]")
MISSING = -1
"""Stands for what is not in a vocabulary that has no token for it."""

_TOO_SHORT = (
    "every sequence must give a token, found none: it is shorter than the backbone's words; "
    "remove such rows, or take another backbone"
)


@dataclass(frozen=True)
class Tokenizer:
    """Turns sequences into ids. `split` gives the ids without special tokens, batch by batch."""

    split: _Split
    vocab: Mapping[str, int]
    prefix: tuple[int, ...]
    suffix: tuple[int, ...]
    pad_id: int
    unknown_id: int
    """`MISSING` where the vocabulary has no token for what it lacks."""
    scheme: str
    """What the tokens are, in a few words."""

    def __call__(self, sequences: Sequence[str]) -> list[list[int]]:
        """The ids of each sequence, special tokens included, none cut.

        Raises InputError naming the first sequence with a stretch the vocabulary lacks, or too
        short for a token, and the share of unknown tokens.
        """
        self._check_letters(sequences)
        rows = self.split(sequences)
        for number, (ids, sequence) in enumerate(zip(rows, sequences, strict=True), start=1):
            if not ids or self.unknown_id in ids:
                fault = self._unknown(rows) if ids else _TOO_SHORT
                raise InputError(f"sequence {number} of {len(rows)} ({sequence[:30]}…): {fault}")
        return [[*self.prefix, *ids, *self.suffix] for ids in rows]

    def _unknown(self, rows: Sequence[list[int]]) -> str:
        counts = [ids.count(self.unknown_id) for ids in rows]
        share = sum(counts) / sum(map(len, rows))
        return (
            f"every part must be in the backbone's vocabulary, found unknown tokens ({share:.2%} "
            f"of all, in {sum(map(bool, counts))} of {len(rows)} sequences); check for N or "
            "lower-case letters, or take another backbone"
        )

    def cut(self, row: list[int], max_length: int) -> list[int]:
        """The row with at most `max_length` ids: its end is lost, the closing token stays."""
        if len(row) <= max_length:
            return row
        return [*row[: max_length - len(self.suffix)], *self.suffix]

    def _check_letters(self, sequences: Sequence[str]) -> None:
        """Some tokenizers drop what they do not know: each letter alone must leave a trace."""
        if _word_length(self.vocab) is None:
            letters = _letters("".join(sequences))
            silent = [x for x, ids in zip(letters, self.split(letters), strict=True) if not ids]
            if silent:
                raise InputError(
                    f"sequences: every letter must be in the backbone's vocabulary, found {silent}"
                )


def _letters(text: str) -> list[str]:
    """The different letters of a text; a pass a letter, each much faster than a set of them."""
    letters = []
    while text:
        letters.append(text[0])
        text = text.replace(text[0], "")
    return sorted(letters)


def token_lengths(info: BackboneInfo, sequences: Sequence[str]) -> list[int]:
    """Tokens of each sequence, special tokens included, before any cut."""
    return [len(ids) for ids in load_tokenizer(info)(sequences)]


def load_tokenizer(info: BackboneInfo) -> Tokenizer:
    """The tokenizer in the backbone's folder.

    Raises InputError for a folder without tokenizer files, for a vocabulary without the
    special tokens of the family, and for one larger than the embedding.
    """
    vocab, split, scheme = _read(info)
    if len(vocab) and max(vocab.values()) >= info.vocab_size:
        raise InputError(
            f"backbone {info.name}: token ids must be below vocab_size {info.vocab_size} of "
            f"config.json, found {max(vocab.values())}; "
            "tokenizer and weights do not belong together"
        )
    prefix, suffix = _special_ids(info, vocab)
    # The vocabulary knows better than the config: DNABERT-2's config says 0, its [UNK].
    named = _first(vocab, _PADS)
    pad_id = info.pad_id if named is None else named
    if pad_id is None:
        raise InputError(
            f"backbone {info.name}: a padding token must be known, found no pad_token_id in "
            f"config.json and none of {', '.join(_PADS)} in the vocabulary"
        )
    return Tokenizer(split, vocab, prefix, suffix, pad_id, _unknown_id(vocab), scheme)


def _read(info: BackboneInfo) -> tuple[Mapping[str, int], _Split, str]:
    """Vocabulary, splitter and scheme."""
    folder = info.folder
    if (folder / "tokenizer.json").is_file() or (folder / "merges.txt").is_file():
        return _subwords(info)
    if not (folder / "vocab.txt").is_file():
        raise InputError(
            f"backbone {info.name}: the folder must hold tokenizer.json, or vocab.json and "
            "merges.txt, or vocab.txt, found none of them; save the tokenizer beside the model"
        )
    words = (folder / "vocab.txt").read_text(encoding="utf-8").split()
    vocab = {word: index for index, word in enumerate(words)}
    if info.kin != "bert":
        longest = max(map(len, _words_of_dna(vocab)), default=1)
        scheme = "single nucleotides" if longest == 1 else f"{longest}-mers side by side"
        return vocab, _side_by_side(vocab), scheme
    k = _word_length(vocab)
    if k is None:
        raise InputError(
            f"backbone {info.name}: a BERT vocab.txt must hold the k-mers of one length k, found "
            "other words; give tokenizer.json for any other scheme"
        )
    return vocab, _overlapping(vocab, k), _scheme_of_kmers(k)


def _subwords(info: BackboneInfo) -> tuple[Mapping[str, int], _Split, str]:
    """Splits by the `tokenizers` library, unless the vocabulary is letters or BERT's k-mers."""
    import tokenizers

    try:
        if info.has_tokenizer_json:
            inner = tokenizers.Tokenizer.from_file(str(info.folder / "tokenizer.json"))
            inner.no_truncation()
            inner.no_padding()
            scheme = type(inner.model).__name__
        else:
            files = [str(info.folder / name) for name in ("vocab.json", "merges.txt")]
            inner = tokenizers.Tokenizer(tokenizers.models.BPE.from_file(*files))
            inner.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
            scheme = "byte-level BPE"
    except Exception as error:  # the library raises this very class for unreadable files
        raise InputError(
            f"backbone {info.name}: the tokenizer files must be readable, found {error}"
        ) from error
    vocab = inner.get_vocab()
    k = _word_length(vocab)
    if k == 1 or (k is not None and info.kin == "bert"):
        return vocab, _overlapping(vocab, k), _scheme_of_kmers(k)

    def split(sequences: Sequence[str]) -> list[list[int]]:
        return [e.ids for e in inner.encode_batch_fast(list(sequences), add_special_tokens=False)]

    return vocab, split, scheme


def _words_of_dna(vocab: Mapping[str, int]) -> list[str]:
    return [word for word in vocab if re.fullmatch("[ACGTN]+", word)]


def _word_length(vocab: Mapping[str, int]) -> int | None:
    """The length k of all words of DNA where they have one and all 4^k are there, else None."""
    words = _words_of_dna(vocab)
    lengths = {len(word) for word in words}
    return lengths.pop() if len(lengths) == 1 and len(words) >= 4 ** len(words[0]) else None


def _scheme_of_kmers(k: int) -> str:
    return "single nucleotides" if k == 1 else f"overlapping {k}-mers"


def _overlapping(vocab: Mapping[str, int], k: int) -> _Split:
    """One k-mer a base: ACGTA is ACG CGT GTA for k = 3. Shorter sequences give nothing."""
    unknown = _unknown_id(vocab)

    def split(sequences: Sequence[str]) -> list[list[int]]:
        return [
            [vocab.get(s[i : i + k], unknown) for i in range(len(s) - k + 1)] for s in sequences
        ]

    return split


def _side_by_side(vocab: Mapping[str, int]) -> _Split:
    """The longest word that fits, left to right: ACGTACGN is ACGTAC G N for k = 6."""
    unknown = _unknown_id(vocab)
    lengths = sorted({len(word) for word in _words_of_dna(vocab)}, reverse=True)
    pattern = re.compile("|".join([*(f"[ACGT]{{{n}}}" for n in lengths), "."]))

    def split(sequences: Sequence[str]) -> list[list[int]]:
        return [[vocab.get(word, unknown) for word in pattern.findall(s)] for s in sequences]

    return split


def _special_ids(
    info: BackboneInfo, vocab: Mapping[str, int]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The ids put in front of every sequence and those put behind it."""
    if info.kin == "opt":
        return (() if info.bos_id is None else (info.bos_id,)), ()
    if info.kin == "esm":
        eos = _esm_eos(info)
        return (_required(info, vocab, "<cls>"),), (vocab[eos],) if eos and eos in vocab else ()
    return (_required(info, vocab, "[CLS]"),), (_required(info, vocab, "[SEP]"),)


def _esm_eos(info: BackboneInfo) -> str | None:
    """The closing token that tokenizer_config.json names; models of DNA have none."""
    path = info.folder / "tokenizer_config.json"
    if not path.is_file():
        return None
    try:
        named = json.loads(path.read_text(encoding="utf-8")).get("eos_token")
    except (ValueError, AttributeError) as error:
        raise InputError(
            f"backbone {info.name}: tokenizer_config.json must hold a JSON object, found {error}"
        ) from error
    content = named["content"] if isinstance(named, dict) else named
    return content if isinstance(content, str) else None


def _required(info: BackboneInfo, vocab: Mapping[str, int], token: str) -> int:
    if token not in vocab:
        raise InputError(
            f"backbone {info.name}: the vocabulary of the {info.family} family must hold "
            f"{token}, found {len(vocab)} tokens without it"
        )
    return vocab[token]


def _first(vocab: Mapping[str, int], names: Sequence[str]) -> int | None:
    return next((vocab[name] for name in names if name in vocab), None)


def _unknown_id(vocab: Mapping[str, int]) -> int:
    unknown = _first(vocab, _UNKNOWNS)
    return MISSING if unknown is None else unknown
