"""The network that is named `cnn`: compared with sums over every position and filter."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from study.errors import InputError
from study.models import describe, inspect_backbone
from study.models.architectures.cnn.model import CnnForSequenceClassification, fresh_cnn
from study.models.sizes import cnn_sizes
from study.models.tokenization import load_tokenizer
from study.spec import CnnSpec

META = torch.device("meta")


def network(seed: int = 0, labels: int = 2, **sizes: Any) -> CnnForSequenceClassification:
    values = CnnSpec(**({"width": 6, "depth": 3, "kernel_size": 4} | sizes))
    generator = torch.Generator().manual_seed(seed)
    model = fresh_cnn(values.model_dump(exclude={"name"}), labels, generator, torch.device("cpu"))
    torch.nn.init.normal_(model.classifier.weight, generator=generator)
    for layer in model.convolutions:
        torch.nn.init.normal_(layer.bias, generator=generator)
    return model


def slow_logits(model: CnnForSequenceClassification, ids: list[int]) -> np.ndarray:
    """The definition, one position and one filter after the other."""
    rows = [[1.0 * (letter == base) for base in range(4)] for letter in ids]
    for number, layer in enumerate(model.convolutions):
        weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
        size, new = weight.shape[2], []
        for at in range(len(ids)):
            sums = bias.astype(float)
            for tap in range(size):
                place = at + tap - (size - 1) // 2
                if 0 <= place < len(ids):
                    sums = sums + weight[:, :, tap] @ np.array(rows[place])
            new.append(np.maximum(sums, 0) + (np.array(rows[at]) if number else 0))
        rows = [list(row) for row in new]
    channels = np.array(rows)
    pooled = channels.max(0) if model.config.pooling == "max" else channels.mean(0)
    head = model.classifier
    return head.weight.detach().numpy() @ pooled + head.bias.detach().numpy()


@pytest.mark.parametrize("sizes", [{}, {"pooling": "mean"}, {"depth": 1}, {"kernel_size": 9}])
@torch.no_grad()
def test_the_logits_are_those_of_the_definition_for_every_row_of_a_padded_batch(sizes) -> None:
    model = network(**sizes)
    rows = [[0, 1, 2, 3, 4, 0, 2], [3], [4, 4], [1, 1, 0]]
    ids = torch.full((4, 9), 5)
    for row, letters in zip(ids, rows, strict=True):
        row[: len(letters)] = torch.tensor(letters)
    expected = np.array([slow_logits(model, row) for row in rows])
    np.testing.assert_allclose(model(ids).logits.numpy(), expected, rtol=1e-5, atol=1e-5)
    alone = model(torch.tensor(rows[:1], dtype=torch.int32)).logits
    torch.testing.assert_close(alone, model(ids).logits[:1])


def test_the_weights_depend_on_the_generator_alone_with_the_variance_of_he() -> None:
    torch.default_generator.manual_seed(1)
    before = torch.default_generator.get_state()
    sizes = CnnSpec(width=200).model_dump(exclude={"name"})
    model, same = (
        fresh_cnn(sizes, 3, torch.Generator().manual_seed(4), torch.device("cpu"))
        for _ in range(2)
    )
    assert torch.equal(torch.default_generator.get_state(), before)
    for one, other in zip(model.parameters(), same.parameters(), strict=True):
        assert torch.equal(one, other)
    for layer in model.convolutions:
        assert float(layer.weight.detach().std()) == pytest.approx(
            math.sqrt(2 / layer.weight[0].numel()), rel=0.1
        )
        assert not layer.bias.any()


def test_the_sizes_are_those_of_the_model() -> None:
    for spec in (CnnSpec(), CnnSpec(depth=4, width=7, kernel_size=3, inner_kernel_size=2)):
        model = fresh_cnn(spec.model_dump(exclude={"name"}), 2, torch.Generator(), META)
        assert cnn_sizes(spec).parameters == sum(p.numel() for p in model.parameters())
        head = sum(p.numel() for p in model.classifier.parameters())
        assert cnn_sizes(spec).head_parameters(2) == head


def test_it_is_described_and_reads_single_bases() -> None:
    info, description = inspect_backbone("cnn", with_weights=False), describe("cnn")
    assert description.targets == description.layer_names == {}
    assert load_tokenizer(info)(["ACGTN"]) == [[0, 1, 2, 3, 4]]
    config = fresh_cnn({}, 2, torch.Generator(), META).config
    assert all(getattr(config, name) == leaf for name, leaf in CnnSpec() if name != "name")


def test_a_saved_network_is_not_a_backbone(tmp_path: Path) -> None:
    network().save_pretrained(tmp_path)
    loaded = CnnForSequenceClassification.from_pretrained(tmp_path)
    ids = torch.tensor([[0, 1, 2, 3]])
    assert torch.equal(loaded.eval()(ids).logits, network()(ids).logits)
    with pytest.raises(InputError, match="must be a pretrained model, but got a cnn"):
        inspect_backbone(str(tmp_path))
