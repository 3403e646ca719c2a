"""Loading of a backbone: model and tokenizer, the weights checked key by key or drawn."""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pickle import UnpicklingError
from typing import Any, Literal

import torch
import transformers
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from torch import nn

from study.errors import InputError
from study.models.families import FAMILIES
from study.models.files import model_repository
from study.models.heads import head_pattern
from study.models.info import BackboneInfo
from study.models.portable import local_copy
from study.models.tokenization import Tokenizer, load_tokenizer

# For a checkpoint without safetensors, transformers would start a thread that requests a
# conversion from the hub.
os.environ.setdefault("DISABLE_SAFETENSORS_CONVERSION", "1")

# Keys that may be missing from a checkpoint or left over in it, besides the head's: the output
# layers of pre-training, which a classifier does not use, and buffers that older versions saved.
_OPTIONAL = re.compile(
    r"lm_head\..+|cls\..+|.+\.embeddings\.position_ids|esm\.pooler\..+"
    r"|esm\.contact_head\..+|.*\.rotary_embeddings\.inv_freq"
)


@dataclass(frozen=True)
class Backbone:
    """A sequence classifier and its tokenizer.

    The head is not usable as loaded: `reset_head` draws it, once per trial.
    """

    info: BackboneInfo
    model: nn.Module
    tokenizer: Tokenizer


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
        InputError: a weight of the backbone is missing from the checkpoint, left over in it or of
            another shape; the message names the keys.
        UnavailableError: the backbone is not on this machine.
    """
    with local_copy(info) as local, _quiet(), torch.random.fork_rng(devices=[]):
        tokenizer = load_tokenizer(local)
        if random_seed is None:
            model, report = _read_weights(local, num_labels, getattr(torch, dtype))
            _check_keys(info, report)
        else:
            torch.default_generator.manual_seed(random_seed)  # the classes draw from this one
            model = _build(local, num_labels).to(getattr(torch, dtype))
            model.config.dtype = model.dtype
    model.config.pad_token_id = tokenizer.pad_id
    return Backbone(info, model.eval(), tokenizer)


def empty_backbone(info: BackboneInfo, *, num_labels: int) -> Backbone:
    """Returns the backbone on the meta device, without weights: to count and match modules."""
    with _quiet(), torch.device("meta"):
        model = _build(info, num_labels)
    return Backbone(info, model, load_tokenizer(info))


def _build(info: BackboneInfo, num_labels: int) -> Any:
    """Returns the model of config.json, initialised in float32 or on the meta device."""
    config = _config(info, num_labels)
    try:
        return _classifier(info)(config)
    except (ValueError, KeyError, TypeError, ZeroDivisionError) as error:
        raise _no_model(info, error) from error


def _config(info: BackboneInfo, num_labels: int) -> Any:
    try:
        return _classifier(info).config_class.from_pretrained(info.folder, num_labels=num_labels)
    except StrictDataclassError as error:
        raise _no_model(info, error) from error


def _no_model(info: BackboneInfo, error: Exception) -> InputError:
    return InputError(
        f"backbone {info.name}: config.json must describe a model of the {info.family} family, "
        f"but got an error ({_first_line(error)}); restore the config.json that belongs to it"
    )


def _read_weights(
    info: BackboneInfo, num_labels: int, dtype: torch.dtype
) -> tuple[Any, dict[str, Any]]:
    config = _config(info, num_labels)

    def load(**more: Any) -> tuple[Any, dict[str, Any]]:
        result: tuple[Any, dict[str, Any]] = _classifier(info).from_pretrained(
            info.source,
            revision=info.revision or "main",
            config=config,
            dtype=dtype,
            weights_only=True,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
            **more,
        )
        return result

    try:
        return load(local_files_only=True)  # For a hub id: the cache, without a request.
    except (SafetensorError, UnpicklingError) as error:
        raise _unreadable(info, error) from error
    except OSError as error:
        if info.source == str(info.folder):
            raise _unreadable(info, error) from error
        return model_repository(info.source, info.revision).call(load)


def _classifier(info: BackboneInfo) -> Any:
    module, name = FAMILIES[info.family].classifier.split(":")
    return getattr(import_module(module), name)


def _unreadable(info: BackboneInfo, error: Exception) -> InputError:
    return InputError(
        f"backbone {info.name}: the weights must be safetensors, or a .bin with tensors only, "
        f"but got {_first_line(error)}; save the model again with save_pretrained"
    )


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__).rstrip(":")


def _check_keys(info: BackboneInfo, report: dict[str, Any]) -> None:
    def required(keys: Sequence[str]) -> list[str]:
        head = head_pattern(info.family)
        return sorted(k for k in keys if not re.fullmatch(head, k) and not _OPTIONAL.fullmatch(k))

    mismatches = {
        "missing": required(report["missing_keys"]),
        "left over": required(report["unexpected_keys"]),
        "of another shape": required([entry[0] for entry in report["mismatched_keys"]]),
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
def _quiet() -> Iterator[None]:
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
