"""A backbone with its weights, read or drawn, its tokenizer, and a head still to be drawn.

Weights that are read are checked key by key.
"""

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
from study.models.portable import found_here
from study.models.tokenization import Tokenizer, load_tokenizer

# Of a checkpoint without safetensors, transformers would ask the hub's robot for a conversion,
# behind the user's back and from a thread.
os.environ.setdefault("DISABLE_SAFETENSORS_CONVERSION", "1")

# What a checkpoint may hold or lack besides the head: outputs of pre-training, which a
# classifier has no use for, and buffers that older versions saved.
_SPARE = re.compile(
    r"lm_head\..+|cls\..+|.+\.embeddings\.position_ids|esm\.pooler\..+"
    r"|esm\.contact_head\..+|.*\.rotary_embeddings\.inv_freq"
)


@dataclass(frozen=True)
class Backbone:
    """A sequence classifier and what turns DNA into its input.

    The head is not meant to be used as loaded: `reset_head` draws it, once a trial. Everything
    else stays as it was loaded for as long as nobody trains it.
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
    """Loads the weights in the given dtype, whatever the checkpoint's, in evaluation mode.

    With a `random_seed` no weight is read: all are drawn, as the class draws them before
    pre-training. Only classes of transformers and of this package are used: no code from the
    model's repository runs.

    Raises InputError, naming the keys, where a weight of the backbone is missing from the
    checkpoint, left over or of another shape, or where the backbone is not on this machine.
    """
    with found_here(info) as here, _quiet(), torch.random.fork_rng(devices=[]):
        tokenizer = load_tokenizer(here)
        if random_seed is None:
            model, report = _read_weights(here, num_labels, getattr(torch, dtype))
            _check_keys(info, report)
        else:
            torch.default_generator.manual_seed(random_seed)  # the one that the classes draw from
            model = _build(here, num_labels).to(getattr(torch, dtype))
            model.config.dtype = model.dtype
    model.config.pad_token_id = tokenizer.pad_id
    return Backbone(info, model.eval(), tokenizer)


def empty_backbone(info: BackboneInfo, *, num_labels: int) -> Backbone:
    """The backbone's modules without weights, on the meta device: for counting and matching."""
    with _quiet(), torch.device("meta"):
        model = _build(info, num_labels)
    return Backbone(info, model, load_tokenizer(info))


def _build(info: BackboneInfo, num_labels: int) -> Any:
    """The model that the config describes, its weights drawn in float32 or on meta."""
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
        f"but: {_first_line(error)}"
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
        return load(local_files_only=True)  # for a hub id the cache: no question to the hub
    except (SafetensorError, UnpicklingError) as error:
        raise _unreadable(info, error) from error
    except OSError as error:
        if info.source == str(info.folder):
            raise _unreadable(info, error) from error
        return model_repository(info.source, info.revision).reach(load)


def _classifier(info: BackboneInfo) -> Any:
    module, name = FAMILIES[info.family].classifier.split(":")
    return getattr(import_module(module), name)


def _unreadable(info: BackboneInfo, error: Exception) -> InputError:
    return InputError(
        f"backbone {info.name}: the weights must be safetensors, or a .bin of tensors alone, "
        f"found {_first_line(error)}"
    )


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__).rstrip(":")


def _check_keys(info: BackboneInfo, report: dict[str, Any]) -> None:
    def strange(keys: Sequence[str]) -> list[str]:
        head = head_pattern(info.family)
        return sorted(k for k in keys if not re.fullmatch(head, k) and not _SPARE.fullmatch(k))

    found = {
        "missing": strange(report["missing_keys"]),
        "left over": strange(report["unexpected_keys"]),
        "of another shape": strange([entry[0] for entry in report["mismatched_keys"]]),
    }
    faults = [
        f"{len(keys)} {what} ({', '.join(keys[:3])}{', …' if len(keys) > 3 else ''})"
        for what, keys in found.items()
        if keys
    ]
    if faults:
        raise InputError(
            f"backbone {info.name}: the checkpoint must hold exactly the weights of a "
            f"{info.family} model, found {'; '.join(faults)}; it is damaged or of another "
            "architecture"
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Without transformers' loading bars and reports: `_check_keys` says what matters."""
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
