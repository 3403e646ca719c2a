"""AdamW over the trained parameters of a method, and gradient clipping."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from study.spec import StudySpec
from study.training.methods import PreparedModel


def make_optimizer(spec: StudySpec, prepared: PreparedModel) -> torch.optim.AdamW:
    """Returns AdamW with decoupled weight decay on all parameters except biases and norms.

    The fused implementation makes one pass over all weights, and skips a step of the loss scaler
    without synchronising with the device.
    """
    training = spec.training
    head_lr = training.lr if training.head_lr is None else training.head_lr
    groups = [
        {"params": prepared.adapter_parameters, "lr": training.lr},
        *_decay_groups(prepared.backbone, training.lr, training.weight_decay),
        *_decay_groups(prepared.head, head_lr, training.weight_decay),
    ]
    return torch.optim.AdamW(
        [group for group in groups if group["params"]],
        lr=training.lr,
        weight_decay=training.weight_decay,
        fused=True,
    )


def _decay_groups(
    parameters: dict[str, nn.Parameter], lr: float, weight_decay: float
) -> list[dict[str, Any]]:
    decayed = [p for p in parameters.values() if p.ndim >= 2]
    plain = [p for p in parameters.values() if p.ndim < 2]
    return [
        {"params": decayed, "lr": lr, "weight_decay": weight_decay},
        {"params": plain, "lr": lr, "weight_decay": 0.0},
    ]


def clip_gradients(parameters: Sequence[nn.Parameter], max_norm: float) -> None:
    """Scales all gradients so that their joint 2-norm is at most `max_norm`.

    If the norm is not finite, all gradients become NaN, so that every one of them shows that the
    step is invalid. Does not synchronise with the device.
    """
    gradients = [p.grad for p in parameters if p.grad is not None]
    norm = nn.utils.get_total_norm(gradients)
    nn.utils.clip_grads_with_norm_(parameters, max_norm, norm + 0 * norm)
