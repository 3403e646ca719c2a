"""Random lines and a tokenizer trained on them."""

import pytest
from tokenizers import Tokenizer

from study.models.pretraining.bpe import train_tokenizer
from tests.study.models.checkpoints import random_dna


@pytest.fixture(scope="session")
def lines() -> list[str]:
    """60 lines of 150 bases."""
    return random_dna(60, 150)


@pytest.fixture(scope="session")
def tokenizer(lines: list[str]) -> Tokenizer:
    """A tokenizer of 32 tokens."""
    return train_tokenizer(lines, 32, seed=0)
