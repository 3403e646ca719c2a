"""The tokenizer of an exported model: AutoTokenizer must read DNA as the study did.

For some backbones it does not: it reads a BERT vocabulary of k-mers as words, and adds no special
tokens for DNABERT-2.
"""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tokenizers
from tokenizers import Regex, models, pre_tokenizers, processors
from transformers import AutoTokenizer

from study.models.backbones import quiet
from study.models.damage import message_of
from study.models.files import TOKENIZER_FILES
from study.models.info import BackboneInfo
from study.models.tokenization import (
    HYBRID,
    MISSING,
    Tokenizer,
    adjacent_words,
    library_tokenizer,
    load_tokenizer,
    word_length,
)

SEQUENCE = "ACGTTGCAACGTACGGTCATTGACCGTAAC"
"""Read by both tokenizers, to compare them; its length is a multiple of 1, 2, 3, 5 and 6."""
_PAD = "<pad>"
"""Name of a padding token that has none."""


def write_tokenizer(info: BackboneInfo, out: Path) -> str:
    """Writes tokenizer files with which AutoTokenizer reads DNA as the study did.

    These are the backbone's own files if they suffice; else tokenizer.json and
    tokenizer_config.json are replaced.

    Returns:
        What the user must know, e.g. that the input must be k-mers with spaces between; often
        nothing.
    """
    for name in TOKENIZER_FILES:
        if (info.folder / name).is_file():
            shutil.copy(info.folder / name, out / name)
    own = load_tokenizer(info)
    [expected] = own([SEQUENCE])
    if _read(out, SEQUENCE) == expected:
        _name_padding(own, out)
        return ""
    _replace(info, own, out)
    found = _read(out, SEQUENCE)
    if found == expected:
        return _of_short_ends(own, out)
    k = own.overlap
    words = " ".join(SEQUENCE[i : i + k] for i in range(len(SEQUENCE) - k + 1)) if k else ""
    if k and _read(out, words) == expected:
        return (
            f"AutoTokenizer reads overlapping {k}-mers with spaces between ({words[: 3 * k + 2]} "
            "…), not plain DNA"
        )
    return f"AutoTokenizer does not read DNA as the study did ({found}); give the model token ids"


def _name_padding(own: Tokenizer, out: Path) -> None:
    """Adds the padding token of the study to tokenizer_config.json if there is none."""
    with quiet():
        if AutoTokenizer.from_pretrained(out).pad_token_id is not None:
            return
    path = out / "tokenizer_config.json"
    config = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    named = {index: token for token, index in own.vocab.items()}.get(own.pad_id)
    path.write_text(json.dumps(config | {"pad_token": named}, indent=2), encoding="utf-8")


def _of_short_ends(own: Tokenizer, out: Path) -> str:
    """Returns what to do where the last k-mer of a sequence is filled up; often nothing."""
    k = word_length(own.vocab)
    short = SEQUENCE[:-1]
    if k is None or _read(out, short) == own([short])[0]:
        return ""
    return (
        f"AutoTokenizer reads sequences whose length is a multiple of {k} as the study did; fill "
        "others up with A"
    )


def _read(folder: Path, text: str) -> list[int] | str:
    """Returns the ids of a text, or why there are none."""
    try:
        with quiet():
            ids: list[int] = AutoTokenizer.from_pretrained(folder)(text)["input_ids"]
    except Exception as error:  # Of tokenizers that cannot be made from the files.
        return message_of(error)
    return ids


def _replace(info: BackboneInfo, own: Tokenizer, out: Path) -> None:
    """Writes tokenizer.json and tokenizer_config.json of a tokenizer that reads like `own`."""
    token_of = {own.pad_id: _PAD} | {index: token for token, index in own.vocab.items()}
    unknown = None if own.unknown_id == MISSING else token_of[own.unknown_id]
    before, after = ([token_of[i] for i in ids] for ids in (own.prefix, own.suffix))
    inner = _inner(info, own, unknown)
    inner.post_processor = processors.TemplateProcessing(
        single=[*before, "$A", *after],
        special_tokens=[(token, own.vocab[token]) for token in dict.fromkeys([*before, *after])],
    )
    inner.save(str(out / "tokenizer.json"))
    config: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": False,
        "pad_token": token_of.get(own.pad_id),
        "unk_token": unknown,
        "cls_token": _only(before),
        ("eos_token" if info.base == "esm" else "sep_token"): _only(after),
        "model_max_length": info.max_positions,
    }
    named = {key: value for key, value in config.items() if value is not None}
    (out / "tokenizer_config.json").write_text(json.dumps(named, indent=2), encoding="utf-8")


def _inner(info: BackboneInfo, own: Tokenizer, unknown: str | None) -> tokenizers.Tokenizer:
    of_library = any((info.folder / name).is_file() for name in ("tokenizer.json", "merges.txt"))
    if own.overlap is None and of_library and not (info.folder / HYBRID).is_file():
        return library_tokenizer(info)[0]
    vocab = dict(own.vocab) | ({} if own.pad_id in own.vocab.values() else {_PAD: own.pad_id})
    inner = tokenizers.Tokenizer(models.WordLevel(vocab, unk_token=unknown))
    if own.overlap is not None and own.overlap > 1:
        inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    else:
        words = Regex("." if own.overlap else adjacent_words(own.vocab))
        inner.pre_tokenizer = pre_tokenizers.Split(words, "isolated")
    return inner


def _only(tokens: Sequence[str]) -> str | None:
    return tokens[0] if tokens else None
