"""Adapter weights as a dict of tensors and as a safetensors file.

The metadata of a file say what the weights are of, as JSON:

    adapters.layers     per layer, by name: kind, rank and scale (alpha / rank)
    adapters.allocator  settings of the rank allocator: schedule, rates, modes, seed of the masks
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from adapters.allocator import RankAllocator
from adapters.checks import check_finite, check_settings
from adapters.inject import adapted_layers, eject, inject
from adapters.selection import whole_names
from adapters.svd import AdaptedLinear, SVDLinear

_LAYERS, _ALLOCATOR = "adapters.layers", "adapters.allocator"
_SCALE = "adapters.scale"
"""All scales of the model; in files without `_LAYERS`, of an older version."""


def adapter_state(model: nn.Module) -> dict[str, Tensor]:
    """Returns copies of P, lam, Q and, if it is set, the mask of every adapted layer.

    Keys are `<name of the layer>.P` and so on. Parameters of backbone and head are not included.

    Example:
        >>> model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
        >>> _ = inject(model, ["0"], rank=2, alpha=4, generator=torch.Generator())
        >>> {key: tuple(tensor.shape) for key, tensor in adapter_state(model).items()}
        {'0.P': (3, 2), '0.Q': (2, 4), '0.lam': (2,)}
    """
    return {
        f"{name}.{key}": tensor.detach().clone()
        for name, module in adapted_layers(model).items()
        for key, tensor in _tensors(module).items()
    }


@torch.no_grad()
def load_adapter_state(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Copies a state into a model with the same adapted layers.

    Raises:
        ValueError: a tensor is missing, unexpected, of another shape, or has numbers that are not
            finite. The model is unchanged.

    Example:
        >>> model = nn.Sequential(nn.Linear(4, 3))
        >>> layer = inject(model, ["0"], rank=2, alpha=4, generator=torch.Generator())["0"]
        >>> load_adapter_state(model, adapter_state(model) | {"0.lam": torch.tensor([1.0, 2.0])})
        >>> layer.lam.tolist()
        [1.0, 2.0]
    """
    adapters = adapted_layers(model)
    own = {
        f"{name}.{key}": tensor
        for name, module in adapters.items()
        for key, tensor in _tensors(module).items()
        if key != "mask"
    }
    masks = {key: tensor for key, tensor in state.items() if key.endswith(".mask")}
    maskable = {f"{n}.mask": m for n, m in adapters.items() if isinstance(m, SVDLinear)}
    _check_keys(own, {key: t for key, t in state.items() if key not in masks})
    for key, mask in masks.items():
        wrong = key not in maskable or mask.shape != maskable[key].lam.shape
        if wrong or mask.dtype != torch.bool:
            raise ValueError(
                f"{key!r} must be the mask of an adapted layer, boolean and of the shape of lam, "
                f"but got {mask.dtype} of the shape {tuple(mask.shape)}; load it into the model "
                "that it was saved from"
            )
    for key, tensor in own.items():
        tensor.copy_(state[key])
    for key, module in maskable.items():
        module.mask = masks[key].to(module.lam.device).bool().clone() if key in masks else None


def save_adapters(
    model: nn.Module,
    path: str | Path,
    metadata: Mapping[str, str] | None = None,
    *,
    allocator: RankAllocator | None = None,
) -> None:
    """Writes `adapter_state(model)` and what it is of to a safetensors file.

    Args:
        model: A model with adapters.
        path: File to write; an existing one is overwritten.
        metadata: Strings to store in the file, returned by `load_adapters`.
        allocator: The allocator of the training, whose settings are stored too.

    Raises:
        ValueError: the model has no adapters. No file is written.

    Example:
        >>> model = nn.Sequential(nn.Linear(4, 3))
        >>> _ = inject(model, ["0"], rank=2, alpha=4, generator=torch.Generator())
        >>> save_adapters(model, "adapters.safetensors", {"task": "prom_tata"})
    """
    from safetensors.torch import save_file

    layers = _layers(model)
    if not layers:
        raise ValueError(
            "the model must have adapters, but got none; save them before merge or eject"
        )
    identity = {_LAYERS: json.dumps(layers)}
    if allocator is not None:
        identity[_ALLOCATOR] = json.dumps(allocator.settings())
    save_file(adapter_state(model), path, metadata={**(metadata or {}), **identity})


def load_adapters(
    model: nn.Module, path: str | Path, *, allocator: RankAllocator | None = None
) -> dict[str, str]:
    """Loads a file written by `save_adapters` into a model, and returns its metadata.

    Args:
        model: A model with the same adapters; or without any: those of the file are injected.
        path: The file.
        allocator: If given, its settings must be those in the file, if it has any.

    Raises:
        ValueError: the file is damaged; or its layers, their kinds, ranks or scales, its tensors
            or its allocator are not those of the model. The model is unchanged.

    Example:
        >>> model = nn.Sequential(nn.Linear(4, 3))
        >>> _ = inject(model, ["0"], rank=2, alpha=4, generator=torch.Generator())
        >>> save_adapters(model, "adapters.safetensors", {"task": "prom_tata"})
        >>> load_adapters(model, "adapters.safetensors")
        {'task': 'prom_tata'}
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            metadata = dict(file.metadata() or {})
    except SafetensorError as error:
        raise ValueError(f"{path}: the file must be safetensors, but got {error}") from error
    layers, scales = metadata.pop(_LAYERS, None), metadata.pop(_SCALE, None)
    if layers is not None and not adapted_layers(model):
        _inject(model, _read(_LAYERS, layers), state)
        return {key: text for key, text in metadata.items() if key != _ALLOCATOR}
    if layers is not None:
        _check_layers(_layers(model), _read(_LAYERS, layers))
    elif scales is not None:
        _check_scales(model, scales)
    settings = metadata.pop(_ALLOCATOR, None)
    if allocator is not None and settings is not None:
        check_settings(allocator.settings(), _read(_ALLOCATOR, settings))
    load_adapter_state(model, state)
    return metadata


def _inject(
    model: nn.Module, layers: Mapping[str, Mapping[str, Any]], state: Mapping[str, Tensor]
) -> None:
    """Injects the adapters of a file; layers without a triplet are left as they are."""
    ranks: dict[str, Any] = {name: layer.get("rank") for name, layer in layers.items()}
    kinds: set[Any] = {layer.get("kind") for layer in layers.values()}
    scales: dict[str, Any] = {name: layer.get("scale") for name, layer in layers.items()}
    numbers = all(isinstance(scale, int | float) for scale in scales.values())
    if len(kinds) != 1 or not numbers or not all(type(rank) is int for rank in ranks.values()):
        raise ValueError(
            f"{_LAYERS} in the file's metadata must give every layer a kind, a rank and a scale, "
            f"but got {str(layers)[:80]}; restore the file"
        )
    empty = tuple(f"{name}." for name, rank in ranks.items() if rank == 0)
    generator = torch.Generator().manual_seed(0)
    names = whole_names(list(layers))
    injected = inject(model, names, ranks, alpha=1, kind=kinds.pop(), generator=generator)
    try:
        load_adapter_state(model, {k: t for k, t in state.items() if not k.startswith(empty)})
    except BaseException:
        eject(model)
        raise
    for name, module in injected.items():
        module.scale = scales[name]


def _layers(model: nn.Module) -> dict[str, dict[str, Any]]:
    return {
        name: {
            "kind": "svd" if isinstance(module, SVDLinear) else "lora",
            "rank": module.rank,
            "scale": module.scale,
        }
        for name, module in adapted_layers(model).items()
    }


def _check_scales(model: nn.Module, stored: str) -> None:
    own = ", ".join(sorted({repr(module.scale) for module in adapted_layers(model).values()}))
    if own != stored:
        raise ValueError(
            f"the adapters must have the file's scale (alpha / rank) {stored}, but got {own}; "
            "call inject with the alpha and rank of the training"
        )


def _check_layers(own: Mapping[str, Mapping[str, Any]], layers: Mapping[str, Any]) -> None:
    if differing := sorted(own.keys() ^ layers.keys()):
        where = "the model" if differing[0] in own else "the file"
        raise ValueError(
            f"the model must have the file's adapted layers, but got {len(differing)} that only "
            f"one of them has, such as {differing[0]} of {where}; call inject with the patterns "
            "of the training"
        )
    words = {"kind": "kind", "rank": "rank", "scale": "scale (alpha / rank)"}
    for name, layer in own.items():
        for key, word in words.items():
            if layers[name].get(key) != layer[key]:
                raise ValueError(
                    f"{name} must have the file's {word} {layers[name].get(key)}, but got "
                    f"{layer[key]}; call inject with the settings of the training"
                )


def _read(key: str, text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or (
        key == _LAYERS and not all(isinstance(layer, dict) for layer in found.values())
    ):
        raise ValueError(
            f"{key} in the file's metadata must be a JSON object as save_adapters writes it, but "
            f"got {text[:80]!r}; restore the file"
        )
    return found


def _tensors(module: AdaptedLinear) -> dict[str, Tensor]:
    own: dict[str, Tensor] = {"P": module.P, "Q": module.Q}
    if not isinstance(module, SVDLinear):
        return own
    mask = {} if module.mask is None else {"mask": module.mask}
    return {**own, "lam": module.lam, **mask}


def _check_keys(own: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> None:
    missing, extra = sorted(own.keys() - state.keys()), sorted(state.keys() - own.keys())
    if missing or extra:
        raise ValueError(
            "the state must have exactly the tensors of the model's adapters, but got "
            f"{len(missing)} missing {missing[:3]} and {len(extra)} unexpected {extra[:3]}; "
            "inject into the layers that the state was saved from"
        )
    for key, tensor in own.items():
        if tensor.shape != state[key].shape:
            raise ValueError(
                f"{key} must have the shape {tuple(tensor.shape)}, but got "
                f"{tuple(state[key].shape)}; inject with the rank of the saved adapters"
            )
    check_finite(state)
