import math
from itertools import pairwise

import numpy as np
import pytest
import torch

from study.models.pretraining.bpe import BOS_ID, PAD_ID, train_tokenizer
from study.models.pretraining.decoder import Shape, bits_per_base, build_decoder, next_token_loss
from study.models.pretraining.loop import Settings, learning_rate
from study.models.pretraining.markov import markov_bits_per_base
from study.models.pretraining.packing import packed_rows
from study.models.pretraining.text import reverse_complement

SHAPE = Shape(vocab_size=32, hidden_size=16, layers=2, heads=2, positions=24)


@pytest.fixture
def lines(random_dna):
    return random_dna(60, 150)


@pytest.fixture
def tokenizer(lines):
    return train_tokenizer(lines, SHAPE.vocab_size, seed=0)


def test_the_tokenizer_has_the_special_ids_of_opt(tokenizer):
    assert tokenizer.token_to_id("</s>") == BOS_ID == 2
    assert tokenizer.token_to_id("<pad>") == PAD_ID == 1
    assert tokenizer.get_vocab_size() == 32
    ids = tokenizer.encode("ACGTN").ids
    assert ids[0] == BOS_ID
    assert ids == tokenizer.encode("acgtn").ids
    assert tokenizer.encode("ACXGT").ids.count(tokenizer.token_to_id("<unk>")) == 1


def test_the_tokens_of_a_sequence_concatenate_to_it(tokenizer, lines):
    for line in lines[:5]:
        ids = tokenizer.encode(line).ids[1:]
        assert "".join(tokenizer.id_to_token(i) for i in ids) == line


def test_rows_contain_every_sequence_once_on_either_strand(tokenizer, lines):
    rows = packed_rows(lines, tokenizer, 24, seed=0, number=0)
    assert rows.shape[1] == 24
    assert (rows[:, 0] == BOS_ID).all()
    known = "".join(f"|{line}|{reverse_complement(line)}" for line in lines)
    flat = [tokenizer.id_to_token(i) for i in rows[:, 1:].ravel()]
    bases = sum(len(token) for token in flat if token != "</s>")
    assert 60 * 143 - 24 * 8 <= bases <= 60 * 150
    for row in rows[:10]:
        for stretch in "".join(tokenizer.id_to_token(i) for i in row).split("</s>"):
            assert stretch in known


def test_a_pass_is_a_function_of_seed_and_number(tokenizer, lines):
    def rows(seed, number):
        return packed_rows(lines, tokenizer, 24, seed=seed, number=number).tolist()

    assert rows(0, 1) == rows(0, 1)
    assert rows(0, 1) != rows(0, 2)
    assert rows(0, 1) != rows(1, 1)


def test_initial_weights_depend_on_the_seed_only():
    states = []
    for seed in (0, 0, 1):
        torch.manual_seed(len(states))
        states.append(build_decoder(SHAPE, seed).state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    name = "model.decoder.layers.1.fc1.weight"
    assert not torch.equal(states[0][name], states[2][name])


def test_a_model_of_zeros_needs_the_bits_of_its_vocabulary(tokenizer, lines):
    model = build_decoder(SHAPE, 0)
    for parameter in model.parameters():
        parameter.data.zero_()
    tokens = sum(len(tokenizer.encode(line).ids) - 1 for line in lines)
    expected = tokens * math.log2(SHAPE.vocab_size) / (60 * 150)
    short = [line[:40] for line in lines]
    assert bits_per_base(model, tokenizer, short, batch_size=7) == pytest.approx(
        sum(len(tokenizer.encode(s).ids) - 1 for s in short) * 5 / (60 * 40)
    )
    assert expected > 0


def test_padding_and_separators_are_never_predicted():
    model = build_decoder(SHAPE, 0)
    plain = torch.tensor([[BOS_ID, 5, 6, 7]])
    padded = torch.tensor([[BOS_ID, 5, 6, 7, PAD_ID, PAD_ID]])
    with torch.no_grad():
        torch.testing.assert_close(next_token_loss(model, plain), next_token_loss(model, padded))
        alone = next_token_loss(model, torch.tensor([[BOS_ID, 5, BOS_ID]]))
        torch.testing.assert_close(alone, next_token_loss(model, torch.tensor([[BOS_ID, 5]])))


def test_random_sequences_need_two_bits_per_base(random_dna):
    train, held_out = random_dna(400, 500), random_dna(20, 500, seed=1)
    assert markov_bits_per_base(train, held_out) == pytest.approx(2.0, abs=0.02)


def test_the_markov_model_equals_a_slow_count(random_dna):
    train, held_out = random_dna(3, 40), random_dna(2, 12, seed=2)
    both = [s for line in train for s in (line, reverse_complement(line))]
    bits = 0.0
    for sequence in held_out:
        for i, base in enumerate(sequence):
            context = sequence[max(0, i - 5) : i]
            counts = {
                b: 1 + sum(s[j:].startswith(context + b) for s in both for j in range(len(s)))
                for b in "ACGT"
            }
            bits -= math.log2(counts[base] / sum(counts.values()))
    assert markov_bits_per_base(train, held_out) == pytest.approx(bits / 24)


def test_the_learning_rate_rises_is_constant_and_falls():
    settings = Settings(steps=100, lr=1.0, warmup=10, decay=0.4)
    rates = np.array([learning_rate(settings, step) for step in range(1, 101)])
    assert rates[:10] == pytest.approx(np.arange(1, 11) / 10)
    assert (rates[9:60] == 1.0).all()
    assert all(later < earlier for earlier, later in pairwise(rates[59:]))
    assert rates[-1] == pytest.approx(0.05)
