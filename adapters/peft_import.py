"""Reads a folder in PEFT's LoRA or AdaLoRA format into a plain model; PEFT is not needed."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from adapters._shapes import Number
from adapters.inject import Kind, inject
from adapters.peft_format import CONFIG, PREFIX, RANK_OFFSET, WEIGHTS
from adapters.svd import AdaptedLinear, SVDLinear

_KINDS: dict[str, Kind] = {"LORA": "lora", "ADALORA": "svd"}
_TENSORS = {
    "LORA": {"A": "lora_A.weight", "B": "lora_B.weight"},
    "ADALORA": {"A": "lora_A", "B": "lora_B", "E": "lora_E"},
}
# Settings under which an adapted layer computes something else; on in a config, they are refused.
_FOREIGN = (
    "use_dora",
    "lora_bias",
    "fan_in_fan_out",
    "use_qalora",
    "use_bdlora",
    "layer_replication",
    "target_parameters",
    "trainable_token_indices",
    "alora_invocation_tokens",
    "arrow_config",
    "kasa_config",
    "monteclora_config",
)
# Initialisations that leave the base model's weights alone.
_PLAIN_STARTS = (True, False, None, "gaussian", "eva", "orthogonal")


@dataclass(frozen=True)
class _Factors:
    """One layer's update: scale · B diag(E) A; A (r, in), B (out, r), E (r, 1) or absent."""

    A: Tensor
    B: Tensor
    E: Tensor | None
    scale: float


@torch.no_grad()
def load_peft(model: nn.Module, folder: str | Path) -> dict[str, AdaptedLinear]:
    """Injects the adapters that PEFT, or this package, saved in a folder.

    A LoRA folder becomes `LoRALinear` layers, an AdaLoRA folder `SVDLinear` layers. All have the
    largest rank found; what a layer lacks of it adds nothing: fresh triplets whose lam, or in
    LoRA whose column of P, is 0. Saved head modules are copied into the model. As after `inject`,
    the adapters alone require gradients.

    Args:
        model: The base model, without adapters; changed in place.
        folder: Holds adapter_config.json and adapter_model.safetensors.

    Returns:
        The adapted layers by their name in the model, in the order of its modules.

    Raises:
        ValueError: files or tensors are missing, left over, or do not fit the model or the
            config, or the config asks for what these layers do not compute. The model is then
            unchanged.
    """
    path = Path(folder)
    config = _read_config(path)
    tensors = _read_tensors(path)
    layers = _take_factors(path, config, tensors)
    _check_layers(path, config, layers, model)
    saved = _take_head(path, config, tensors, model)
    rank = max(1, *(len(found.A) for found in layers.values()))
    adapters = inject(
        model,
        [re.escape(name) for name in layers],
        rank,
        alpha=rank,
        dropout=config.get("lora_dropout", 0.0),
        kind=_KINDS[config["peft_type"]],
        generator=torch.Generator().manual_seed(0),
    )
    for name, module in adapters.items():
        _fill(module, layers[name])
    for target, tensor in saved:
        target.copy_(tensor)
    return dict(adapters)


def _fill(module: AdaptedLinear, found: _Factors) -> None:
    rank = len(found.A)
    module.scale = found.scale
    module.Q[:rank] = found.A.to(module.Q)
    module.P[:, :rank] = found.B.to(module.P)
    if isinstance(module, SVDLinear) and found.E is not None:
        module.lam[:rank] = found.E[:, 0].to(module.lam)


# The files


def _read_config(folder: Path) -> dict[str, Any]:
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{folder}: a PEFT folder must hold {CONFIG}, but has none") from None
    except ValueError as error:
        raise ValueError(f"{folder}: {CONFIG} must be JSON, but: {error}") from error
    kind = config.get("peft_type") if isinstance(config, dict) else None
    if kind not in _KINDS:
        raise ValueError(
            f"{folder}: peft_type must be one of {', '.join(_KINDS)}, but is {kind!r}"
        )
    foreign = [name for name in _FOREIGN if config.get(name)]
    foreign += ["bias"] * (config.get("bias", "none") != "none")
    foreign += ["init_lora_weights"] * (config.get("init_lora_weights") not in _PLAIN_STARTS)
    if foreign:
        settings = ", ".join(f"{name}={config[name]!r}" for name in foreign)
        raise ValueError(f"{folder}: the adapter must be plain {kind}, but has {settings}")
    return dict(config)


def _read_tensors(folder: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not (folder / WEIGHTS).is_file():
        pickled = " but adapter_model.bin" if (folder / "adapter_model.bin").is_file() else ""
        raise ValueError(
            f"{folder}: the weights must be in {WEIGHTS}, found none{pickled}; pickles are not "
            "read: save the adapter again with PEFT's save_pretrained"
        )
    try:
        tensors = load_file(folder / WEIGHTS)
    except SafetensorError as error:
        raise ValueError(f"{folder}: {WEIGHTS} must be safetensors, but: {error}") from error
    foreign = [name for name in tensors if not name.startswith(PREFIX)]
    if foreign:
        raise ValueError(
            f"{folder}: every tensor's name must start with {PREFIX}, but {foreign[0]} does not"
        )
    return {name.removeprefix(PREFIX): tensor for name, tensor in tensors.items()}


# The adapted layers


def _take_factors(
    folder: Path, config: Mapping[str, Any], tensors: dict[str, Tensor]
) -> dict[str, _Factors]:
    """Takes the adapters' tensors out of `tensors`, layer by layer."""
    parts = _TENSORS[config["peft_type"]]
    ends = tuple(f".{end}" for end in parts.values())
    names = [name.removesuffix(end) for name in tensors for end in ends if name.endswith(end)]
    layers = {}
    for layer in dict.fromkeys(names):
        absent = [f"{layer}.{end}" for end in parts.values() if f"{layer}.{end}" not in tensors]
        if absent:
            raise ValueError(f"{folder}: tensors are missing: {', '.join(absent)}")
        found = {part: tensors.pop(f"{layer}.{end}") for part, end in parts.items()}
        rank = _rank(config, layer)
        shapes = {part: tuple(tensor.shape) for part, tensor in found.items()}
        fits = found["A"].shape[:1] == (rank,) and found["B"].shape[1:] == (rank,)
        if not fits or shapes.get("E", (rank, 1)) != (rank, 1):
            raise ValueError(
                f"{folder}: {layer} must have the rank {rank} of {CONFIG}, but its tensors have "
                f"the shapes {shapes}"
            )
        layers[layer] = _Factors(found["A"], found["B"], found.get("E"), _scale(config, layer))
    if not layers:
        raise ValueError(f"{folder}: {WEIGHTS} must hold {' and '.join(parts.values())}")
    return layers


def _rank(config: Mapping[str, Any], layer: str) -> int:
    """The rank of a layer's tensors; where PEFT's settings are absent, PEFT's defaults."""
    pattern = config.get("rank_pattern") or {}
    if config["peft_type"] == "LORA":
        return int(_by_pattern(pattern, layer, config.get("r", 8)))
    flags = pattern.get(f"{layer}.lora_E")
    return int(config.get("init_r", 12)) if flags is None else sum(flags)


def _scale(config: Mapping[str, Any], layer: str) -> float:
    alpha = config.get("lora_alpha", 8)
    if config["peft_type"] == "LORA":
        rank = _rank(config, layer)
        alpha = _by_pattern(config.get("alpha_pattern") or {}, layer, alpha)
        return float(alpha / (math.sqrt(rank) if config.get("use_rslora") else rank))
    rank = config.get("init_r", 12)
    return float((alpha if alpha > 0 else rank) / (rank + RANK_OFFSET))


def _by_pattern(patterns: Mapping[str, Number], layer: str, default: Number) -> Number:
    """The value of the first pattern that matches the name or an end of it, as PEFT has it."""
    found = (value for key, value in patterns.items() if re.match(rf"(.*\.)?({key})$", layer))
    return next(found, default)


def _check_layers(
    folder: Path, config: Mapping[str, Any], layers: Mapping[str, _Factors], model: nn.Module
) -> None:
    linear = {name: m for name, m in model.named_modules() if isinstance(m, nn.Linear)}
    strange = [name for name in layers if name not in linear]
    if strange:
        raise ValueError(
            f"{folder}: every adapted layer must be a linear layer of the model, but "
            f"{strange[0]} is not"
        )
    without = [name for name in linear if name not in layers and _is_target(config, name)]
    if without:
        raise ValueError(f"{folder}: the tensors of {without[0]} are missing")
    for name, found in layers.items():
        mine = tuple(linear[name].weight.shape)
        theirs = (found.B.shape[0], *found.A.shape[1:])
        if mine != theirs:
            raise ValueError(
                f"{folder}: the update of {name} must have the shape {mine}, but has {theirs}"
            )


def _is_target(config: Mapping[str, Any], name: str) -> bool:
    """Whether PEFT would adapt a linear layer, where the config tells by names alone."""
    if config.get("layers_to_transform") or config.get("exclude_modules"):
        return False
    saved = config.get("modules_to_save") or []
    if any(re.match(rf"(^|.*\.){module}($|\..*)", name) for module in saved):
        return False
    targets = config.get("target_modules") or []
    if isinstance(targets, str):
        return targets != "all-linear" and re.fullmatch(targets, name) is not None
    return any(f".{name}".endswith(f".{target}") for target in targets)


# The head


def _take_head(
    folder: Path, config: Mapping[str, Any], tensors: Mapping[str, Tensor], model: nn.Module
) -> list[tuple[Tensor, Tensor]]:
    """Pairs the model's tensors with the saved ones that replace them."""
    ends = tuple(config.get("modules_to_save") or ())
    heads = [n for n, _ in model.named_modules() if ends and n.endswith(ends)]
    state = model.state_dict(keep_vars=True)
    wanted = {key for key in state for head in heads if key.startswith(f"{head}.")}
    missing, extra = sorted(wanted - tensors.keys()), sorted(tensors.keys() - wanted)
    if missing or extra:
        raise ValueError(
            f"{folder}: the tensors beside the adapters must be those of the saved modules "
            f"{heads}, but {len(missing)} are missing {missing[:3]} and {len(extra)} left over "
            f"{extra[:3]}"
        )
    for key in wanted:
        if state[key].shape != tensors[key].shape:
            raise ValueError(
                f"{folder}: {key} must have the model's shape {tuple(state[key].shape)}, but has "
                f"{tuple(tensors[key].shape)}; load the model with as many labels"
            )
    return [(state[key], tensors[key]) for key in wanted]
