"""Layers that can be adapted: their sizes, and their weight as a matrix (out, in).

    layer                                       weight
    nn.Linear                                   (out, in)
    transformers' Conv1D, of GPT-2              (in, out)
    bitsandbytes' Linear4bit and Linear8bitLt   quantised: computed from packed numbers, scales
    nn.Linear with a weight of torchao          quantised

The frozen layer computes with its quantised weight; what is added to that is not quantised. A
merged layer has the sum of the dequantised weight and the update, and is an nn.Linear. None of
these libraries is imported here: their classes are known by name.
"""

import copy
from typing import Any

import torch
from torch import Tensor, nn

from adapters._shapes import Float


def is_conv1d(layer: nn.Module) -> bool:
    """Returns whether a layer is transformers' Conv1D, a linear layer with a weight (in, out).

    Example:
        >>> is_conv1d(nn.Linear(2, 3)), is_conv1d(nn.Conv1d(2, 3, 1))
        (False, False)
    """
    return _class_of(layer, *_CONV1D) is not None


def is_linear(layer: nn.Module) -> bool:
    """Returns whether a layer is of a kind that can be adapted.

    Example:
        >>> is_linear(nn.Linear(2, 3)), is_linear(nn.Conv1d(2, 3, 1))
        (True, False)
    """
    return isinstance(layer, nn.Linear) or is_conv1d(layer)


def is_quantised(layer: nn.Module) -> bool:
    """Returns whether the weight of a linear layer is stored by bitsandbytes or torchao.

    Example:
        >>> is_quantised(nn.Linear(2, 3))
        False
    """
    return _is_4bit(layer) or _is_8bit(layer) or _is_torchao(layer)


def widths(layer: nn.Module) -> tuple[int, int]:
    """Returns the numbers of inputs and outputs of a layer.

    Example:
        >>> widths(nn.Linear(2, 3))
        (2, 3)
    """
    base: Any = layer
    return (base.nx, base.nf) if is_conv1d(layer) else (base.in_features, base.out_features)


def weight_of(layer: nn.Module) -> Float[Tensor, "out in"]:
    """Returns the weight of a layer as floating-point numbers, dequantised if need be.

    Example:
        >>> layer = nn.Linear(2, 3)
        >>> torch.equal(weight_of(layer), layer.weight)
        True
    """
    base: Any = layer
    weight: Any = base.weight
    if _is_4bit(layer):
        from bitsandbytes.functional import dequantize_4bit

        unpacked: Tensor = dequantize_4bit(weight.data, weight.quant_state)
        return unpacked
    if _is_8bit(layer):
        scales = base.state.SCB if weight.SCB is None else weight.SCB
        rows: Tensor = weight.data.float() * (scales.float() / 127).unsqueeze(-1)
        return rows
    if _is_torchao(layer):
        dequantised: Tensor = weight.dequantize()
        return dequantised
    stored: Tensor = weight.mT if is_conv1d(layer) else weight
    return stored


def merged_with(layer: nn.Module, delta: Float[Tensor, "out in"], dtype: torch.dtype) -> nn.Module:
    """Returns a layer whose weight is that of `layer` plus `delta`, rounded once to its dtype.

    A layer of `nn.Linear` or Conv1D stays one; a quantised layer becomes an `nn.Linear`. The
    given layer is not changed.

    Args:
        layer: The layer.
        delta: The update.
        dtype: The dtype of a layer that was quantised from an unknown one.

    Example:
        >>> layer = nn.Linear(2, 3)
        >>> merged = merged_with(layer, torch.ones(3, 2), torch.float32)
        >>> torch.equal(merged.weight, layer.weight + 1)
        True
    """
    base: Any = layer
    weight = weight_of(layer)
    kept = dtype if _is_8bit(layer) else weight.dtype
    total = (weight + delta.to(weight.device)).to(kept)  # In float32, or float64 as the layer is.
    bias = None if base.bias is None else nn.Parameter(base.bias.clone())
    if is_conv1d(layer):
        transposed: Any = copy.copy(layer)
        transposed._parameters = {"weight": nn.Parameter(total.mT.contiguous()), "bias": bias}
        merged: nn.Module = transposed
    else:
        inputs, outputs = widths(layer)
        linear = nn.Linear(inputs, outputs, bias=False, device="meta")
        linear.weight = nn.Parameter(total)
        linear.register_parameter("bias", bias)
        merged = linear
    return merged.train(layer.training)


def expected_forward(layer: nn.Module) -> object:
    """Returns the forward method that a layer must have if its update is to be merged."""
    known = [own for package, name in _KNOWN if (own := _class_of(layer, package, name))]
    return getattr(known[0] if known else nn.Linear, "forward")  # noqa: B009


def fault_of_quantised(layer: nn.Module) -> str | None:
    """Returns what is wrong with a quantised layer: its weight is not quantised yet."""
    weight: Any = layer._parameters["weight"]
    if _is_4bit(layer) and weight.quant_state is None:
        return "a 4-bit weight before its quantization"
    if _is_8bit(layer) and weight.dtype != torch.int8:
        return f"an 8-bit layer with a weight of {weight.dtype}"
    return None


_CONV1D = ("transformers", "Conv1D")
_4BIT, _8BIT = ("bitsandbytes", "Linear4bit"), ("bitsandbytes", "Linear8bitLt")
_KNOWN = (_CONV1D, _4BIT, _8BIT)


def _is_4bit(layer: nn.Module) -> bool:
    return _class_of(layer, *_4BIT) is not None


def _is_8bit(layer: nn.Module) -> bool:
    return _class_of(layer, *_8BIT) is not None


def _is_torchao(layer: nn.Module) -> bool:
    weight = layer._parameters.get("weight")
    return isinstance(layer, nn.Linear) and type(weight).__module__.startswith("torchao.")


def _class_of(layer: nn.Module, package: str, name: str) -> type | None:
    """Returns the class of a library that a layer is of, or derives from."""
    named = (own for own in type(layer).__mro__ if own.__name__ == name)
    return next((own for own in named if own.__module__.partition(".")[0] == package), None)
