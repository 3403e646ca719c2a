"""Puts adapters into a model, takes them out, or folds them into plain weights."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, overload

import torch
from torch import nn

from adapters._shapes import Number
from adapters.svd import AdaptedLinear, LoRALinear, SVDLinear

Kind = Literal["svd", "lora"]
_LAYERS: dict[Kind, type[AdaptedLinear]] = {"svd": SVDLinear, "lora": LoRALinear}
_RECORD = "_adapters_record"


@dataclass(frozen=True)
class _Record:
    """What `eject` and `merge` need to leave no trace, kept on the model itself."""

    required_grad: dict[str, bool]


@overload
def inject(
    model: nn.Module,
    patterns: Sequence[str],
    rank: int,
    *,
    alpha: Number,
    dropout: Number = ...,
    kind: Literal["svd"] = ...,
    generator: torch.Generator,
    expected: int | None = ...,
) -> dict[str, SVDLinear]: ...


@overload
def inject(
    model: nn.Module,
    patterns: Sequence[str],
    rank: int,
    *,
    alpha: Number,
    dropout: Number = ...,
    kind: Kind,
    generator: torch.Generator,
    expected: int | None = ...,
) -> dict[str, AdaptedLinear]: ...


def inject(
    model: nn.Module,
    patterns: Sequence[str],
    rank: int,
    *,
    alpha: Number,
    dropout: Number = 0.0,
    kind: Kind = "svd",
    generator: torch.Generator,
    expected: int | None = None,
) -> dict[str, SVDLinear] | dict[str, AdaptedLinear]:
    """Wraps every linear layer whose whole name matches a pattern, and freezes all else.

    Afterwards the adapters' P, lam and Q are the model's only trainable parameters; a head that
    should train is switched on by the caller. P and Q are drawn in the order of the model's
    modules.

    Args:
        model: Changed in place.
        patterns: Regular expressions for whole module names; `target_patterns` has those of the
            known families.
        rank: Triplets per layer at the start.
        alpha: The update is scaled by alpha / rank.
        dropout: Probability in [0, 1) of zeroing an entry of an update's input.
        kind: `svd` for AdaLoRA and AdaLoRA+RS, `lora` for LoRA.
        generator: Stream on the CPU for P and Q.
        expected: How many layers must match, if known.

    Returns:
        The adapted layers by their name in the model, in the order of its modules.

    Raises:
        ValueError: a pattern matches nothing or something other than a linear layer, another
            number of layers than `expected` matches, the model has adapters already, or a
            number is out of range. The model is then unchanged.
    """
    _check_numbers(rank, dropout)
    if adapted_layers(model):
        raise ValueError("the model must have no adapters yet: call eject or merge first")
    targets = _matching_layers(model, patterns, expected)
    record = _Record({name: p.requires_grad for name, p in model.named_parameters()})
    model.requires_grad_(False)
    adapters = {
        name: _LAYERS[kind](base, rank, alpha=alpha, dropout=dropout, generator=generator)
        for name, base in targets.items()
    }
    for name, adapter in adapters.items():
        adapter.train(targets[name].training)  # No dropout in evaluation mode.
    _replace(model, {targets[name]: adapter for name, adapter in adapters.items()})
    setattr(model, _RECORD, record)
    return adapters


def eject(model: nn.Module) -> None:
    """Puts the original layers back; parameters require gradients as before `inject`.

    Raises:
        ValueError: the model has no adapters.
    """
    adapters = adapted_layers(model)
    _finish(model, {adapter: adapter.base for adapter in adapters.values()})


@torch.no_grad()
def merge(model: nn.Module) -> None:
    """Replaces every adapted layer by a plain linear layer with the update folded in.

    The sum is made in float32 and rounded once to the layer's dtype. The original layers are not
    touched: another model that shares them keeps its weights.

    Raises:
        ValueError: the model has no adapters.
    """
    adapters = adapted_layers(model)
    _finish(model, {adapter: _folded(adapter) for adapter in adapters.values()})


def adapted_layers(model: nn.Module) -> dict[str, AdaptedLinear]:
    """Returns the adapted layers of a model by name, in the order of its modules."""
    return {
        name: module for name, module in model.named_modules() if isinstance(module, AdaptedLinear)
    }


def _check_numbers(rank: int, dropout: Number) -> None:
    if rank < 1:
        raise ValueError(f"rank >= 1 must hold, but got {rank}")
    if not 0 <= dropout < 1:
        raise ValueError(f"0 <= dropout < 1 must hold, but got {dropout}")


def _matching_layers(
    model: nn.Module, patterns: Sequence[str], expected: int | None
) -> dict[str, nn.Linear]:
    if not patterns:
        raise ValueError("patterns must not be empty: no layer would be adapted")
    modules = dict(model.named_modules())
    matched: set[str] = set()
    for pattern in patterns:
        names = [name for name in modules if re.fullmatch(pattern, name)]
        if not names:
            raise ValueError(f"pattern {pattern!r} must match a layer, but {_nearby(modules)}")
        matched.update(names)
    if expected is not None and len(matched) != expected:
        raise ValueError(
            f"the patterns must match {expected} layers, but match {len(matched)}: "
            f"{_shortened(sorted(matched))}"
        )
    return {name: _as_linear(name, modules[name]) for name in modules if name in matched}


def _as_linear(name: str, module: nn.Module) -> nn.Linear:
    if not isinstance(module, nn.Linear):
        raise ValueError(
            f"only nn.Linear layers can be adapted, but {name!r} is a {type(module).__name__}"
        )
    return module


def _nearby(modules: Mapping[str, nn.Module]) -> str:
    linear = [name for name, module in modules.items() if isinstance(module, nn.Linear)]
    return f"the model's linear layers are {_shortened(linear)}"


def _shortened(names: Sequence[str], most: int = 8) -> str:
    tail = f", … ({len(names)} in all)" if len(names) > most else ""
    return (", ".join(names[:most]) or "none") + tail


def _replace(model: nn.Module, replacements: Mapping[nn.Module, nn.Module]) -> None:
    for parent in list(model.modules()):
        if isinstance(parent, AdaptedLinear):
            continue
        for name, child in list(parent.named_children()):
            if child in replacements:
                setattr(parent, name, replacements[child])


def _finish(model: nn.Module, replacements: Mapping[nn.Module, nn.Module]) -> None:
    record = getattr(model, _RECORD, None)
    if not replacements or not isinstance(record, _Record):
        raise ValueError("the model must have adapters that inject put there, but has none")
    _replace(model, replacements)
    _restore(model.named_parameters(), record)
    delattr(model, _RECORD)


def _restore(parameters: Iterable[tuple[str, nn.Parameter]], record: _Record) -> None:
    for name, parameter in parameters:
        parameter.requires_grad_(record.required_grad[name])


def _folded(adapter: AdaptedLinear) -> nn.Linear:
    base = adapter.base
    folded = nn.Linear(base.in_features, base.out_features, bias=False, device="meta")
    weight = base.weight.float() + adapter.delta()
    folded.weight = nn.Parameter(weight.to(base.weight.dtype))
    folded.bias = None if base.bias is None else nn.Parameter(base.bias.clone())
    return folded.train(base.training)
