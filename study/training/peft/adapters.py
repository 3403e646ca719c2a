"""PEFT's layers in a model: their parameters, AdaLoRA's schedule, their removal."""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from study.training.peft.snapshot import Snapshot

NAME = "default"
"""PEFT's name of the only adapter."""


@dataclass(frozen=True)
class PeftAdapters:
    """The adapters of PEFT in a model, and what the model was before."""

    model: Any
    """PEFT's `PeftModel` around the model."""
    parameters: dict[str, nn.Parameter]
    """The trained parameters of the adapters, by their names in the model."""
    before: Snapshot
    subtracted: dict[str, tuple[Tensor, Tensor]] = field(default_factory=dict)
    """lora_A and lora_B that an initialisation (PiSSA, OLoRA) has subtracted from the weights, by
    layer."""

    @property
    def config(self) -> Any:
        """PEFT's config of the adapter."""
        return self.model.peft_config[NAME]

    @property
    def is_adalora(self) -> bool:
        """Whether PEFT prunes singular values during the training."""
        return str(self.config.peft_type.value) == "ADALORA"

    def penalty(self) -> Tensor | None:
        """Returns AdaLoRA's orthogonality penalty, which PEFT adds to the loss; else None.

        It is the mean of ||M M^T - I|| (Frobenius) over all lora_A and transposed lora_B, times
        `orth_reg_weight`.
        """
        if not self.is_adalora or not self.config.orth_reg_weight:
            return None
        norms = []
        for name, parameter in self.parameters.items():
            if "lora_A" in name or "lora_B" in name:
                rows = parameter if "lora_A" in name else parameter.T
                unit = torch.eye(len(rows), dtype=rows.dtype, device=rows.device)
                norms.append(torch.linalg.matrix_norm(rows @ rows.T - unit))
        penalty: Tensor = self.config.orth_reg_weight * torch.stack(norms).mean()
        return penalty

    def after_step(self, step: int) -> None:
        """Lets AdaLoRA update its scores and prune, after optimizer step `step` from 1.

        The gradients of the step must still be there. A step that the loss scaler skips counts
        with gradients of 0.
        """
        if not self.is_adalora:
            return
        for parameter in self.parameters.values():
            if parameter.grad is not None:
                torch.nan_to_num_(parameter.grad, 0.0, 0.0, 0.0)
        self.model.base_model.update_and_allocate(step)

    def kept_parameters(self) -> int:
        """Returns the number of parameters without those of singular values that are pruned."""
        total = sum(parameter.numel() for parameter in self.parameters.values())
        if not self.is_adalora:
            return total
        for name, values in self.parameters.items():
            if ".lora_E." in name:
                vectors = (
                    self.parameters[name.replace(".lora_E.", f".{k}.")]
                    for k in ("lora_A", "lora_B")
                )
                width = 1 + sum(one.numel() // len(values) for one in vectors)
                total -= width * int((values == 0).sum())
        return total

    def state_dict(self) -> dict[str, Any]:
        """Returns the state of AdaLoRA's allocator; empty for other types."""
        if not self.is_adalora:
            return {}
        allocator = self.model.base_model.rankallocator
        names = ("ipt", "exp_avg_ipt", "exp_avg_unc")
        scores = {
            name: {k: v.clone() for k, v in getattr(allocator, name).items()} for name in names
        }
        return {"scores": scores, "rank_pattern": self.config.rank_pattern}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continues from a state of `state_dict`."""
        if not self.is_adalora:
            return
        allocator = self.model.base_model.rankallocator
        device = next(iter(self.parameters.values())).device
        for name, scores in state["scores"].items():
            setattr(allocator, name, {k: v.to(device) for k, v in scores.items()})
        self.config.rank_pattern = state["rank_pattern"]

    def remove(self) -> None:
        """Restores the model that the adapters were added to, bit for bit."""
        self.before.restore()
