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
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors
from transformers import AutoTokenizer

from study.models import tokenization
from study.models.backbones import quiet
from study.models.damage import message_of
from study.models.files import TOKENIZER_FILES
from study.models.info import BackboneInfo
from study.models.tokenization import MISSING, adjacent_words, library_tokenizer, load_tokenizer

SEQUENCE = "ACGTTGCAACGTACGGTCATTGACCGTAAC"
"""Read by both tokenizers, to compare them."""


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
        return ""
    _replace(info, own, out)
    found = _read(out, SEQUENCE)
    if found == expected:
        return ""
    k = own.overlap
    words = " ".join(SEQUENCE[i : i + k] for i in range(len(SEQUENCE) - k + 1)) if k else ""
    if k and _read(out, words) == expected:
        return (
            f"AutoTokenizer reads overlapping {k}-mers with spaces between ({words[: 3 * k + 2]} "
            "…), not plain DNA"
        )
    return f"AutoTokenizer does not read DNA as the study did ({found}); give the model token ids"


def _read(folder: Path, text: str) -> list[int] | str:
    """Returns the ids of a text, or why there are none."""
    try:
        with quiet():
            ids: list[int] = AutoTokenizer.from_pretrained(folder)(text)["input_ids"]
    except Exception as error:  # Of tokenizers that cannot be made from the files.
        return message_of(error)
    return ids


def _replace(info: BackboneInfo, own: tokenization.Tokenizer, out: Path) -> None:
    """Writes tokenizer.json and tokenizer_config.json of a tokenizer that reads like `own`."""
    token_of = {index: token for token, index in own.vocab.items()}
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


def _inner(
    info: BackboneInfo, own: tokenization.Tokenizer, unknown: str | None
) -> tokenizers.Tokenizer:
    if own.overlap is None and (info.folder / "tokenizer.json").is_file():
        return library_tokenizer(info)[0]
    if own.overlap is None and (info.folder / "merges.txt").is_file():
        return library_tokenizer(info)[0]
    inner = Tokenizer(models.WordLevel(dict(own.vocab), unk_token=unknown))
    if own.overlap is not None and own.overlap > 1:
        inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    else:
        words = Regex("." if own.overlap else adjacent_words(own.vocab))
        inner.pre_tokenizer = pre_tokenizers.Split(words, "isolated")
    return inner


def _only(tokens: Sequence[str]) -> str | None:
    return tokens[0] if tokens else None
