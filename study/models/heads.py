"""Drawing the classification head anew; what it is in each family stands in `families.py`."""

import re
from collections.abc import Mapping

import torch
from torch import nn

from study.models.families import FAMILIES, HEADS

_STD = 0.02


def head_modules(family: str) -> tuple[str, ...]:
    """The names of the modules that make up the head."""
    return HEADS[FAMILIES[family].kin].modules


def head_pattern(family: str) -> str:
    """A regular expression for `re.fullmatch` on the names of the head's parameters."""
    return HEADS[FAMILIES[family].kin].pattern


def head_labels(family: str, head: Mapping[str, torch.Tensor]) -> int | None:
    """The number of classes of a head, from its parameters by name; None without output layer."""
    output = head.get(f"{HEADS[FAMILIES[family].kin].output}.weight")
    return None if output is None or output.ndim != 2 else len(output)


def reset_head(model: nn.Module, family: str, generator: torch.Generator) -> None:
    """Draws the head's weights from N(0, 0.02^2) and sets its biases to 0.

    Draws happen on the CPU in float32, in the order of the names: one generator state gives
    one head, whatever the model's device and dtype.
    """
    for name, parameter in sorted(model.named_parameters()):
        if not re.fullmatch(head_pattern(family), name):
            continue
        with torch.no_grad():
            if parameter.ndim == 1:
                parameter.zero_()
            else:
                drawn = torch.empty(parameter.shape, dtype=torch.float32)
                parameter.copy_(drawn.normal_(0.0, _STD, generator=generator))
