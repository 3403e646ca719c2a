"""A rank for every layer."""

import pytest
import torch
from torch import nn

from adapters import LoRALinear, adapted_layers, eject, inject


def three_layers():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 5), nn.Linear(5, 6), nn.Linear(6, 3))


def adapt(model, rank, **settings):
    generator = torch.Generator().manual_seed(0)
    return inject(model, ["0", "1", "2"], rank, alpha=6, generator=generator, **settings)


@pytest.mark.parametrize("kind", ["svd", "lora"])
def test_every_layer_has_its_own_rank_and_scale(kind):
    layers = adapt(three_layers(), {"2": 1, "0": 2, "1": 3}, kind=kind)
    assert [(name, m.rank, m.scale) for name, m in layers.items()] == [
        ("0", 2, 3.0),
        ("1", 3, 2.0),
        ("2", 1, 6.0),
    ]
    assert [tuple(m.P.shape) for m in layers.values()] == [(5, 2), (6, 3), (3, 1)]
    assert [tuple(m.Q.shape) for m in layers.values()] == [(2, 4), (3, 5), (1, 6)]


def test_equal_ranks_by_name_are_one_rank_for_all():
    one, each = adapt(three_layers(), 2), adapt(three_layers(), {"0": 2, "1": 2, "2": 2})
    for a, b in zip(one.values(), each.values(), strict=True):
        assert torch.equal(a.P, b.P)
        assert torch.equal(a.Q, b.Q)


def test_a_layer_of_rank_0_stays_frozen_and_as_it_is():
    model = three_layers()
    untouched = model[1]
    layers = adapt(model, {"0": 2, "1": 0, "2": 1}, kind="lora", expected=3)
    assert list(layers) == ["0", "2"] == list(adapted_layers(model))
    assert all(isinstance(m, LoRALinear) for m in layers.values())
    assert model[1] is untouched
    assert not model[1].weight.requires_grad
    eject(model)
    assert model[1].weight.requires_grad


@pytest.mark.parametrize(
    ("rank", "found"),
    [
        ({"0": 2, "1": 2}, "and none of 2;"),
        ({"0": 2, "1": 2, "2": 2, "3": 1}, "got 1 others: 3,"),
        ({}, "none of 0, 1, 2"),
        ({"0": 0, "1": 0, "2": 0}, "got 0 in all 3"),
        ({"0": 2, "1": -1, "2": 1}, "got rank of 1=-1"),
        ({"0": 2, "1": 1.0, "2": 1}, "rank of 1 must be an integer"),
        ({"0": 2, "1": True, "2": 1}, "rank of 1 must be an integer"),
    ],
)
def test_ranks_that_do_not_fit_the_layers_are_refused_and_change_nothing(rank, found):
    model = three_layers()
    with pytest.raises(ValueError, match=found):
        adapt(model, rank)
    assert not adapted_layers(model)
    assert all(p.requires_grad for p in model.parameters())
