"""DNABERT-2's architecture against its published sizes and a slow reference in numpy."""

import math

import numpy as np
import pytest
import torch
from scipy.special import erf, softmax

from study.models.architectures.mosaicbert import (
    MosaicBertConfig,
    MosaicBertForSequenceClassification,
    alibi_slopes,
)
from tests.study.models.slow_reference import linear, norm


def test_the_published_size_has_117_070_082_parameters() -> None:
    with torch.device("meta"):
        model = MosaicBertForSequenceClassification(MosaicBertConfig(vocab_size=4096))
    assert sum(p.numel() for p in model.parameters()) == 117_070_082


@pytest.mark.parametrize(
    ("heads", "exponents"),
    [
        (1, [8]),
        (2, [4, 8]),
        (8, [1, 2, 3, 4, 5, 6, 7, 8]),
        (12, [1, 2, 3, 4, 5, 6, 7, 8, 0.5, 1.5, 2.5, 3.5]),
    ],
)
def test_the_slopes_are_those_of_the_alibi_paper(heads: int, exponents: list[float]) -> None:
    expected = torch.tensor([2.0**-exponent for exponent in exponents])
    torch.testing.assert_close(alibi_slopes(heads), expected)


# The reference: one sequence, float64, a loop over heads and positions.


def _attend(state: dict[str, np.ndarray], name: str, x: np.ndarray, heads: int) -> np.ndarray:
    fused = linear(state, f"{name}.Wqkv", x)  # the hub's fused matrix: queries, keys, values
    size = x.shape[1] // heads
    result = np.zeros_like(x)
    for head, slope in enumerate(alibi_slopes(heads).double().numpy()):
        queries, keys, values = (
            fused[:, part * x.shape[1] + head * size :][:, :size] for part in range(3)
        )
        for i in range(len(x)):
            scores = [
                queries[i] @ keys[j] / math.sqrt(size) - slope * abs(i - j) for j in range(len(x))
            ]
            result[i, head * size : (head + 1) * size] = softmax(scores) @ values
    return result


def _feed_forward(state: dict[str, np.ndarray], name: str, x: np.ndarray) -> np.ndarray:
    both = linear(state, f"{name}.gated_layers", x)
    gate, value = both[:, : both.shape[1] // 2], both[:, both.shape[1] // 2 :]
    gelu = 0.5 * gate * (1 + erf(gate / math.sqrt(2)))
    return norm(state, f"{name}.layernorm", x + linear(state, f"{name}.wo", gelu * value))


def _reference(
    state: dict[str, np.ndarray], ids: list[int], layers: int, heads: int
) -> np.ndarray:
    words = state["bert.embeddings.word_embeddings.weight"][ids]
    kinds = state["bert.embeddings.token_type_embeddings.weight"][[0] * len(ids)]
    x = norm(state, "bert.embeddings.LayerNorm", words + kinds)
    for layer in range(layers):
        name = f"bert.encoder.layer.{layer}"
        mixed = _attend(state, f"{name}.attention.self", x, heads)
        projected = linear(state, f"{name}.attention.output.dense", mixed)
        x = norm(state, f"{name}.attention.output.LayerNorm", x + projected)
        x = _feed_forward(state, f"{name}.mlp", x)
    pooled = np.tanh(linear(state, "bert.pooler.dense", x[:1]))
    return linear(state, "classifier", pooled)[0]


def hub_names(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Returns a state with the names of the hub: queries, keys and values in one matrix."""
    hub = {}
    for name, tensor in state.items():
        if ".query." in name:
            parts = [state[name.replace("query", part)] for part in ("query", "key", "value")]
            hub[name.replace("query", "Wqkv")] = torch.cat(parts)
        elif ".key." not in name and ".value." not in name:
            hub[name] = tensor
    return hub


@pytest.fixture
def model() -> MosaicBertForSequenceClassification:
    config = MosaicBertConfig(
        vocab_size=12, hidden_size=24, num_hidden_layers=2, num_attention_heads=3,
        intermediate_size=20, pad_token_id=0, num_labels=3,
    )  # fmt: skip
    made = MosaicBertForSequenceClassification(config).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.normal_(0, 0.4, generator=generator)
    return made


def test_logits_equal_a_slow_reference_with_the_names_of_the_hub(
    model: MosaicBertForSequenceClassification,
) -> None:
    state = {k: v.double().numpy() for k, v in hub_names(model.state_dict()).items()}
    ids = [2, 5, 7, 7, 11, 4, 3]
    expected = _reference(state, ids, layers=2, heads=3)
    found = model.double()(torch.tensor([ids])).logits[0].detach().numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_padding_does_not_change_the_logits(model: MosaicBertForSequenceClassification) -> None:
    short, long = torch.tensor([[2, 5, 7, 3]]), torch.tensor([[2, 9, 8, 6, 4, 3]])
    alone = [model(short).logits[0], model(long).logits[0]]
    ids = torch.cat([torch.nn.functional.pad(short, (0, 2)), long])
    together = model(ids, attention_mask=(ids != 0).long()).logits
    torch.testing.assert_close(together, torch.stack(alone))
    unmasked = model(ids).logits[0]
    assert not torch.allclose(unmasked, alone[0], atol=1e-4)


def test_labels_give_the_mean_cross_entropy(model: MosaicBertForSequenceClassification) -> None:
    ids, labels = torch.tensor([[2, 5, 3], [2, 7, 3]]), torch.tensor([0, 2])
    output = model(ids, labels=labels)
    chosen = output.logits.log_softmax(-1)[torch.arange(2), labels]
    torch.testing.assert_close(output.loss, -chosen.mean())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_stays_finite_on_padded_batches(
    model: MosaicBertForSequenceClassification, dtype: torch.dtype
) -> None:
    ids = torch.tensor([[2, 5, 3, 0, 0], [2, 7, 8, 9, 3]])
    mask = (ids != 0).long()
    exact = model(ids, attention_mask=mask).logits
    rounded = model.to(dtype)(ids, attention_mask=mask).logits
    assert rounded.dtype == dtype
    torch.testing.assert_close(rounded.float(), exact, atol=0.1, rtol=0.1)
