"""Reads the weight files of a backbone: tensors by the names of the class that loads them.

Nothing is executed: safetensors, or a .bin read with torch's `weights_only`. The sums of a .bin
are compared with its content; safetensors has none.
"""

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from study.errors import InputError
from study.models.damage import refusing
from study.models.files import weight_files
from study.models.info import BackboneInfo
from study.models.names import class_names, required

_SAVE = "save the model again with save_pretrained"
_NESTED = ("state_dict", "model_state_dict", "model", "module")
"""Where training scripts keep the weights in a checkpoint of theirs."""
_REFUSED_GLOBAL = re.compile(r"GLOBAL ([\w.]+)")
_PICKLED_GLOBAL = re.compile(rb"c([A-Za-z_][\w.]*)\n(\w+)\n")
_OF_TENSORS = ("torch", "collections", "numpy", "_codecs", "builtins", "__builtin__")
"""Packages of the globals in a pickled dictionary of tensors."""
_PICKLE_BYTES = 2**20
"""How far into a .bin the name of a pickled class is looked for."""


def read_weights(info: BackboneInfo) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Returns the tensors and remarks on their names; they share memory with the files.

    Raises:
        InputError: a file cannot be read, or holds something else than dense tensors.
        UnavailableError: the hub does not provide a file.
    """
    found: dict[str, Tensor] = {}
    for path in weight_files(info.name, info.source, info.revision, info.folder):
        tensors = _read(info, path)
        _check_tensors(info, path, tensors)
        found |= tensors
    if any(".base_layer." in name or ".lora_A." in name for name in found):
        raise InputError(
            f"backbone {info.name}: the weights must be those of a plain model, but got the state "
            "of a model with PEFT's adapters; merge them (merge_and_unload), and then "
            "save_pretrained"
        )
    names, removed = class_names(info.family, found)
    weights = {names[name]: tensor for name, tensor in found.items()}
    _check_numbers(info, weights)
    remark = f"the prefix {removed} was removed from the names of its weights"
    return weights, (f"backbone {info.name}: {remark}",) if removed else ()


def _read(info: BackboneInfo, path: Path) -> dict[str, Tensor]:
    rule = (
        f"backbone {info.name}: {path.name} must be safetensors, or a .bin with tensors only, "
        "and undamaged"
    )
    with refusing(rule, f"copy or download it again, or {_SAVE}"):
        if path.suffix == ".safetensors":
            return load_file(path)
        return _read_bin(info, path)


def _read_bin(info: BackboneInfo, path: Path) -> dict[str, Tensor]:
    with path.open("rb") as file:
        zipped = file.read(4) == b"PK\x03\x04"  # Else of torch before 1.6, without sums.
    try:
        if zipped:
            with zipfile.ZipFile(path) as archive:
                _check_sums(archive)
        loaded = torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
    except Exception as error:
        _refuse_object(info, path, error)
        raise
    _check_dictionary(info, path, loaded)
    return dict(loaded)


def _check_sums(archive: zipfile.ZipFile) -> None:
    damaged = archive.testzip()
    if damaged is not None:
        raise ValueError(f"another sum in {damaged}")


def _refuse_object(info: BackboneInfo, path: Path, error: Exception) -> None:
    """Raises an InputError if a .bin was refused because it has objects of some class."""
    refused = _REFUSED_GLOBAL.search(str(error))
    kind = refused[1] if refused else _pickled_class(path)
    if kind is None:
        return
    raise InputError(
        f"backbone {info.name}: {path.name} must be safetensors, or a .bin with tensors only, but "
        f"got a pickled object ({kind}), and unpickling would run its code; load it where it was "
        "saved, and then save_pretrained"
    ) from error


def _pickled_class(path: Path) -> str | None:
    """Returns the first class of a pickle that tensors do not need, also if torch cannot read it.

    Pickles of protocol 4 and later, which torch does not write by itself, are not understood.
    """
    with path.open("rb") as file:
        names = _PICKLED_GLOBAL.findall(file.read(_PICKLE_BYTES))
    classes = (f"{module.decode()}.{name.decode()}" for module, name in names)
    return next((name for name in classes if name.partition(".")[0] not in _OF_TENSORS), None)


def _check_dictionary(info: BackboneInfo, path: Path, loaded: Any) -> None:
    if isinstance(loaded, Mapping) and all(isinstance(t, Tensor) for t in loaded.values()):
        return
    entries = list(loaded)[:5] if isinstance(loaded, Mapping) else []
    nested = next((key for key in _NESTED if key in entries), None)
    if nested is None:
        found, fix = f"{type(loaded).__name__} with other values", _SAVE
    else:
        found = f"a training checkpoint with {', '.join(map(str, entries))}"
        fix = f"save its {nested} alone: torch.save(torch.load(FILE)[{nested!r}], FILE)"
    raise InputError(
        f"backbone {info.name}: {path.name} must contain tensors by their names, but got {found}; "
        f"{fix}"
    )


def _check_tensors(info: BackboneInfo, path: Path, tensors: Mapping[str, Tensor]) -> None:
    for name, tensor in tensors.items():
        dense = tensor.layout == torch.strided and not tensor.is_quantized
        if not isinstance(name, str) or not dense or tensor.device.type != "cpu":
            raise InputError(
                f"backbone {info.name}: {path.name} must contain dense tensors by name, but got "
                f"{ascii(name)[:80]} of {tensor.layout} and {tensor.device.type}; {_SAVE}"
            )


def _check_numbers(info: BackboneInfo, weights: Mapping[str, Tensor]) -> None:
    for name, tensor in weights.items():
        if required(info.family, name) and not tensor.is_floating_point():
            raise InputError(
                f"backbone {info.name}: the weights must be floating-point numbers, but got "
                f"{ascii(name)[:80]} of {tensor.dtype}; take the model before its quantisation"
            )


def check_finite(info: BackboneInfo, weights: Mapping[str, Tensor]) -> None:
    """Checks that no weight is NaN or infinite.

    Raises:
        InputError: one is; the message names the tensors.
    """
    broken = sorted(name for name, weight in weights.items() if not _is_finite(weight))
    if broken:
        raise InputError(
            f"backbone {info.name}: all weights must be finite, but got NaN or infinity in "
            f"{len(broken)} ({', '.join(broken[:3])}{', …' if len(broken) > 3 else ''}); the "
            "checkpoint is damaged or from a training that diverged, or float16 is too narrow for "
            "it: take another, or another backbone.dtype"
        )


def _is_finite(weight: Tensor) -> bool:
    if not weight.numel() or not weight.is_floating_point():
        return True
    return bool(torch.stack(torch.aminmax(weight.detach())).isfinite().all())
