"""Quantised layers: stand-ins with the interface of bitsandbytes and torchao, and these."""

import sys
from types import ModuleType

import pytest
import torch
from torch import nn

from adapters import inject, merge
from adapters.bases import weight_of

# Stand-ins


class Params4bit(nn.Parameter):
    quant_state = None


class Int8Params(nn.Parameter):
    SCB = None


class Linear4bit(nn.Linear):
    """Stores the signs of the weight and one scale."""

    def __init__(self, inputs, outputs):
        super().__init__(inputs, outputs)
        signs = torch.where(self.weight.data > 0, 1, 0).to(torch.uint8).view(-1, 1)
        scale = self.weight.data.abs().mean()
        self.weight = Params4bit(signs, requires_grad=False)
        self.weight.quant_state = (scale, (outputs, inputs))

    def forward(self, x):
        return nn.functional.linear(x, dequantize_4bit(self.weight.data, self.weight.quant_state))


def dequantize_4bit(packed, state):
    scale, shape = state
    return ((packed.float() * 2 - 1) * scale).view(shape)


class Linear8bitLt(nn.Linear):
    """Stores int8 rows and their largest absolute values."""

    def __init__(self, inputs, outputs):
        super().__init__(inputs, outputs)
        largest = self.weight.data.abs().amax(1)
        rows = (self.weight.data / largest[:, None] * 127).round().to(torch.int8)
        self.weight = Int8Params(rows, requires_grad=False)
        self.weight.SCB = largest

    def forward(self, x):
        weight = self.weight.data.float() * self.weight.SCB[:, None] / 127
        return nn.functional.linear(x, weight, self.bias)


class Int8Tensor(torch.Tensor):
    """A weight that dequantises itself."""

    @staticmethod
    def of(dense):
        own = torch.Tensor._make_subclass(Int8Tensor, dense.round(decimals=1), False)
        own._is_param = True
        return own

    def dequantize(self):
        return self.as_subclass(torch.Tensor)

    __torch_function__ = torch._C._disabled_torch_function_impl


@pytest.fixture
def stand_ins(monkeypatch):
    functional = ModuleType("bitsandbytes.functional")
    functional.dequantize_4bit = dequantize_4bit
    monkeypatch.setitem(sys.modules, "bitsandbytes", ModuleType("bitsandbytes"))
    monkeypatch.setitem(sys.modules, "bitsandbytes.functional", functional)
    for own in (Linear4bit, Linear8bitLt):
        monkeypatch.setattr(own, "__module__", "bitsandbytes.nn.modules")
    monkeypatch.setattr(Int8Tensor, "__module__", "torchao.quantization")


def torchao_like(inputs, outputs):
    layer = nn.Linear(inputs, outputs)
    layer._parameters["weight"] = Int8Tensor.of(layer.weight.data)
    return layer


# The tests of both


def check_training_and_merge(layer, atol):
    """The layer trains as its dequantised copy does, and is merged to an nn.Linear."""
    dense = nn.Linear(layer.in_features, layer.out_features)
    dense.weight.data = weight_of(layer).float().clone()
    dense.bias.data = layer.bias.data.float().clone()
    models = [nn.Sequential(own) for own in (layer, dense)]
    x = torch.randn(3, layer.in_features, generator=torch.Generator().manual_seed(1))
    adapters = [
        inject(m, ["0"], 2, alpha=2, generator=torch.Generator().manual_seed(0))["0"]
        for m in models
    ]
    for own in adapters:
        own.lam.data = torch.tensor([30.0, -20.0])
    for model in models:
        model(x).square().sum().backward()
    torch.testing.assert_close(adapters[0].P.grad, adapters[1].P.grad, rtol=0.1, atol=atol)
    assert layer.weight.grad is None
    stored = weight_of(layer).clone()
    outputs = [model(x).detach() for model in models]
    torch.testing.assert_close(*outputs, rtol=0, atol=atol)
    for model in models:
        merge(model)
    assert type(models[0][0]) is nn.Linear
    assert models[0][0].weight.is_floating_point()
    torch.testing.assert_close(models[0](x), models[1](x), rtol=0, atol=1e-5)
    assert torch.equal(weight_of(layer), stored)


@pytest.mark.usefixtures("stand_ins")
@pytest.mark.parametrize("make", [Linear4bit, Linear8bitLt, torchao_like])
def test_a_layer_with_the_interface_of_a_quantised_one_trains_and_merges(make):
    torch.manual_seed(0)
    layer = make(6, 4)
    if make is Linear4bit:
        layer.bias.data.zero_()
    check_training_and_merge(layer, 1e-5)


@pytest.mark.usefixtures("stand_ins")
def test_a_4_bit_layer_before_its_quantization_is_refused():
    layer = Linear4bit(6, 4)
    layer.weight.quant_state = None
    model = nn.Sequential(layer)
    with pytest.raises(ValueError, match=r"before its quantization in '0' \(Linear4bit\); move"):
        inject(model, ["0"], 2, alpha=2, generator=torch.Generator())
    assert model[0] is layer


def test_unknown_quantised_weights_are_refused():
    model = nn.Sequential(Linear8bitLt(6, 4))  # Of this module, not of bitsandbytes.
    with pytest.raises(ValueError, match=r"got a Int8Params of dtype torch.int8 in '0'"):
        inject(model, ["0"], 2, alpha=2, generator=torch.Generator())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("bits", [4, 8])
def test_layers_of_bitsandbytes_train_and_merge(bits):
    bnb = pytest.importorskip("bitsandbytes")
    torch.manual_seed(0)
    layer = (
        bnb.nn.Linear4bit(64, 48, compute_dtype=torch.float32, quant_type="nf4")
        if bits == 4
        else bnb.nn.Linear8bitLt(64, 48, has_fp16_weights=False)
    ).to("cpu")
    # 8-bit layers round their inputs as well.
    check_training_and_merge(layer, 1e-4 if bits == 4 else 0.1)


@pytest.mark.filterwarnings("ignore")
def test_layers_of_torchao_train_and_merge():
    quantization = pytest.importorskip("torchao.quantization")
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 48))
    quantization.quantize_(model, quantization.Int8WeightOnlyConfig())
    check_training_and_merge(model[0], 1e-4)
