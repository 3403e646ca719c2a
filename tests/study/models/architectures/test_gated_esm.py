"""Nucleotide Transformer v2 against its published sizes and a slow reference in numpy."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import softmax

from study.models.architectures.gated_esm import GatedEsmConfig, GatedEsmForSequenceClassification
from tests.study.models.slow_reference import linear, norm

PUBLISHED = {  # layers, width, heads, feed-forward, parameters with two labels
    "50m": (12, 512, 16, 2048, 52_748_483),
    "100m": (22, 512, 16, 2048, 94_732_643),
    "250m": (24, 768, 16, 3072, 230_388_099),
    "500m": (29, 1024, 16, 4096, 492_036_563),
}


def _config(**changes: Any) -> GatedEsmConfig:
    settings = {
        "vocab_size": 4107,
        "max_position_embeddings": 2050,
        "position_embedding_type": "rotary",
        "pad_token_id": 1,
        "mask_token_id": 2,
        "tie_word_embeddings": False,
        "token_dropout": False,
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
        "emb_layer_norm_before": False,
    }
    return GatedEsmConfig(**settings | changes)


@pytest.mark.parametrize("size", PUBLISHED)
def test_the_published_sizes_have_the_published_number_of_parameters(size: str) -> None:
    layers, width, heads, inner, parameters = PUBLISHED[size]
    config = _config(
        num_hidden_layers=layers,
        hidden_size=width,
        num_attention_heads=heads,
        intermediate_size=inner,
    )
    with torch.device("meta"):
        model = GatedEsmForSequenceClassification(config)
    assert sum(p.numel() for p in model.parameters()) == parameters


# The reference: one sequence, float64, a loop over heads and positions.


def _rotated(vector: np.ndarray, position: int) -> np.ndarray:
    """Rotates each pair (x_i, x_{i+h}) by the angle position / 10000^(i/h) (Su et al. 2021)."""
    half = len(vector) // 2
    result = np.empty_like(vector)
    for i in range(half):
        angle = position / 10000 ** (i / half)
        first, second = vector[i], vector[i + half]
        result[i] = first * math.cos(angle) - second * math.sin(angle)
        result[i + half] = second * math.cos(angle) + first * math.sin(angle)
    return result


def _attend(state: dict[str, np.ndarray], name: str, x: np.ndarray, heads: int) -> np.ndarray:
    queries, keys, values = (
        linear(state, f"{name}.{part}", x) for part in ("query", "key", "value")
    )
    size = x.shape[1] // heads
    result = np.zeros_like(x)
    for head in range(heads):
        part = slice(head * size, (head + 1) * size)
        for i in range(len(x)):
            query = _rotated(queries[i, part], i)
            scores = [query @ _rotated(keys[j, part], j) / math.sqrt(size) for j in range(len(x))]
            result[i, part] = softmax(scores) @ values[:, part]
    return result


def _reference(
    state: dict[str, np.ndarray], ids: list[int], layers: int, heads: int
) -> np.ndarray:
    x = state["esm.embeddings.word_embeddings.weight"][ids]
    for layer in range(layers):
        name = f"esm.encoder.layer.{layer}"
        mixed = _attend(
            state, f"{name}.attention.self", norm(state, f"{name}.attention.LayerNorm", x), heads
        )
        x = x + linear(state, f"{name}.attention.output.dense", mixed)
        both = linear(state, f"{name}.intermediate.dense", norm(state, f"{name}.LayerNorm", x))
        gate, value = both[:, : both.shape[1] // 2], both[:, both.shape[1] // 2 :]
        silu = gate / (1 + np.exp(-gate))
        x = x + linear(state, f"{name}.output.dense", silu * value)
    x = norm(state, "esm.encoder.emb_layer_norm_after", x)
    pooled = np.tanh(linear(state, "classifier.dense", x[:1]))
    return linear(state, "classifier.out_proj", pooled)[0]


def test_logits_equal_a_slow_reference() -> None:
    config = _config(
        vocab_size=12, hidden_size=24, num_hidden_layers=2, num_attention_heads=3,
        intermediate_size=20, num_labels=3,
    )  # fmt: skip
    model = GatedEsmForSequenceClassification(config).eval().double()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.4, generator=generator)
    state = {k: v.numpy() for k, v in model.state_dict().items()}
    ids = [3, 5, 7, 7, 11, 4, 8]
    ones = torch.ones(1, len(ids), dtype=torch.long)
    found = model(torch.tensor([ids]), attention_mask=ones).logits[0].detach().numpy()
    np.testing.assert_allclose(found, _reference(state, ids, 2, 3), rtol=1e-5)
