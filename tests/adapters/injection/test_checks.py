"""Layers that cannot be adapted or merged are refused by name, and the model is unchanged."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

from adapters import adapted_layers, eject, inject, merge


def adapt(model, patterns):
    return inject(model, patterns, 2, alpha=4, generator=torch.Generator().manual_seed(0))


def layout(model):
    """Returns all modules, and whether each parameter trains."""
    trains = {name: parameter.requires_grad for name, parameter in model.named_parameters()}
    return dict(model.named_modules()), trains


def refuse(change, model, message):
    """Asserts that a change of a model raises and leaves the model as it was."""
    before = layout(model)
    weights = copy.deepcopy(model.state_dict())
    with pytest.raises(ValueError, match=message):
        change(model)
    assert layout(model) == before
    assert all(torch.equal(weights[key], value) for key, value in model.state_dict().items())


class Packed(nn.Linear):
    """Two 4-bit weights in each byte, as in bitsandbytes' Linear4bit."""

    def __init__(self):
        super().__init__(4, 4)
        self.weight = nn.Parameter(torch.zeros(8, 1, dtype=torch.uint8), requires_grad=False)


class Params4bit(nn.Parameter):
    """A parameter of float weights that a move to a GPU would quantise."""


class LaterPacked(nn.Linear):
    def __init__(self):
        super().__init__(4, 4)
        self.weight = torch.Tensor._make_subclass(Params4bit, torch.zeros(4, 4), False)


class Sharded(nn.Linear):
    """Holds one half of its weight."""

    def __init__(self):
        super().__init__(4, 4)
        self.weight = nn.Parameter(torch.zeros(2, 4))


LAYERS = {
    "packed": (Packed, "a Parameter of dtype torch.uint8 in 'layer' .Packed.; load the model"),
    "packed on a GPU": (LaterPacked, "a Params4bit of dtype torch.float32 in 'layer'"),
    "float8": (lambda: nn.Linear(4, 4).to(torch.float8_e4m3fn), "dtype torch.float8_e4m3fn"),
    "sharded": (Sharded, r"must be .* of the shape \(4, 4\), but got the shape \(2, 4\)"),
    "lazy": (lambda: nn.LazyLinear(4), "UninitializedParameter"),
    "weight norm": (lambda: parametrizations.weight_norm(nn.Linear(4, 4)), "remove the param"),
    "pruned": (lambda: prune.identity(nn.Linear(4, 4), "weight"), "computed from other param"),
    "no linear layer": (lambda: nn.Conv1d(4, 4, 1), "must be nn.Linear, but got 'layer' of type"),
}


@pytest.mark.parametrize(("make", "message"), LAYERS.values(), ids=LAYERS)
def test_a_layer_without_a_floating_weight_of_its_shape_is_refused(make, message):
    model = nn.ModuleDict({"first": nn.Linear(4, 4), "layer": make()})
    before = {name: p.requires_grad for name, p in model.named_parameters()}
    with pytest.raises(ValueError, match=message):
        adapt(model, ["first", "layer"])
    assert not adapted_layers(model)
    assert {name: p.requires_grad for name, p in model.named_parameters()} == before


@pytest.mark.parametrize("layer", ["linear1", "linear2", r"self_attn\.out_proj"])
def test_layers_that_torch_reads_without_a_call_are_refused(layer):
    encoder = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    refuse(
        lambda model: adapt(model, [layer]),
        encoder,
        "must be called by the model, but got '.*', whose weight nn.(Multihead|TransformerEnc)",
    )


def test_layers_that_torch_calls_are_adapted_in_training_and_evaluation():
    model = nn.TransformerDecoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
    for layer in adapt(model, ["linear[12]"]).values():
        layer.lam.data.fill_(3.0)
    x = torch.randn(2, 3, 8, generator=torch.Generator().manual_seed(1))
    trained = model.train()(x, x)
    with torch.no_grad():
        torch.testing.assert_close(model.eval()(x, x), trained)
    eject(model)
    assert not torch.allclose(model(x, x), trained, atol=1e-3)


def test_a_model_that_is_the_layer_itself_is_refused():
    refuse(lambda model: adapt(model, [""]), nn.Linear(4, 4), "must be part of the model")


class Activated(nn.Linear):
    def forward(self, x):
        return super().forward(x).relu()


def test_a_layer_with_a_forward_pass_of_its_own_is_adapted_but_not_merged():
    model = nn.ModuleDict({"first": nn.Linear(4, 4), "layer": Activated(4, 4)})
    adapt(model, ["first", "layer"])
    refuse(merge, model, "must compute what nn.Linear computes, but got 'layer' of type Activated")


class Tied(nn.Module):
    """A language model whose output layer has the weight of the embedding."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(5, 4)
        self.layer = nn.Linear(4, 4)
        self.lm_head = nn.Linear(4, 5, bias=False)
        self.lm_head.weight = self.embedding.weight


def test_a_tied_lm_head_is_not_merged_but_ejected():
    model = Tied()
    adapt(model, ["layer", "lm_head"])
    refuse(merge, model, "weight of its own, but got 'lm_head', .* with embedding.weight")
    eject(model)
    assert model.lm_head.weight is model.embedding.weight


@pytest.mark.parametrize("later", [parametrizations.weight_norm, lambda layer: layer.half()])
def test_layers_that_changed_after_inject_are_merged_or_refused(later):
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    adapters = adapt(model, ["0", "1"])
    later(adapters["1"].base)
    if later is parametrizations.weight_norm:
        refuse(merge, model, "computed from other parameters in '1'")
    else:
        merge(model)
        assert model[1].weight.dtype == torch.float16


def test_merge_keeps_the_precision_of_float64():
    model = nn.Sequential(nn.Linear(4, 4).double())
    layer = adapt(model, ["0"])["0"]
    layer.lam.data.fill_(1.0)
    expected = layer.base.weight + layer.delta().double()
    merge(model)
    assert torch.equal(model[0].weight, expected)
