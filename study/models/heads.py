"""The classification head: its modules, its number of classes, its initial weights.

Its layout per family is in families.py.
"""

import re
from collections.abc import Mapping

import torch
from torch import nn

from study.models.families import FAMILIES, HEADS

_STD = 0.02


def head_modules(family: str) -> tuple[str, ...]:
    """Returns the names of the head's modules."""
    return HEADS[FAMILIES[family].base].modules


def head_pattern(family: str) -> str:
    """Returns a regular expression that fully matches the names of the head's parameters."""
    return HEADS[FAMILIES[family].base].pattern


def head_labels(family: str, head: Mapping[str, torch.Tensor]) -> int | None:
    """Returns the number of classes of a head's parameters; None without an output layer."""
    output = head.get(f"{HEADS[FAMILIES[family].base].output}.weight")
    return None if output is None or output.ndim != 2 else len(output)


def reset_head(model: nn.Module, family: str, generator: torch.Generator) -> None:
    """Draws the head's weights from N(0, 0.02^2); its biases are 0, the weights of a norm 1.

    Draws are made on the CPU in float32, in the order of the names, so that a generator state
    gives the same head on every device and in every dtype.
    """
    for name, parameter in sorted(model.named_parameters()):
        if not re.fullmatch(head_pattern(family), name):
            continue
        with torch.no_grad():
            if parameter.ndim == 1:
                parameter.fill_(float(name.endswith("weight")))
            else:
                drawn = torch.empty(parameter.shape, dtype=torch.float32)
                parameter.copy_(drawn.normal_(0.0, _STD, generator=generator))
