"""Files beside those of the Trainer: the allocator's state, and an adapter folder."""

import base64
import functools
import io
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from adapters.inject import adapted_layers
from adapters.peft_files.export import CONFIG, WEIGHTS, save_peft_adalora

STATE = "rank_allocator.pt"
"""File of the allocator's state in a checkpoint."""


def write_state(folder: Path, state: Mapping[str, Any]) -> None:
    """Writes an allocator's state into a checkpoint's folder."""
    torch.save(dict(state), folder / STATE)


def read_state(saved: Mapping[str, Any], folder: str | None) -> dict[str, Any] | None:
    """Returns the allocator's state of a checkpoint; None if it has none.

    Args:
        saved: The callback's entry in trainer_state.json; in older ones it has the state.
        folder: The checkpoint's folder.
    """
    source: Any = None if folder is None else Path(folder) / STATE
    if "allocator" in saved:
        source = io.BytesIO(base64.b64decode(saved["allocator"]))
    elif source is None or not source.exists():
        return None
    state: dict[str, Any] = torch.load(source, map_location="cpu", weights_only=True)
    return state


def write_adapters_with(model: nn.Module) -> None:
    """Makes `model.save_pretrained`, which the Trainer calls, write an adapter folder as well."""
    original = getattr(model, "save_pretrained", None)
    if original is not None and not isinstance(original, functools.partial):
        model.save_pretrained = functools.partial(_save_both, model)  # type: ignore[assignment]


def _save_both(model: nn.Module, save_directory: Any, *args: Any, **kwargs: Any) -> Any:
    own_class: Any = type(model)
    result = own_class.save_pretrained(model, save_directory, *args, **kwargs)
    if not kwargs.get("is_main_process", True):
        return result
    if not adapted_layers(model):  # Merged: transformers would add the files of an earlier save.
        for name in (CONFIG, WEIGHTS):
            (Path(save_directory) / name).unlink(missing_ok=True)
    else:
        base = getattr(model, "name_or_path", None) or None
        try:
            save_peft_adalora(model, save_directory, head=_trained(model), base_model=base)
        except ValueError as error:  # A checkpoint is possible where an adapter folder is not.
            warnings.warn(f"{save_directory} has no adapter folder: {error}", stacklevel=2)
    return result


def _trained(model: nn.Module) -> list[str]:
    """Returns the names of the modules, adapters excepted, with trained parameters."""
    own = {id(p) for m in adapted_layers(model).values() for p in m.parameters()}
    return [
        name
        for name, module in model.named_modules()
        if any(p.requires_grad and id(p) not in own for p in module.parameters(recurse=False))
    ]
