"""The classification head of each family, and drawing it anew.

OPT's head is one layer on the last token; ESM's is a dense layer and an output layer on the
first. BERT's is the output layer with the pooler below it: a masked-language-model checkpoint
holds no pooler, or one that its training never touched, so it is new and trains like any head.
"""

import re

import torch
from torch import nn

from study.models.families import FAMILIES, Kin

_PATTERNS: dict[Kin, str] = {
    "opt": r"score\..+",
    "bert": r"(bert\.pooler\.dense|classifier)\..+",
    "esm": r"classifier\..+",
}
_STD = 0.02


def head_pattern(family: str) -> str:
    """A regular expression for `re.fullmatch` on the names of the head's parameters."""
    return _PATTERNS[FAMILIES[family].kin]


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
