"""Drawing the classification head anew; what it is in each family stands in `families.py`."""

import re

import torch
from torch import nn

from study.models.families import FAMILIES, HEADS

_STD = 0.02


def head_pattern(family: str) -> str:
    """A regular expression for `re.fullmatch` on the names of the head's parameters."""
    return HEADS[FAMILIES[family].kin].pattern


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
