"""The state of a model before PEFT changes it, to undo every change bit for bit.

PEFT replaces modules, adds attributes and hooks, and some types change the weights of the layers
that they adapt (PiSSA and OLoRA subtract the initial adapter from them).
"""

from collections import OrderedDict
from typing import Any

import torch
from torch import nn


class Snapshot:
    """The modules, attributes and weights of a model at one time."""

    def __init__(self, model: nn.Module) -> None:
        self._attributes = [(module, _copied(vars(module))) for module in model.modules()]
        self._weights = [
            (p, p.requires_grad, p.detach().clone() if p.device.type != "meta" else None)
            for p in model.parameters()
        ]

    @torch.no_grad()
    def forget_unchanged(self) -> int:
        """Drops the copies of weights that are still the same; returns how many are not.

        Of weights that are trained the copies remain.
        """
        same = [old is not None and _same(p, old) for p, _, old in self._weights]
        changed = sum(
            not one and old is not None
            for one, (_, _, old) in zip(same, self._weights, strict=True)
        )
        self._weights = [
            (p, grad, None if one and not p.requires_grad else old)
            for one, (p, grad, old) in zip(same, self._weights, strict=True)
        ]
        return changed

    @torch.no_grad()
    def restore(self) -> None:
        """Restores the model; weights stay on the device that they are on now."""
        for parameter, requires_grad, old in self._weights:
            if old is not None:
                parameter.data = old.to(parameter.device)
            parameter.requires_grad_(requires_grad)
            parameter.grad = None
        for module, attributes in self._attributes:
            buffers = {
                name: b for name, b in module._buffers.items() if name in attributes["_buffers"]
            }
            module.__dict__.clear()
            module.__dict__.update(_copied(attributes))
            module._buffers.update(buffers)  # They may have moved to another device.


def _copied(attributes: dict[str, Any]) -> dict[str, Any]:
    """Returns attributes with copies of the dictionaries among them: modules, hooks, …"""
    return {
        name: value.copy() if isinstance(value, dict | OrderedDict) else value
        for name, value in attributes.items()
    }


def _same(parameter: torch.Tensor, old: torch.Tensor) -> bool:
    return parameter.dtype == old.dtype and torch.equal(
        parameter.detach(), old.to(parameter.device)
    )
