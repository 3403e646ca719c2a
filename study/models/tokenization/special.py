"""The special tokens around every sequence, and the token that fills up a batch.

The family determines them: bos in front (OPT); [CLS] in front and [SEP] at the end (BERT); <cls>
in front and, if tokenizer_config.json names one, eos at the end (ESM); what tokenizer.json adds
(LLaMA, ModernBERT). Where it adds nothing, or there is none, a LLaMA has bos in front if
tokenizer_config.json says so, and a ModernBERT has BERT's tokens.
"""

import json
from collections.abc import Mapping
from typing import Any

from study.errors import InputError
from study.models.damage import refusing
from study.models.info import BackboneInfo
from study.models.tokenization.splits import first

Added = tuple[tuple[int, ...], tuple[int, ...]]
"""The ids before and after a sequence."""
_PADS = ("<pad>", "[PAD]")


def special_ids(info: BackboneInfo, vocab: Mapping[str, int], added: Added | None) -> Added:
    """Returns the special ids around every sequence.

    `added` are those of the post-processor in tokenizer.json; None without such a file.
    """
    if info.base == "opt":
        return (() if info.bos_id is None else (info.bos_id,)), ()
    if info.base == "cnn":
        return (), ()
    if info.base == "esm":
        eos = _named(_tokenizer_config(info).get("eos_token"))
        return (_required(info, vocab, "<cls>"),), (vocab[eos],) if eos and eos in vocab else ()
    if info.base == "llama":
        return _of_decoder(info) if added is None else added
    if info.base == "modernbert" and added is not None and any(added):
        return added
    return (_required(info, vocab, "[CLS]"),), (_required(info, vocab, "[SEP]"),)


def padding_id(info: BackboneInfo, vocab: Mapping[str, int], suffix: tuple[int, ...]) -> int:
    """Returns the padding token.

    The vocabulary takes precedence: pad_token_id of DNABERT-2's config is 0, its [UNK]. In a
    causal model any token will do that is not the last one of a row, as its head reads the last
    one that is no padding.

    Raises:
        InputError: it is unknown.
    """
    named = first(vocab, _PADS)
    pad_id = info.pad_id if named is None else named
    if pad_id is None:
        raise InputError(
            f"backbone {info.name}: a padding token must be known, but got no pad_token_id in "
            f"config.json and none of {', '.join(_PADS)} in the vocabulary; set pad_token_id"
        )
    if info.base == "llama" and pad_id in suffix:
        return next(index for index in range(info.vocab_size) if index not in suffix)
    return pad_id


def _of_decoder(info: BackboneInfo) -> Added:
    """Returns bos, unless tokenizer_config.json says that it is not added."""
    adds = _tokenizer_config(info).get("add_bos_token", True)
    return (() if info.bos_id is None or not adds else (info.bos_id,)), ()


def _tokenizer_config(info: BackboneInfo) -> Mapping[str, Any]:
    path = info.folder / "tokenizer_config.json"
    if not path.is_file():
        return {}
    rule = f"backbone {info.name}: tokenizer_config.json must be a JSON object"
    with refusing(rule, "restore the file"):
        values: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        values.get("eos_token")
    return values


def _named(token: Any) -> str | None:
    content = token.get("content") if isinstance(token, dict) else token
    return content if isinstance(content, str) else None


def _required(info: BackboneInfo, vocab: Mapping[str, int], token: str) -> int:
    if token not in vocab:
        raise InputError(
            f"backbone {info.name}: the vocabulary of the {info.family} family must contain "
            f"{token}, but got {len(vocab)} tokens without it; use the model's own tokenizer files"
        )
    return vocab[token]
