"""The classification head of each family, and drawing it anew.

OPT's head is one layer on the last token; ESM's is a dense layer and an output layer on the
first. BERT's is the output layer with the pooler below it: a masked-language-model checkpoint
holds no pooler, or one that its training never touched, so it is new and trains like any head.
"""

import re
from collections.abc import Mapping

import torch
from torch import nn

from study.models.families import FAMILIES, Kin

_MODULES: dict[Kin, tuple[str, ...]] = {
    "opt": ("score",),
    "bert": ("bert.pooler.dense", "classifier"),
    "esm": ("classifier",),
}
_OUTPUTS: dict[Kin, str] = {"opt": "score", "bert": "classifier", "esm": "classifier.out_proj"}
_STD = 0.02


def head_modules(family: str) -> tuple[str, ...]:
    """The names of the modules that make up the head."""
    return _MODULES[FAMILIES[family].kin]


def head_pattern(family: str) -> str:
    """A regular expression for `re.fullmatch` on the names of the head's parameters."""
    return rf"({'|'.join(map(re.escape, head_modules(family)))})\..+"


def head_labels(family: str, head: Mapping[str, torch.Tensor]) -> int | None:
    """The number of classes of a head, from its parameters by name; None without output layer."""
    output = head.get(f"{_OUTPUTS[FAMILIES[family].kin]}.weight")
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
