"""Adds adapters to a model, removes them, or merges them into the weights.

Every function checks all of its arguments before it changes the model.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args, overload

import torch
from torch import nn

from adapters._shapes import Number
from adapters.bases import merged_with
from adapters.checks import (
    check_mergeable,
    require,
    require_choice,
    require_numbers,
)
from adapters.selection import matching_layers, ranks_of, shortened
from adapters.svd import AdaptedLinear, LoRALinear, SVDLinear

Kind = Literal["svd", "lora"]
_LAYERS: dict[Kind, type[AdaptedLinear]] = {"svd": SVDLinear, "lora": LoRALinear}
_RECORD = "_adapters_record"


@dataclass(frozen=True)
class _Record:
    """State of the model before `inject`, stored on the model for `eject` and `merge`."""

    required_grad: dict[str, bool]


@overload
def inject(
    model: nn.Module,
    patterns: Sequence[str],
    rank: int | Mapping[str, int],
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
    rank: int | Mapping[str, int],
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
    rank: int | Mapping[str, int],
    *,
    alpha: Number,
    dropout: Number = 0.0,
    kind: Kind = "svd",
    generator: torch.Generator,
    expected: int | None = None,
) -> dict[str, SVDLinear] | dict[str, AdaptedLinear]:
    """Replaces matching linear layers by adapted ones, and freezes all other parameters.

    The adapters' P, lam and Q become the only trainable parameters of the model. The head is
    frozen too: call `requires_grad_(True)` on it if it should train. P and Q are drawn in the
    order of the model's modules.

    Args:
        model: Changed in place.
        patterns: Regular expressions that match the whole name of a module (`re.fullmatch`);
            `target_patterns` returns those of the known families.
        rank: Triplets per layer, at least 1; or those of every matching layer, by its name.
            Layers with rank 0 are not adapted.
        alpha: The update of a layer is multiplied by alpha / its rank; finite.
        dropout: Dropout probability of the update's input, in [0, 1).
        kind: `svd` for AdaLoRA and AdaLoRA+RS, `lora` for LoRA.
        generator: CPU generator from which P and Q are drawn.
        expected: Number of layers that must match; None does not check it.

    Returns:
        The adapted layers by name, in the order of the model's modules.

    Raises:
        ValueError: a pattern matches no layer or one that cannot be adapted (see checks.py),
            the number of matches is not `expected`, `rank` names other layers than those that
            match, the model has adapters already, or an argument is out of range. The model is
            unchanged.

    Example:
        >>> model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
        >>> inject(model, ["0"], rank=2, alpha=4, generator=torch.Generator().manual_seed(0))
        {'0': SVDLinear(
          rank=2, scale=2, dropout=0
          (base): Linear(in_features=4, out_features=3, bias=True)
        )}
        >>> [name for name, weight in model.named_parameters() if weight.requires_grad]
        ['0.P', '0.Q', '0.lam']
    """
    _check_arguments(patterns, alpha, dropout, kind, generator)
    if present := adapted_layers(model):
        raise ValueError(
            f"the model must have no adapters yet, but got {len(present)} adapted layers; call "
            "eject or merge first"
        )
    targets = matching_layers(model, patterns, expected)
    ranks = ranks_of(rank, list(targets))
    adapters = {
        name: _LAYERS[kind](targets[name], r, alpha=alpha, dropout=dropout, generator=generator)
        for name, r in ranks.items()
    }
    for name, adapter in adapters.items():
        adapter.train(targets[name].training)  # No dropout in evaluation mode.
    record = _Record({name: p.requires_grad for name, p in model.named_parameters()})
    model.requires_grad_(False)
    _replace(model, {targets[name]: adapter for name, adapter in adapters.items()})
    setattr(model, _RECORD, record)
    return adapters


def eject(model: nn.Module) -> None:
    """Restores the original layers and every parameter's `requires_grad`; undoes `inject`.

    Parameters that the model got after `inject`, such as those of a new head, stay as they are.

    Raises:
        ValueError: the model has no adapters. The model is unchanged.

    Example:
        >>> model = nn.Sequential(nn.Linear(4, 3))
        >>> _ = inject(model, ["0"], rank=2, alpha=4, generator=torch.Generator())
        >>> eject(model)
        >>> model[0]
        Linear(in_features=4, out_features=3, bias=True)
    """
    record, adapters = _injected(model)
    _remove(model, record, {adapter: adapter.base for adapter in adapters.values()})


@torch.no_grad()
def merge(model: nn.Module) -> None:
    """Replaces every adapted layer by an `nn.Linear` whose weight includes the update.

    The sum is computed in float32 and rounded once to the layer's dtype. Conv1D stays Conv1D;
    a quantised weight is dequantised first, and the merged one is not quantised. The original
    layers are not changed: another model that shares them keeps its weights. `requires_grad` is
    restored as by `eject`.

    Raises:
        ValueError: the model has no adapters, or one that cannot be merged: its layer has a
            forward pass of its own, shares its weight with another layer (a tied lm_head), or has
            no floating-point weight. The model is unchanged.

    Example:
        >>> model = nn.Sequential(nn.Linear(4, 3))
        >>> layer = inject(model, ["0"], rank=2, alpha=4, generator=torch.Generator())["0"]
        >>> expected = layer.base.weight + layer.delta()
        >>> merge(model)
        >>> model[0], torch.equal(model[0].weight, expected)
        (Linear(in_features=4, out_features=3, bias=True), True)
    """
    record, adapters = _injected(model)
    check_mergeable(model, adapters)
    dtype = _dtype(model, adapters)
    merged: dict[nn.Module, nn.Module] = {}
    merged |= {own: merged_with(own.base, own.delta(), dtype) for own in adapters.values()}
    _remove(model, record, merged)


def adapted_layers(model: nn.Module) -> dict[str, AdaptedLinear]:
    """Returns the adapted layers of a model by name, in the order of its modules.

    Example:
        >>> model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
        >>> _ = inject(model, ["1"], rank=2, alpha=4, generator=torch.Generator())
        >>> list(adapted_layers(model))
        ['1']
    """
    return {
        name: module for name, module in model.named_modules() if isinstance(module, AdaptedLinear)
    }


def _check_arguments(
    patterns: Sequence[str],
    alpha: Number,
    dropout: Number,
    kind: str,
    generator: torch.Generator,
) -> None:
    if isinstance(patterns, str):
        raise ValueError(
            f"patterns must be a sequence of regular expressions, but got {patterns!r}; put it "
            "in a list"
        )
    require_numbers(alpha=alpha, dropout=dropout)
    require(math.isfinite(alpha), "-inf < alpha < inf", alpha=alpha)
    require(0 <= dropout < 1, "0 <= dropout < 1", dropout=dropout)
    require_choice(get_args(Kind), kind=kind)
    if not isinstance(generator, torch.Generator) or generator.device.type != "cpu":
        raise ValueError(
            f"generator must be a CPU generator, but got {generator!r}; pass torch.Generator()"
        )


def _injected(model: nn.Module) -> tuple[_Record, dict[str, AdaptedLinear]]:
    """Returns what `inject` recorded, and the adapted layers."""
    adapters, record = adapted_layers(model), getattr(model, _RECORD, None)
    if not adapters:
        raise ValueError("the model must have adapters, but got none; call inject first")
    if not isinstance(record, _Record):
        raise ValueError(
            "the model must be the one that was given to inject, but got a part of it, or a model "
            f"around it, with the adapted layers {shortened(list(adapters))}; pass that model"
        )
    return record, adapters


def _remove(
    model: nn.Module, record: _Record, replacements: Mapping[nn.Module, nn.Module]
) -> None:
    _replace(model, replacements)
    for name, parameter in model.named_parameters():
        if name in record.required_grad:
            parameter.requires_grad_(record.required_grad[name])
    delattr(model, _RECORD)


def _dtype(model: nn.Module, adapters: Mapping[str, AdaptedLinear]) -> torch.dtype:
    """Returns the dtype of the first weight that is neither an adapter's nor quantised."""
    own = {id(p) for adapter in adapters.values() for p in adapter.parameters()}
    others = (p.dtype for p in model.parameters() if p.is_floating_point() and id(p) not in own)
    return next(others, torch.float32)


def _replace(model: nn.Module, replacements: Mapping[nn.Module, nn.Module]) -> None:
    for parent in list(model.modules()):
        if isinstance(parent, AdaptedLinear):
            continue
        # Unlike named_children(), this has a layer under each of its names.
        for name, child in list(parent._modules.items()):
            if child is not None and child in replacements:
                setattr(parent, name, replacements[child])
