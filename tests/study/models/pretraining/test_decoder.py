import math

import pytest
import torch

from study.models.pretraining.bpe import BOS_ID, PAD_ID
from study.models.pretraining.decoder import Shape, bits_per_base, build_decoder, next_token_loss

SHAPE = Shape(vocab_size=32, hidden_size=16, layers=2, heads=2, positions=24)


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
    sequences = [line[:40] for line in lines]
    tokens = sum(len(tokenizer.encode(sequence).ids) - 1 for sequence in sequences)
    expected = tokens * math.log2(SHAPE.vocab_size) / (60 * 40)
    assert bits_per_base(model, tokenizer, sequences, batch_size=7) == pytest.approx(expected)


def test_padding_and_separators_are_never_predicted():
    model = build_decoder(SHAPE, 0)
    plain = torch.tensor([[BOS_ID, 5, 6, 7]])
    padded = torch.tensor([[BOS_ID, 5, 6, 7, PAD_ID, PAD_ID]])
    with torch.no_grad():
        torch.testing.assert_close(next_token_loss(model, plain), next_token_loss(model, padded))
        alone = next_token_loss(model, torch.tensor([[BOS_ID, 5, BOS_ID]]))
        torch.testing.assert_close(alone, next_token_loss(model, torch.tensor([[BOS_ID, 5]])))
