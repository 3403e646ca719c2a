"""Loading of a backbone: model and tokenizer, the weights checked key by key or drawn."""

import dataclasses
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

import torch
import transformers
from torch import Tensor, nn

from study.errors import InputError
from study.models.config_file import ConfigFile
from study.models.damage import refusing
from study.models.families import FAMILIES
from study.models.info import BackboneInfo
from study.models.names import required
from study.models.portable import local_copy
from study.models.tokenization import Tokenizer, load_tokenizer
from study.models.weights import check_finite, read_weights

_SLACK = 10_000_000
"""Weights by which a model may be larger than twice its checkpoint before it is built."""


@dataclass(frozen=True)
class Backbone:
    """A sequence classifier and its tokenizer.

    The head is not usable as loaded: `reset_head` draws it, once per trial.
    """

    info: BackboneInfo
    model: nn.Module
    tokenizer: Tokenizer
    remarks: tuple[str, ...] = ()
    """What was changed to load the weights, for the user."""


def load_backbone(
    info: BackboneInfo,
    *,
    num_labels: int,
    dtype: Literal["float32", "bfloat16", "float16"],
    random_seed: int | None = None,
) -> Backbone:
    """Returns the backbone with weights of the given dtype, in evaluation mode.

    The dtype of the checkpoint does not matter. With a `random_seed` no weights are read: all are
    drawn by the class's own initialisation. Only classes of transformers and of this package are
    used; no code from the model's repository is run.

    Raises:
        InputError: files cannot be read; a weight is NaN or infinite, or one of the backbone is
            missing from the checkpoint, left over in it or of another shape; the message names
            the keys.
        UnavailableError: the backbone is not on this machine.
    """
    with local_copy(info) as local, quiet(), torch.random.fork_rng(devices=[]):
        tokenizer = load_tokenizer(local)
        remarks: tuple[str, ...] = ()
        if random_seed is None:
            stored, remarks = read_weights(local)
            model = _with_weights(local, num_labels, getattr(torch, dtype), stored)
        else:
            _check_memory(local, num_labels)
            torch.default_generator.manual_seed(random_seed)  # the classes draw from this one
            model = _build(local, num_labels).to(getattr(torch, dtype))
            model.config.dtype = model.dtype
    check_finite(info, _outside_head(info, model))
    model.config.pad_token_id = tokenizer.pad_id
    return Backbone(info, model.eval(), tokenizer, remarks)


def empty_backbone(info: BackboneInfo, *, num_labels: int) -> Backbone:
    """Returns the backbone on the meta device, without weights: to count and match modules."""
    return Backbone(info, _empty(info, num_labels), load_tokenizer(info))


def fingerprint(backbone: Backbone) -> str:
    """Returns a hash of the settings and of all weights but the head's.

    It depends on `backbone.dtype`, and not on the format or the names of the weight files.
    """
    info = backbone.info
    digest = hashlib.sha256(json.dumps(_settings(info), sort_keys=True).encode())
    for name, weight in sorted(_outside_head(info, backbone.model).items()):
        digest.update(f"{name} {tuple(weight.shape)} {weight.dtype} ".encode())
        digest.update(weight.detach().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _outside_head(info: BackboneInfo, model: nn.Module) -> dict[str, Tensor]:
    return {n: p for n, p in model.named_parameters() if required(info.family, n)}


def _empty(info: BackboneInfo, num_labels: int) -> Any:
    with quiet(), torch.device("meta"):
        return _build(info, num_labels)


def _build(info: BackboneInfo, num_labels: int) -> Any:
    """Returns the model of config.json, initialised in float32 or on the meta device."""
    with _describing(info):
        return _classifier(info)(_config(info, num_labels))


def _config(info: BackboneInfo, num_labels: int) -> Any:
    return _classifier(info).config_class(**_settings(info), num_labels=num_labels)


def _settings(info: BackboneInfo) -> dict[str, Any]:
    """Returns the values of config.json that describe the architecture.

    These are the fields that the family's config adds to those of all models, by their present
    and earlier names. The others steer
    how a model runs (attention code, outputs, dtype, problem type, names of labels), which is not
    the checkpoint's to decide.
    """
    own = {field.name for field in dataclasses.fields(_classifier(info).config_class)}
    own -= {field.name for field in dataclasses.fields(transformers.PreTrainedConfig)}
    own |= set(FAMILIES[info.family].older)
    values = ConfigFile.read(info.name, info.folder).values
    return {name: value for name, value in values.items() if name in own}


@contextmanager
def _describing(info: BackboneInfo) -> Iterator[None]:
    rule = f"backbone {info.name}: config.json must describe a model of the {info.family} family"
    with refusing(rule, "restore the config.json that belongs to it"):
        yield


def _with_weights(
    info: BackboneInfo, num_labels: int, dtype: torch.dtype, stored: dict[str, Tensor]
) -> Any:
    """Returns the model with the stored weights, which are copied."""
    _check_size(info, num_labels, stored)
    with _describing(info):
        model, report = _classifier(info).from_pretrained(
            None,
            config=_config(info, num_labels),
            state_dict=stored,
            dtype=dtype,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    _check_keys(info, report)
    mapped = {tensor.data_ptr() for tensor in stored.values()}
    for weight in (*model.parameters(), *model.buffers()):
        if weight.data_ptr() in mapped:  # A file may be overwritten while the study runs.
            weight.data = weight.data.clone()
    return model


def _check_size(info: BackboneInfo, num_labels: int, stored: Mapping[str, Tensor]) -> None:
    """Checks that the model of config.json is not much larger than the stored weights."""
    model = _count(_empty(info, num_labels))
    there = sum(tensor.numel() for tensor in stored.values())
    if model > 2 * there + _SLACK:
        raise InputError(
            f"backbone {info.name}: config.json must describe the model of the weights, but got "
            f"{model:,} parameters and {there:,} weights; restore the config.json that belongs to "
            "them"
        )


def _check_memory(info: BackboneInfo, num_labels: int) -> None:
    model = _count(_empty(info, num_labels))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if 4 * model > memory:
        raise InputError(
            f"backbone {info.name}: random weights must fit into this machine's memory of "
            f"{memory / 2**30:.0f} GiB, but got {model:,} parameters in config.json; take a "
            "smaller model"
        )


def _count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def _classifier(info: BackboneInfo) -> Any:
    module, name = FAMILIES[info.family].classifier.split(":")
    return getattr(import_module(module), name)


def _check_keys(info: BackboneInfo, report: dict[str, Any]) -> None:
    def of_backbone(keys: Sequence[str]) -> list[str]:
        return sorted(key for key in keys if required(info.family, key))

    mismatches = {
        "missing": of_backbone(report["missing_keys"]),
        "left over": of_backbone(report["unexpected_keys"]),
        "of another shape": of_backbone([entry[0] for entry in report["mismatched_keys"]]),
    }
    faults = [
        f"{len(keys)} {kind} ({', '.join(keys[:3])}{', …' if len(keys) > 3 else ''})"
        for kind, keys in mismatches.items()
        if keys
    ]
    if faults:
        raise InputError(
            f"backbone {info.name}: the checkpoint must have exactly the weights of a "
            f"{info.family} model, but got {' and '.join(faults)}; it is damaged or of another "
            "architecture, take another checkpoint"
        )


@contextmanager
def quiet() -> Iterator[None]:
    """Suppresses transformers' progress bars and reports; `_check_keys` checks the keys."""
    logging = transformers.utils.logging
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
