"""Checks of arguments and layers; the errors have the form RULE, but got FOUND; FIX.

inject refuses  layers other than those of bases.py; weights of another shape; query, key and value
                in one matrix; layers whose weight the model reads without a call
merge refuses   the same, layers with a forward pass of their own, shared weights
"""

import re
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any

import torch
from torch import Tensor, nn

from adapters.bases import (
    expected_forward,
    fault_of_quantised,
    is_conv1d,
    is_linear,
    is_quantised,
    widths,
)
from adapters.svd import AdaptedLinear

_FUSED = re.compile(r"(?i).*q_?k_?v.*|.*c_attn|query_key_value|key_value|w_?pack|(.*_)?w?kv(_.*)?")
"""Names of layers with more than one of query, key and value in one matrix."""
_DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def require(holds: bool, rule: str, **values: object) -> None:
    """Raises ValueError with the rule and the values if it does not hold."""
    if not holds:
        got = ", ".join(f"{name}={value!r}" for name, value in values.items())
        raise ValueError(f"{rule} must hold, but got {got}")


def require_integers(**values: object) -> None:
    """Raises ValueError at the first value that is not an integer; True and 2.0 are none."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, Integral):
            raise ValueError(f"{name} must be an integer, but got {name}={value!r}")


def require_numbers(**values: object) -> None:
    """Raises ValueError at the first value that is not a real number; NaN is one."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, Real):
            raise ValueError(f"{name} must be a number, but got {name}={value!r}")


def require_choice(choices: Sequence[Any], **values: object) -> None:
    """Raises ValueError at the first value that is not one of the choices."""
    for name, value in values.items():
        if value not in choices:
            raise ValueError(
                f"{name} must be one of {', '.join(map(str, choices))}, but got {name}={value!r}"
            )


def check_adaptable(model: nn.Module, layers: Mapping[str, nn.Module]) -> dict[str, nn.Module]:
    """Returns the layers if all of them can be adapted.

    Raises:
        ValueError: with the name of the first layer that cannot.

    Example:
        >>> model = nn.Sequential(nn.Linear(4, 3))
        >>> check_adaptable(model, {"0": model[0]})
        {'0': Linear(in_features=4, out_features=3, bias=True)}
    """
    readers = _uncalled_layers(model)
    linear: dict[str, nn.Module] = {}
    for name, layer in layers.items():
        if not is_linear(layer):
            raise ValueError(
                f"every matched layer must be nn.Linear, but got {name!r} of type "
                f"{type(layer).__name__}; make the pattern match whole names of linear layers only"
            )
        if is_fused(model, name):
            raise ValueError(
                "every adapted layer must have a matrix of its own, but got "
                f"{name!r}, which has query, key and value (or two of them) in one; leave it out "
                "of the patterns, or split it into layers of their own first"
            )
        if layer is model:
            raise ValueError(
                "the layer must be part of the model, but got a model that is the layer itself "
                f"({type(layer).__name__}); wrap it in nn.Sequential"
            )
        if layer in readers:
            raise ValueError(
                f"every adapted layer must be called by the model, but got {name!r}, whose weight "
                f"{readers[layer]} reads without calling the layer; leave it out of the patterns"
            )
        _check_weight(name, layer)
        linear[name] = layer
    return linear


def check_mergeable(model: nn.Module, adapters: Mapping[str, AdaptedLinear]) -> None:
    """Raises ValueError with the name of the first layer whose update cannot be merged.

    Example:
        >>> model = nn.Sequential(nn.Linear(4, 3))
        >>> check_mergeable(model, inject(model, ["0"], 2, alpha=4, generator=torch.Generator()))
    """
    names = parameter_names(model)
    for name, adapter in adapters.items():
        base = adapter.base
        _check_weight(name, base)
        if getattr(base.forward, "__func__", None) is not expected_forward(base):
            raise ValueError(
                f"a merged layer must compute what nn.Linear computes, but got {name!r} of type "
                f"{type(base).__name__} with a forward pass of its own; keep the adapters"
            )
        others = [other for other in names[adapter.weight] if other != f"{name}.base.weight"]
        if others:
            raise ValueError(
                f"a merged layer must have a weight of its own, but got {name!r}, which shares it "
                f"with {others[0]}; give the layer a copy of the weight, or keep the adapters"
            )


def is_fused(model: nn.Module, name: str) -> bool:
    """Returns whether a layer computes query, key and value, or two of them, with one matrix.

    By its name (c_attn, Wqkv, query_key_value, kv_proj, …), or as a layer of an attention module
    with three times as many outputs as inputs. As one matrix it would get the rank of one.

    Example:
        >>> model = nn.ModuleDict({"qkv_proj": nn.Linear(4, 12), "q_proj": nn.Linear(4, 4)})
        >>> is_fused(model, "qkv_proj"), is_fused(model, "q_proj")
        (True, False)
    """
    *_, own = [part for part in name.split(".") if not part.isdecimal()] or [""]
    if _FUSED.fullmatch(own):
        return True
    parent = model.get_submodule(name.rpartition(".")[0])
    inputs, outputs = widths(model.get_submodule(name))
    return "attention" in type(parent).__name__.lower() and outputs == 3 * inputs


def parameter_names(model: nn.Module) -> dict[Tensor, list[str]]:
    """Returns all names of every parameter; one that is tied has several.

    Example:
        >>> model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
        >>> model[1].weight = model[0].weight
        >>> list(parameter_names(model).values())
        [['0.weight', '1.weight']]
    """
    names: dict[Tensor, list[str]] = {}
    for prefix, module in model.named_modules():
        for key, parameter in module.named_parameters(prefix, recurse=False):
            names.setdefault(parameter, []).append(key)
    return names


def check_finite(tensors: Mapping[str, Tensor]) -> None:
    """Raises ValueError with the name of the first tensor that has other than finite numbers.

    Example:
        >>> check_finite({"lam": torch.tensor([1.0, 0.0])})
    """
    for name, tensor in tensors.items():
        if not tensor.is_floating_point() or not tensor.isfinite().all():
            found = tensor.dtype if not tensor.is_floating_point() else "NaN or infinity"
            raise ValueError(
                f"{name} must have finite floating-point numbers, but got {found}; restore them"
            )


def check_settings(own: Mapping[str, Any], saved: Mapping[str, Any]) -> None:
    """Raises ValueError with the first setting that a saved run has with another value.

    Settings that only one side has are not compared: an older version did not save them.

    Example:
        >>> check_settings({"p": 0.1, "mask_seed": 0}, {"p": 0.1})
    """
    for name, value in own.items():
        if name in saved and saved[name] != value:
            raise ValueError(
                f"{name} must be that of the saved run, {name}={saved[name]!r}, but got "
                f"{name}={value!r}; use the settings of the saved run"
            )


def _uncalled_layers(model: nn.Module) -> dict[nn.Module, str]:
    """Returns the layers whose weight torch's own modules read, with the types of these modules.

    MultiheadAttention never calls out_proj; TransformerEncoderLayer calls its layers in training
    only, so that an adapter would train and then be missing in evaluation.
    """
    readers: dict[nn.Module, str] = {}
    for module in model.modules():
        if isinstance(module, nn.MultiheadAttention):
            readers[module.out_proj] = "nn.MultiheadAttention"
        elif isinstance(module, nn.TransformerEncoderLayer):
            layers = (module.linear1, module.linear2)
            readers |= dict.fromkeys(layers, "nn.TransformerEncoderLayer")
    return readers


def _check_weight(name: str, layer: nn.Module) -> None:
    """Refuses a weight that is sharded, not initialised, computed from others, or unknown."""
    weight = layer._parameters.get("weight")
    inputs, outputs = widths(layer)
    shape = (inputs, outputs) if is_conv1d(layer) else (outputs, inputs)
    if weight is None:
        found: str | None = "a weight that is computed from other parameters"
        fix = "remove the parametrization (weight_norm, spectral_norm, pruning) first"
    elif is_quantised(layer):
        found = fault_of_quantised(layer)
        fix = "move the model to its device first, which quantises it"
    elif type(weight) is not nn.Parameter or weight.dtype not in _DTYPES:
        found = f"a {type(weight).__name__} of dtype {weight.dtype}"
        fix = "load the model without quantization; call it once if it has lazy layers"
    elif weight.shape != shape:
        found = f"the shape {tuple(weight.shape)}"
        fix = "load the model without quantization or sharding"
    else:
        return
    if found is not None:
        raise ValueError(
            "the weight of an adapted layer must be a floating-point parameter of the shape "
            f"{shape}, but got {found} in {name!r} ({type(layer).__name__}); {fix}"
        )
