"""Import of adapters in PEFT's LoRA and AdaLoRA formats, without PEFT installed."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from adapters.bases import is_linear, widths
from adapters.checks import check_finite
from adapters.inject import inject
from adapters.peft_files.config import KINDS, rank_of, read_config, scale_of
from adapters.peft_files.export import CONFIG, PREFIX, WEIGHTS, check_untied
from adapters.svd import AdaptedLinear, SVDLinear

_TENSORS = {
    "LORA": {"A": "lora_A.weight", "B": "lora_B.weight"},
    "ADALORA": {"A": "lora_A", "B": "lora_B", "E": "lora_E"},
}


@dataclass(frozen=True)
class _Factors:
    """Update of one layer, scale · B diag(E) A: A (r, in), B (out, r), E (r, 1) or None."""

    A: Tensor
    B: Tensor
    E: Tensor | None
    scale: float


@torch.no_grad()
def load_peft(model: nn.Module, folder: str | Path) -> dict[str, AdaptedLinear]:
    """Injects adapters saved in PEFT's LoRA or AdaLoRA format, and returns the adapted layers.

    LoRA becomes `LoRALinear` layers, AdaLoRA `SVDLinear` layers, each of its own rank in the
    files. A layer of AdaLoRA without any triplet gets one with lam 0. Saved head modules are
    copied into the model. As after `inject`, only the adapters require gradients.

    Args:
        model: The base model, without adapters; changed in place.
        folder: Contains adapter_config.json and adapter_model.safetensors.

    Returns:
        The adapted layers by name, in the order of the model's modules.

    Raises:
        ValueError: files or tensors are missing, damaged, unexpected, or do not match the model
            or the config; a setting is unknown or not supported by these layers; a saved module
            shares a parameter with another module of the model. The model is unchanged.

    Example:
        >>> model = nn.Sequential(nn.Linear(4, 3))
        >>> layer = inject(model, ["0"], 2, alpha=4, kind="lora", generator=torch.Generator())["0"]
        >>> save_peft_lora(model, "adapter")
        >>> loaded = load_peft(nn.Sequential(nn.Linear(4, 3)), "adapter")["0"]
        >>> type(loaded).__name__, torch.equal(loaded.delta(), layer.delta())
        ('LoRALinear', True)
    """
    path = Path(folder)
    config = read_config(path)
    tensors = _read_tensors(path)
    check_finite(tensors)
    layers = _pop_factors(path, config, tensors)
    _check_layers(path, config, layers, model)
    head = _match_head(path, config, tensors, model)
    adapters = inject(
        model,
        [re.escape(name) for name in layers],
        {name: max(1, len(factors.A)) for name, factors in layers.items()},
        alpha=1,
        dropout=config.get("lora_dropout", 0.0),
        kind=KINDS[config["peft_type"]],
        generator=torch.Generator().manual_seed(0),
    )
    for name, module in adapters.items():
        _copy_factors(module, layers[name])
    for target, tensor in head:
        target.copy_(tensor)
    return dict(adapters)


def _copy_factors(module: AdaptedLinear, factors: _Factors) -> None:
    rank = len(factors.A)
    module.scale = factors.scale
    module.Q[:rank] = factors.A.to(module.Q)
    module.P[:, :rank] = factors.B.to(module.P)
    if isinstance(module, SVDLinear) and factors.E is not None:
        module.lam[:rank] = factors.E[:, 0].to(module.lam)


# Files


def _read_tensors(folder: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not (folder / WEIGHTS).is_file():
        pickled = (folder / "adapter_model.bin").is_file()
        raise ValueError(
            f"{folder}: the weights must be in {WEIGHTS}, but got "
            f"{'adapter_model.bin, and pickles are not loaded' if pickled else 'none'}; save the "
            "adapter again with PEFT's save_pretrained"
        )
    try:
        tensors = load_file(folder / WEIGHTS)
    except SafetensorError as error:
        raise ValueError(f"{folder}: {WEIGHTS} must be safetensors, but got {error}") from error
    unprefixed = [name for name in tensors if not name.startswith(PREFIX)]
    if unprefixed:
        raise ValueError(
            f"{folder}: every tensor's name must start with {PREFIX}, but got {unprefixed[0]}"
        )
    return {name.removeprefix(PREFIX): tensor for name, tensor in tensors.items()}


# Adapted layers


def _pop_factors(
    folder: Path, config: Mapping[str, Any], tensors: dict[str, Tensor]
) -> dict[str, _Factors]:
    """Removes the adapters' tensors from `tensors` and returns them by layer."""
    parts = _TENSORS[config["peft_type"]]
    ends = tuple(f".{end}" for end in parts.values())
    names = [name.removesuffix(end) for name in tensors for end in ends if name.endswith(end)]
    layers = {}
    for layer in dict.fromkeys(names):
        absent = [f"{layer}.{end}" for end in parts.values() if f"{layer}.{end}" not in tensors]
        if absent:
            raise ValueError(
                f"{folder}: {layer} must have {' and '.join(parts.values())}, but got no "
                f"{', '.join(absent)}"
            )
        factors = {part: tensors.pop(f"{layer}.{end}") for part, end in parts.items()}
        rank = rank_of(config, layer)
        shapes = {part: tuple(tensor.shape) for part, tensor in factors.items()}
        fits = factors["A"].shape[:1] == (rank,) and factors["B"].shape[1:] == (rank,)
        if not fits or shapes.get("E", (rank, 1)) != (rank, 1):
            raise ValueError(
                f"{folder}: {layer} must have the rank {rank} of {CONFIG}, but got tensors of the "
                f"shapes {shapes}"
            )
        scale = scale_of(config, layer)
        layers[layer] = _Factors(factors["A"], factors["B"], factors.get("E"), scale)
    if not layers:
        raise ValueError(
            f"{folder}: {WEIGHTS} must have {' and '.join(parts.values())} of at least one layer, "
            "but got none"
        )
    return layers


def _check_layers(
    folder: Path, config: Mapping[str, Any], layers: Mapping[str, _Factors], model: nn.Module
) -> None:
    linear = {name: widths(m) for name, m in model.named_modules() if is_linear(m)}
    unknown = [name for name in layers if name not in linear]
    if unknown:
        raise ValueError(
            f"{folder}: every adapted layer must be a linear layer of the model, but got "
            f"{unknown[0]}; load the base model of the adapter"
        )
    missing = [name for name in linear if name not in layers and _is_target(config, name)]
    if missing:
        raise ValueError(
            f"{folder}: every layer of target_modules must have tensors, but got none of "
            f"{missing[0]}"
        )
    for name, factors in layers.items():
        expected = linear[name][::-1]
        shape = (factors.B.shape[0], *factors.A.shape[1:])
        if shape != expected:
            raise ValueError(
                f"{folder}: the update of {name} must have the shape {expected}, but got {shape}; "
                "load the base model of the adapter"
            )


def _is_target(config: Mapping[str, Any], name: str) -> bool:
    """Returns whether PEFT would adapt a linear layer, if the config selects by names only."""
    if config.get("layers_to_transform") or config.get("exclude_modules"):
        return False
    saved = config.get("modules_to_save") or []
    if any(re.match(rf"(^|.*\.){module}($|\..*)", name) for module in saved):
        return False
    targets = config.get("target_modules") or []
    if isinstance(targets, str):
        return targets != "all-linear" and re.fullmatch(targets, name) is not None
    return any(f".{name}".endswith(f".{target}") for target in targets)


# Head


def _match_head(
    folder: Path, config: Mapping[str, Any], tensors: Mapping[str, Tensor], model: nn.Module
) -> list[tuple[Tensor, Tensor]]:
    """Returns pairs of a tensor of the model and the saved tensor that replaces it."""
    ends = tuple(config.get("modules_to_save") or ())
    heads = [n for n, _ in model.named_modules() if ends and n.endswith(ends)]
    check_untied(model, heads)
    state = model.state_dict(keep_vars=True)
    expected = {key for key in state for head in heads if key.startswith(f"{head}.")}
    missing, extra = sorted(expected - tensors.keys()), sorted(tensors.keys() - expected)
    if missing or extra:
        raise ValueError(
            f"{folder}: the other tensors must be those of the saved modules {heads}, but got "
            f"{len(missing)} missing {missing[:3]} and {len(extra)} unexpected {extra[:3]}; save "
            "the adapter again with PEFT's save_pretrained"
        )
    for key in expected:
        if state[key].shape != tensors[key].shape:
            raise ValueError(
                f"{folder}: {key} must have the model's shape {tuple(state[key].shape)}, but got "
                f"{tuple(tensors[key].shape)}; load the model with the same number of labels"
            )
    return [(state[key], tensors[key]) for key in expected]
