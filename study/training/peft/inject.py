"""Adds the adapters of PEFT to a model."""

import copy
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from adapters import expected_matches
from study.errors import InputError
from study.models import BackboneInfo, head_pattern
from study.spec import PeftSpec, StudySpec
from study.training.peft.adapters import NAME, PeftAdapters
from study.training.peft.arguments import config_class, made, refused
from study.training.peft.check import UNKNOWN_STEPS
from study.training.peft.config import peft_config
from study.training.peft.eva import initialise_eva, is_eva
from study.training.peft.snapshot import Snapshot
from study.training.peft.targets import check_layers

_DRAWN = 1
"""Makes PEFT's draws others than those of the head, which has the same seed."""


@dataclass(frozen=True)
class PeftInputs:
    """What adapters of PEFT may need besides the spec and the backbone."""

    steps: int = UNKNOWN_STEPS
    """Optimizer steps of the training, for AdaLoRA."""
    batches: Sequence[Mapping[str, Tensor]] = ()
    """Inputs of the model for an initialisation from data (EVA); empty to count parameters."""
    stored: Mapping[str, Any] | None = None
    """PEFT's config of a trained adapter, whose weights replace the initial ones."""


def add_peft(
    spec: StudySpec, model: nn.Module, info: BackboneInfo, inputs: PeftInputs
) -> PeftAdapters:
    """Adds the adapters of a resolved spec to a model that needs no other parameter trained.

    PEFT's initial weights follow from the seed `init`, although PEFT draws from the global
    generator, which is not changed. Trained weights are float32.

    Args:
        spec: of method peft.
        model: on its device; `PeftAdapters.remove` restores it.
        info: of the backbone.
        inputs: of the training, or of a trained adapter.

    Raises:
        InputError: PEFT refuses the arguments or the layers.
    """
    assert isinstance(spec.adapter, PeftSpec)
    if inputs.stored is None:
        config = peft_config(spec, info.family, model, inputs.steps)
    else:
        config = made(config_class(spec.adapter.peft_type), inputs.stored, "adapter")
    eva = is_eva(config) and bool(inputs.batches)
    before = Snapshot(model)
    try:
        with _drawing(model, spec.seeds.init), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PEFT's: on arguments without effect.
            wrapped = _wrapped(model, config, spec.adapter.peft_type)
            check_layers(model, head_pattern(info.family), _expected(spec, info, inputs))
            if eva:
                initialise_eva(wrapped, inputs.batches)
        subtracted = _subtracted(wrapped, before)
        parameters = _trainable(model, head_pattern(info.family))
    except Exception:
        before.restore()
        raise
    return PeftAdapters(wrapped, parameters, before, subtracted)


def _expected(spec: StudySpec, info: BackboneInfo, inputs: PeftInputs) -> int | None:
    """Returns the number of layers that PEFT must adapt, if it follows from `matrices`."""
    adapter = spec.adapter
    assert isinstance(adapter, PeftSpec)
    if not adapter.uses_matrices or inputs.stored is not None:
        return None
    return expected_matches(info.layers, adapter.matrices)


def _wrapped(model: nn.Module, config: Any, peft_type: str) -> Any:
    import peft

    try:
        return peft.get_peft_model(model, config, adapter_name=NAME)
    except (ValueError, TypeError, NotImplementedError, KeyError, AssertionError) as error:
        if next(model.parameters()).device.type == "meta" and isinstance(
            error, NotImplementedError
        ):
            raise
        raise InputError(refused("adapter", peft_type, error)) from error


@contextmanager
def _drawing(model: nn.Module, seed: int) -> Iterator[None]:
    """Lets draws from the global generators follow from the seed; restores the generators."""
    device = next(model.parameters()).device
    gpus = [device] if device.type == "cuda" else []
    on_meta = torch.device("meta" if device.type == "meta" else "cpu")
    with torch.random.fork_rng(devices=gpus), on_meta:
        torch.manual_seed(seed + _DRAWN)
        yield


def _trainable(model: nn.Module, head: str) -> dict[str, nn.Parameter]:
    """Returns what PEFT trains, in float32; not the head, whose biases may be among it."""
    found = {}
    for name, parameter in model.named_parameters():
        if re.fullmatch(head, name):
            continue
        if ".ranknum." in name:  # PEFT lets it train on half precision.
            parameter.requires_grad_(False)
        elif parameter.requires_grad:
            parameter.data = parameter.data.float()
            found[name] = parameter
    return found


def _subtracted(wrapped: Any, before: Snapshot) -> dict[str, tuple[Tensor, Tensor]]:
    """Returns the initial lora_A and lora_B where they were subtracted from the weights."""
    if not before.forget_unchanged():
        return {}
    layers = {n: m for n, m in wrapped.base_model.model.named_modules() if hasattr(m, "lora_A")}
    if not layers:
        raise InputError(
            f"adapter.peft_type: must leave the weights of the backbone as they are, but got "
            f"{wrapped.peft_type.value}; take another type"
        )
    return {
        name: (
            layer.lora_A[NAME].weight.detach().float().clone(),
            layer.lora_B[NAME].weight.detach().float().clone(),
        )
        for name, layer in layers.items()
    }


def on_cpu(model: nn.Module) -> nn.Module:
    """Returns a copy with random weights on the CPU of a model on the meta device.

    For types of PEFT that read the weights to set up their adapters.
    """
    real = copy.deepcopy(model).to_empty(device="cpu")
    generator = torch.Generator().manual_seed(0)
    tensors: Iterable[Tensor] = (*real.parameters(), *real.buffers())
    with torch.no_grad():
        for tensor in tensors:
            if tensor.is_floating_point():
                tensor.normal_(0.0, 0.02, generator=generator)
            else:
                tensor.zero_()
    return real
