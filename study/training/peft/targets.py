"""The layers that PEFT adapts."""

import re

from torch import nn

from study.errors import InputError


def norms(model: nn.Module, head: str) -> list[str]:
    """Returns the names of the normalisation layers outside the head."""
    return [
        name
        for name, module in model.named_modules()
        if type(module).__name__.endswith(("LayerNorm", "RMSNorm"))
        and not re.fullmatch(head, f"{name}.weight")
    ]


def adapted(model: nn.Module) -> list[str]:
    """Returns the names of the layers that PEFT has adapted."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    return [name for name, module in model.named_modules() if isinstance(module, BaseTunerLayer)]


def check_layers(model: nn.Module, head: str, expected: int | None) -> None:
    """Checks the number of adapted layers, and that none is in the head.

    Raises:
        InputError: it is another one.
    """
    layers = adapted(model)
    inside = [name for name in layers if re.fullmatch(head, f"{name}.weight")]
    if inside:
        raise InputError(
            "adapter.target_modules: must leave out the head, which trains as it is, but got "
            f"{inside[0]}; give longer names, or a regular expression"
        )
    if expected is not None and len(layers) != expected:
        raise InputError(
            f"adapter.matrices: PEFT must adapt {expected} layers, but got {len(layers)}; give "
            "target_modules"
        )
