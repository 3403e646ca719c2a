"""adapter_config.json of PEFT's LoRA and AdaLoRA: what is read, and what is refused."""

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from adapters._shapes import Number
from adapters.inject import Kind
from adapters.peft_files.export import CONFIG, RANK_OFFSET

KINDS: dict[str, Kind] = {"LORA": "lora", "ADALORA": "svd"}
"""Kind of the adapted layers, by PEFT's name of the method."""

_READ: dict[str, tuple[type, ...]] = {
    "r": (int,),
    "init_r": (int,),
    "lora_alpha": (int, float),
    "lora_dropout": (int, float),
    "use_rslora": (bool,),
    "rank_pattern": (dict, type(None)),
    "alpha_pattern": (dict, type(None)),
    "target_modules": (list, str, type(None)),
    "modules_to_save": (list, type(None)),
}
"""The types of the settings that decide what a trained layer computes."""
_HARMLESS = (
    *("peft_type", "peft_version", "task_type", "auto_mapping", "inference_mode", "revision"),
    *("base_model_name_or_path", "exclude_modules", "layers_to_transform", "layers_pattern"),
    *("bias", "init_lora_weights", "loftq_config", "eva_config", "corda_config", "lora_ga_config"),
    *("megatron_config", "megatron_core", "velora_config", "qalora_group_size"),
    *("target_r", "tinit", "tfinal", "deltaT", "beta1", "beta2", "orth_reg_weight", "total_step"),
    *("ensure_weight_tying", "fan_in_fan_out"),
)
"""Settings that do not change it, or are checked by themselves."""
_INITS = (True, False, None, "gaussian", "eva", "orthogonal")
"""Values of init_lora_weights that do not change the weights of the base model."""


def read_config(folder: Path) -> dict[str, Any]:
    """Returns the config of a folder.

    Raises:
        ValueError: it is missing or damaged, or is not that of plain LoRA or AdaLoRA. A setting
            that is unknown here, and is not null, false or empty, may be that of a variant.
    """
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{folder}: the folder must have {CONFIG}, but got none") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{folder}: {CONFIG} must be JSON, but got {error}") from error
    kind = config.get("peft_type") if isinstance(config, dict) else None
    if kind not in ("LORA", "ADALORA"):
        raise ValueError(
            f"{folder}: peft_type must be one of {', '.join(KINDS)}, but got {kind!r}"
        )
    unsupported = [n for n in config if config[n] and n not in _READ and n not in _HARMLESS]
    unsupported += ["bias"] * (config.get("bias", "none") != "none")
    unsupported += ["init_lora_weights"] * (config.get("init_lora_weights") not in _INITS)
    if unsupported:
        settings = ", ".join(f"{name}={config[name]!r}" for name in unsupported)
        raise ValueError(
            f"{folder}: the adapter must be {kind} without variants, but got {settings}; merge "
            "it into the model with PEFT instead"
        )
    wrong = [name for name in _READ if name in config and not _is_written_by_peft(config, name)]
    if wrong:
        raise ValueError(
            f"{folder}: {wrong[0]} in {CONFIG} must be as PEFT writes it, but got "
            f"{config[wrong[0]]!r}; save the adapter again with PEFT's save_pretrained"
        )
    return dict(config)


def rank_of(config: Mapping[str, Any], layer: str) -> int:
    """Returns the rank of a layer's tensors; absent settings have PEFT's defaults."""
    pattern = config.get("rank_pattern") or {}
    if config["peft_type"] == "LORA":
        return int(_by_pattern(pattern, layer, config.get("r", 8)))
    flags = pattern.get(f"{layer}.lora_E")
    return int(config.get("init_r", 12)) if flags is None else sum(flags)


def scale_of(config: Mapping[str, Any], layer: str) -> float:
    """Returns the factor of a layer's update; absent settings have PEFT's defaults."""
    alpha = config.get("lora_alpha", 8)
    if config["peft_type"] == "LORA":
        rank = rank_of(config, layer)
        alpha = _by_pattern(config.get("alpha_pattern") or {}, layer, alpha)
        return float(alpha / (math.sqrt(rank) if config.get("use_rslora") else rank))
    rank = config.get("init_r", 12)
    return float((alpha if alpha > 0 else rank) / (rank + RANK_OFFSET))


def _by_pattern(patterns: Mapping[str, Number], layer: str, default: Number) -> Number:
    """Returns the value of the first pattern that matches the name or its end, as in PEFT."""
    matching = (value for key, value in patterns.items() if re.match(rf"(.*\.)?({key})$", layer))
    return next(matching, default)


def _is_written_by_peft(config: Mapping[str, Any], name: str) -> bool:
    value = config[name]
    if type(value) not in _READ[name]:
        return False
    if name in ("r", "init_r"):
        return _is_rank(value)
    if name in ("lora_alpha", "lora_dropout"):
        return _is_finite(value)
    if isinstance(value, str):
        return _is_pattern(value)
    if isinstance(value, list):
        return all(map(_is_pattern, value))
    if not isinstance(value, dict):
        return True
    if name == "rank_pattern" and config["peft_type"] == "ADALORA":
        return all(map(_is_list_of_flags, value.values()))
    allowed = _is_rank if name == "rank_pattern" else _is_finite
    return all(map(_is_pattern, value)) and all(map(allowed, value.values()))


def _is_pattern(value: object) -> bool:
    try:
        return isinstance(value, str) and re.compile(value) is not None
    except re.error:
        return False


def _is_list_of_flags(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(flag, bool) for flag in value)


def _is_rank(value: object) -> bool:
    return type(value) is int and value >= 1


def _is_finite(value: object) -> bool:
    return not isinstance(value, bool) and isinstance(value, int | float) and math.isfinite(value)
