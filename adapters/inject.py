"""Adds adapters to a model, removes them, or merges them into the weights."""

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
    """State of the model before `inject`, stored on the model for `eject` and `merge`."""

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
    """Replaces matching linear layers by adapted ones, and freezes all other parameters.

    The adapters' P, lam and Q become the only trainable parameters of the model. The head is
    frozen too: call `requires_grad_(True)` on it if it should train. P and Q are drawn in the
    order of the model's modules.

    Args:
        model: Changed in place.
        patterns: Regular expressions that match the whole name of a module (`re.fullmatch`);
            `target_patterns` returns those of the known families.
        rank: Triplets per layer, at least 1.
        alpha: The update is multiplied by alpha / rank.
        dropout: Dropout probability of the update's input, in [0, 1).
        kind: `svd` for AdaLoRA and AdaLoRA+RS, `lora` for LoRA.
        generator: CPU generator from which P and Q are drawn.
        expected: Number of layers that must match; None does not check it.

    Returns:
        The adapted layers by name, in the order of the model's modules.

    Raises:
        ValueError: a pattern matches no layer or one that is not `nn.Linear`, the number of
            matches is not `expected`, the model has adapters already, or a number is out of
            range. The model is unchanged.

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
    _check_numbers(rank, dropout)
    if present := adapted_layers(model):
        raise ValueError(
            f"the model must have no adapters yet, but got {len(present)} adapted layers; call "
            "eject or merge first"
        )
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
    """Restores the original layers and every parameter's `requires_grad`; undoes `inject`.

    Raises:
        ValueError: the model has no adapters.

    Example:
        >>> model = nn.Sequential(nn.Linear(4, 3))
        >>> _ = inject(model, ["0"], rank=2, alpha=4, generator=torch.Generator())
        >>> eject(model)
        >>> model[0]
        Linear(in_features=4, out_features=3, bias=True)
    """
    adapters = adapted_layers(model)
    _remove(model, {adapter: adapter.base for adapter in adapters.values()})


@torch.no_grad()
def merge(model: nn.Module) -> None:
    """Replaces every adapted layer by an `nn.Linear` whose weight includes the update.

    The sum is computed in float32 and rounded once to the layer's dtype. The original layers are
    not changed: another model that shares them keeps its weights.

    Raises:
        ValueError: the model has no adapters.

    Example:
        >>> model = nn.Sequential(nn.Linear(4, 3))
        >>> layer = inject(model, ["0"], rank=2, alpha=4, generator=torch.Generator())["0"]
        >>> expected = layer.base.weight + layer.delta()
        >>> merge(model)
        >>> model[0], torch.equal(model[0].weight, expected)
        (Linear(in_features=4, out_features=3, bias=True), True)
    """
    adapters = adapted_layers(model)
    _remove(model, {adapter: _merged(adapter) for adapter in adapters.values()})


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


def _check_numbers(rank: int, dropout: Number) -> None:
    if rank < 1:
        raise ValueError(f"rank >= 1 must hold, but got rank={rank}")
    if not 0 <= dropout < 1:
        raise ValueError(f"0 <= dropout < 1 must hold, but got dropout={dropout}")


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
        names = [name for name in modules if re.fullmatch(pattern, name)]
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
    return {name: _as_linear(name, modules[name]) for name in modules if name in matched}


def _as_linear(name: str, module: nn.Module) -> nn.Linear:
    if not isinstance(module, nn.Linear):
        raise ValueError(
            f"every matched layer must be nn.Linear, but got {name!r} of type "
            f"{type(module).__name__}; make the pattern match whole names of linear layers only"
        )
    return module


def _linear_layers(modules: Mapping[str, nn.Module]) -> list[str]:
    return [name for name, module in modules.items() if isinstance(module, nn.Linear)]


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


def _remove(model: nn.Module, replacements: Mapping[nn.Module, nn.Module]) -> None:
    record = getattr(model, _RECORD, None)
    if not replacements or not isinstance(record, _Record):
        raise ValueError("the model must have adapters, but got none; call inject first")
    _replace(model, replacements)
    _restore(model.named_parameters(), record)
    delattr(model, _RECORD)


def _restore(parameters: Iterable[tuple[str, nn.Parameter]], record: _Record) -> None:
    for name, parameter in parameters:
        parameter.requires_grad_(record.required_grad[name])


def _merged(adapter: AdaptedLinear) -> nn.Linear:
    base = adapter.base
    merged = nn.Linear(base.in_features, base.out_features, bias=False, device="meta")
    weight = base.weight.float() + adapter.delta()
    merged.weight = nn.Parameter(weight.to(base.weight.dtype))
    merged.bias = None if base.bias is None else nn.Parameter(base.bias.clone())
    return merged.train(base.training)
