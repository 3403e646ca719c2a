"""Byte-pair encoding trained on DNA, with the special ids of OPT: <pad> is 1, </s> is 2."""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

SPECIAL_TOKENS = ("<s>", "<pad>", "</s>", "<unk>")
PAD_ID, BOS_ID = 1, 2
_SAMPLE_LINES = 20_000
_CHUNK = 200


def train_tokenizer(lines: Sequence[str], vocab_size: int, seed: int) -> Tokenizer:
    """Returns a tokenizer of `vocab_size` tokens that starts every sequence with </s>.

    Merges are learned on a seeded sample of the lines, split at N, so that N is a separate token.
    Letters other than A, C, G, T, N become <unk>; lower case is converted to upper case.
    """
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Replace(letter.lower(), letter) for letter in "ACGTN"]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=list("ACGNT"),
        show_progress=False,
    )
    generator = np.random.default_rng([seed, 1])
    chosen = generator.permutation(len(lines))[:_SAMPLE_LINES]
    tokenizer.train_from_iterator(_chunks(lines[index] for index in chosen), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="</s> $A", special_tokens=[("</s>", BOS_ID)]
    )
    return tokenizer


def save_tokenizer(tokenizer: Tokenizer, folder: Path, max_length: int) -> None:
    """Writes tokenizer.json and the tokenizer_config.json that transformers reads."""
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "</s>",
        "eos_token": "</s>",
        "pad_token": "<pad>",
        "unk_token": "<unk>",
        "model_max_length": max_length,
        "padding_side": "right",
        "clean_up_tokenization_spaces": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")


def _chunks(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        for stretch in line.split("N"):
            for start in range(0, len(stretch), _CHUNK):
                yield stretch[start : start + _CHUNK]
