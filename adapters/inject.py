"""Adds adapters to a model, removes them, or merges them into the weights.

Every function checks all of its arguments before it changes the model.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args, overload

import torch
from torch import nn

from adapters._shapes import Number
from adapters.checks import (
    check_adaptable,
    check_mergeable,
    require,
    require_choice,
    require_integers,
    require_numbers,
)
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
    targets = _matching_layers(model, patterns, expected)
    ranks = _ranks(rank, list(targets))
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

    The sum is computed in float32 and rounded once to the layer's dtype. The original layers are
    not changed: another model that shares them keeps its weights. `requires_grad` is restored as
    by `eject`.

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
    _remove(model, record, {adapter: _merged(adapter) for adapter in adapters.values()})


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


def _matching_layers(
    model: nn.Module, patterns: Sequence[str], expected: int | None
) -> dict[str, nn.Linear]:
    if not patterns:
        raise ValueError(
            "patterns must not be empty, but got none; use target_patterns for a known family"
        )
    modules = dict(model.named_modules())
    matched: set[str] = set()
    for pattern in patterns:
        names = [name for name in modules if _compiled(pattern).fullmatch(name)]
        if not names:
            raise ValueError(
                f"pattern {pattern!r} must match the whole name of a layer, but got no match; the "
                f"linear layers are {_shortened(_linear_layers(modules))}"
            )
        matched.update(names)
    if expected is not None and len(matched) != expected:
        raise ValueError(
            f"the patterns must match {expected} layers, but got {len(matched)}: "
            f"{_shortened(sorted(matched))}; correct the patterns or `expected`"
        )
    layers = {name: module for name, module in modules.items() if name in matched}
    return check_adaptable(model, layers)


def _ranks(rank: int | Mapping[str, int], layers: Sequence[str]) -> dict[str, int]:
    """Returns the rank of every layer to adapt, in the order of the layers."""
    if not isinstance(rank, Mapping):
        require_integers(rank=rank)
        require(rank >= 1, "rank >= 1", rank=rank)
        return dict.fromkeys(layers, rank)
    others = [name for name in rank if name not in layers]
    missing = [name for name in layers if name not in rank]
    if others or missing:
        raise ValueError(
            "rank must be of exactly the layers that the patterns match, but got "
            f"{len(others)} others: {_shortened(others)}, and none of {_shortened(missing)}; "
            "use rank 0 for a layer that should not be adapted"
        )
    for name, own in rank.items():
        require_integers(**{f"rank of {name}": own})
        require(own >= 0, "rank >= 0", **{f"rank of {name}": own})
    if not any(rank.values()):
        raise ValueError(
            f"rank must be at least 1 in at least one layer, but got 0 in all {len(layers)}"
        )
    return {name: int(rank[name]) for name in layers if rank[name]}


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except (re.error, TypeError) as error:
        raise ValueError(
            f"every pattern must be a regular expression, but got {pattern!r} ({error})"
        ) from error


def _linear_layers(modules: Mapping[str, nn.Module]) -> list[str]:
    return [name for name, module in modules.items() if isinstance(module, nn.Linear)]


def _shortened(names: Sequence[str], most: int = 8) -> str:
    tail = f", … ({len(names)} in all)" if len(names) > most else ""
    return (", ".join(names[:most]) or "none") + tail


def _injected(model: nn.Module) -> tuple[_Record, dict[str, AdaptedLinear]]:
    """Returns what `inject` recorded, and the adapted layers."""
    adapters, record = adapted_layers(model), getattr(model, _RECORD, None)
    if not adapters:
        raise ValueError("the model must have adapters, but got none; call inject first")
    if not isinstance(record, _Record):
        raise ValueError(
            "the model must be the one that was given to inject, but got a part of it, or a model "
            f"around it, with the adapted layers {_shortened(list(adapters))}; pass that model"
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


def _replace(model: nn.Module, replacements: Mapping[nn.Module, nn.Module]) -> None:
    for parent in list(model.modules()):
        if isinstance(parent, AdaptedLinear):
            continue
        # Unlike named_children(), this has a layer under each of its names.
        for name, child in list(parent._modules.items()):
            if child is not None and child in replacements:
                setattr(parent, name, replacements[child])


def _merged(adapter: AdaptedLinear) -> nn.Linear:
    base = adapter.base
    merged = nn.Linear(base.in_features, base.out_features, bias=False, device="meta")
    weight = base.weight + adapter.delta()  # In float32, or float64 if the layer is.
    merged.weight = nn.Parameter(weight.to(base.weight.dtype))
    merged.bias = None if base.bias is None else nn.Parameter(base.bias.clone())
    return merged.train(base.training)
