"""PEFT's layers in a model."""

from dataclasses import dataclass
from typing import Any

from torch import nn

from study.training.peft.snapshot import Snapshot


@dataclass(frozen=True)
class PeftAdapters:
    """The adapters of PEFT in a model, and what the model was before."""

    tuner: Any
    """PEFT's tuner, such as `peft.LoraModel`; its attribute `model` is the model."""
    parameters: dict[str, nn.Parameter]
    """The trained parameters of the adapters, by their names in the model."""
    before: Snapshot

    def remove(self) -> None:
        """Restores the model that the adapters were added to, bit for bit."""
        self.before.restore()
