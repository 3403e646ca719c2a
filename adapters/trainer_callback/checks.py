"""Checks of the model and of the optimizer that a Trainer has."""

import re
import warnings
from collections.abc import Mapping
from typing import Any

from torch import nn

from adapters.inject import adapted_layers
from adapters.svd import SVDLinear

HEAD = re.compile(r"(^|\.)(score|classifier)\.")
"""Parameter names of a classification head in transformers."""

SHARDED = ("FSDP", "DEEPSPEED", "MEGATRON_LM")
"""Accelerate's names of distributed training in which a process has parts of the weights only."""


def adapters_of(model: nn.Module) -> dict[str, SVDLinear]:
    """Returns the adapted layers by name.

    Raises:
        ValueError: there are none, or there are others than of kind `svd`.
    """
    layers = adapted_layers(model)
    adapters = {name: layer for name, layer in layers.items() if isinstance(layer, SVDLinear)}
    if not adapters or len(adapters) < len(layers):
        kinds = sorted({type(layer).__name__ for layer in layers.values()})
        raise ValueError(
            "the model must have adapters of kind 'svd', but got "
            f"{', '.join(kinds) or 'none'}; call adapters.inject before making the Trainer"
        )
    return adapters


def check_trained(adapters: Mapping[str, SVDLinear], optimizer: Any) -> None:
    """Raises ValueError if an adapter is sharded or is not in the optimizer."""
    kind = optimizer.accelerator_state.distributed_type
    if kind in SHARDED:
        raise ValueError(
            "every process must have complete adapters, but got sharded training "
            f"({kind.value}); use DistributedDataParallel"
        )
    trained = {id(weight) for group in optimizer.param_groups for weight in group["params"]}
    for name, layer in adapters.items():
        if any(id(weight) not in trained for weight in (layer.P, layer.lam, layer.Q)):
            raise ValueError(
                f"P, lam and Q of {name} must be in the optimizer, but got an optimizer without "
                "them; call inject before making the optimizer, and freeze none of them"
            )


def warn_about_frozen_head(model: nn.Module) -> None:
    """Warns of a frozen head: `inject` freezes it, and a new one would stay random."""
    frozen = [
        name
        for name, weight in model.named_parameters()
        if HEAD.search(name) and not weight.requires_grad
    ]
    if frozen:
        warnings.warn(
            f"{frozen[0]} is frozen; if the head is new, call requires_grad_(True) on it after "
            "inject",
            stacklevel=2,
        )
