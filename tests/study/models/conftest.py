"""Small random checkpoints of the three families, with tokenizers, in temporary folders."""

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from study.models.pretraining.bpe import save_tokenizer, train_tokenizer

KMERS = ["".join(letters) for letters in product("ACGT", repeat=3)]
SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}


def _random_dna(count: int, length: int, seed: int = 0) -> list[str]:
    generator = np.random.default_rng(seed)
    return ["".join(generator.choice(list("ACGT"), size=length)) for _ in range(count)]


@pytest.fixture
def random_dna() -> Callable[..., list[str]]:
    """(count, length, seed=0) -> that many random sequences."""
    return _random_dna


def _opt(folder: Path) -> transformers.PreTrainedModel:
    save_tokenizer(train_tokenizer(_random_dna(50, 200), 32, seed=0), folder, 64)
    return transformers.OPTForCausalLM(
        transformers.OPTConfig(
            vocab_size=32, ffn_dim=24, word_embed_proj_dim=16, max_position_embeddings=64, **SIZES
        )
    )


def _bert(folder: Path) -> transformers.PreTrainedModel:
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *KMERS]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    return transformers.BertForMaskedLM(
        transformers.BertConfig(
            vocab_size=len(words), intermediate_size=24, max_position_embeddings=64, **SIZES
        )
    )


def _esm(folder: Path) -> transformers.PreTrainedModel:
    words = ["<unk>", "<pad>", "<mask>", "<cls>", *KMERS, *"ACGTN"]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    return transformers.EsmForMaskedLM(
        transformers.EsmConfig(
            vocab_size=len(words),
            intermediate_size=24,
            max_position_embeddings=66,
            pad_token_id=1,
            mask_token_id=2,
            token_dropout=True,
            **SIZES,
        )
    )


@pytest.fixture
def checkpoint(tmp_path: Path) -> Callable[..., Path]:
    """Writes a checkpoint of a family and returns its folder."""

    def write(family: str, dtype: torch.dtype = torch.float32, **options: Any) -> Path:
        folder = tmp_path / family
        folder.mkdir()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model = {"opt": _opt, "bert": _bert, "esm": _esm}[family](folder)
        model.to(dtype).save_pretrained(folder, **options)
        return folder

    return write
