"""Trained adapters of PEFT as a file, in the names of PEFT's own format, and back.

The metadata have PEFT's config as JSON, so that a file is complete: with the tensors it makes the
folder that `peft.PeftModel.from_pretrained` reads (see `save_folder`).

PiSSA and OLoRA train what is left of the weights after their initial adapter is subtracted. As a
file they are a LoRA of twice the rank on the weights as they were, W + B A - B0 A0, so that it
fits the backbone. The same conversion is PEFT's `path_initial_model_for_weight_conversion`.
"""

import json
import math
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from study.errors import InputError
from study.training.peft.adapters import NAME, PeftAdapters

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_CONFIG = "peft.config"
_PREFIX = "base_model.model."


def save_peft(peft: PeftAdapters, file: Path, metadata: Mapping[str, str]) -> None:
    """Writes the adapters and PEFT's config to a safetensors file."""
    config, tensors = _content(peft)
    save_file(tensors, file, {**metadata, "format": "pt", _CONFIG: json.dumps(config)})


def read_config(file: Path) -> dict[str, Any]:
    """Returns PEFT's config of a file.

    Raises:
        InputError: it is missing or damaged.
    """
    try:
        with safe_open(file, framework="pt") as opened:
            config = json.loads((opened.metadata() or {})[_CONFIG])
            if not isinstance(config, dict):
                raise ValueError("a config that is no mapping")
            return config
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise InputError(
            f"{file}: must be adapters of PEFT with their config, but got {error}; restore best/"
        ) from error


def load_peft(peft: PeftAdapters, file: Path) -> dict[str, str]:
    """Loads a file of `save_peft` into adapters with its config; returns its metadata.

    Raises:
        ValueError: its tensors are not those of the adapters. The adapters are unchanged.
        OSError, SafetensorError: it cannot be read.
    """
    from peft.utils import set_peft_model_state_dict

    with safe_open(file, framework="pt") as opened:
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        metadata = dict(opened.metadata() or {})
    expected = _state(peft)
    wrong = sorted(expected.keys() ^ tensors.keys())
    wrong += [n for n in expected.keys() & tensors.keys() if expected[n].shape != tensors[n].shape]
    if wrong:
        raise ValueError(
            f"{file.name} must have the tensors of its config, but got {wrong[0]} missing, left "
            "over or of another shape"
        )
    if any(not bool(t.isfinite().all()) for t in tensors.values() if t.is_floating_point()):
        raise ValueError(f"{file.name} must have finite numbers, but got others")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        set_peft_model_state_dict(peft.model, tensors, adapter_name=NAME)
    metadata.pop(_CONFIG, None)
    return metadata


def save_folder(
    peft: PeftAdapters,
    folder: Path,
    *,
    head: Sequence[str],
    base_model: str,
    revision: str | None,
) -> None:
    """Writes the folder that `peft.PeftModel.from_pretrained` reads, with the trained head.

    Args:
        peft: Trained adapters.
        folder: Created if it does not exist.
        head: Names of the modules of the head.
        base_model: Folder or hub id of the backbone.
        revision: Its revision on the hub.
    """
    config, tensors = _content(peft)
    config |= {
        "task_type": "SEQ_CLS",
        "modules_to_save": list(head),
        "base_model_name_or_path": base_model,
        "revision": revision,
        "inference_mode": True,
    }
    model = peft.model.get_base_model()
    for name in head:
        for key, tensor in model.get_submodule(name).state_dict().items():
            tensors[f"{_PREFIX}{name}.{key}"] = tensor.detach().cpu().contiguous()
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / WEIGHTS, {"format": "pt"})
    text = json.dumps(config, indent=2, sort_keys=True)
    (folder / CONFIG).write_text(text + "\n", encoding="utf-8")


def _content(peft: PeftAdapters) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Returns PEFT's config as JSON has it, and the tensors."""
    config = _plain(peft.config.to_dict())
    tensors = {n: t.detach().cpu().clone().contiguous() for n, t in _state(peft).items()}
    if peft.is_adalora:
        config["rank_pattern"] = None
    if peft.subtracted:
        _undo_subtraction(config, tensors, peft.subtracted)
    return config, tensors


def _state(peft: PeftAdapters) -> dict[str, Tensor]:
    """Returns PEFT's tensors of the adapters; of AdaLoRA also those that are pruned."""
    from peft.utils import get_peft_model_state_dict

    pattern = getattr(peft.config, "rank_pattern", None)
    try:
        if peft.is_adalora:
            peft.config.rank_pattern = None  # PEFT would leave out what may have grown again.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return dict(get_peft_model_state_dict(peft.model, save_embedding_layers=False))
    finally:
        if peft.is_adalora:
            peft.config.rank_pattern = pattern


def _plain(value: Any) -> Any:
    """Returns a config as JSON has it: PEFT has sets and enumerations in it."""
    return json.loads(json.dumps(value, default=sorted))


def _undo_subtraction(
    config: dict[str, Any],
    tensors: dict[str, Tensor],
    subtracted: Mapping[str, tuple[Tensor, Tensor]],
) -> None:
    """Turns the adapters into those of twice the rank on the original weights."""
    for layer, (first, second) in subtracted.items():
        a, b = (f"{_PREFIX}{layer}.{name}.weight" for name in ("lora_A", "lora_B"))
        tensors[a] = torch.cat([tensors[a], first.cpu()], dim=0).contiguous()
        tensors[b] = torch.cat([tensors[b], -second.cpu()], dim=1).contiguous()
    factor = math.sqrt(2) if config["use_rslora"] else 2
    config["r"] *= 2
    config["lora_alpha"] *= factor
    config["rank_pattern"] = {k: 2 * v for k, v in (config["rank_pattern"] or {}).items()}
    config["alpha_pattern"] = {k: factor * v for k, v in (config["alpha_pattern"] or {}).items()}
    config["init_lora_weights"] = True
