"""The penalty that keeps the singular vectors orthonormal.

    R = 1/(2n) · sum over the n matrices of ‖PᵀP − I‖_F + ‖QQᵀ − I‖_F

AdaLoRA (arXiv 2303.10512, eq. 4) with unsquared norms, as in its code. The gradient is taken in
closed form, batched over all weights of one shape: per matrix W with rows as vectors,

    ∂‖W Wᵀ − I‖_F / ∂W = 2 (W Wᵀ − I) W / ‖W Wᵀ − I‖_F,   and 0 where the norm is 0
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from adapters._shapes import Float
from adapters.svd import AdaptedLinear


def orthogonality(adapters: Mapping[str, AdaptedLinear]) -> Float[Tensor, ""]:
    """Returns R, differentiable in P and Q; to be scaled and added to the training loss only.

    Args:
        adapters: The adapted layers; at least one.
    """
    if not adapters:
        raise ValueError("adapters must not be empty: the penalty is a mean over adapted layers")
    weights = [module.P.mT for module in adapters.values()]
    weights += [module.Q for module in adapters.values()]
    total: Tensor = _GramGaps.apply(*weights)  # type: ignore[no-untyped-call]
    return total / (2 * len(adapters))


def penalty_backward(penalty: Float[Tensor, ""], adapters: Mapping[str, AdaptedLinear]) -> None:
    """Adds the penalty's gradient to that of P and Q, and to no other weight's.

    As `penalty.backward()`, but past DDP's hooks, which that would set off outside of DDP's own
    backward pass: with `static_graph` or `find_unused_parameters` the processes then part, or
    DDP fails. Once per optimizer step is enough where batches accumulate.

    Args:
        penalty: A function of `orthogonality(adapters)`: weighted, and scaled as the loss is.
        adapters: The adapted layers.
    """
    vectors = [weight for module in adapters.values() for weight in (module.P, module.Q)]
    weights = [weight for weight in vectors if weight.requires_grad]
    for weight, gradient in zip(weights, torch.autograd.grad(penalty, weights), strict=True):
        if weight.grad is None:
            weight.grad = torch.zeros_like(weight)  # Autograd wants the weight's memory layout.
        weight.grad += gradient


def gram_gap(rows: Float[Tensor, "*lanes rank width"]) -> Float[Tensor, "*lanes rank rank"]:
    """Returns W Wᵀ − I: zero where the rows are orthonormal."""
    gap = rows @ rows.mT
    gap.diagonal(dim1=-2, dim2=-1).sub_(1)
    return gap


class _GramGaps(torch.autograd.Function):
    """Sum of the Frobenius norms of the gaps of many weights (*lanes, rank, width)."""

    @staticmethod
    def forward(ctx: Any, *weights: Tensor) -> Tensor:
        groups = _by_shape(weights)
        gaps = [gram_gap(_stack(weights, rows)) for rows in groups]
        norms = [torch.linalg.matrix_norm(gap) for gap in gaps]
        ctx.groups = groups
        ctx.save_for_backward(*weights, *gaps, *norms)
        return torch.stack([norm.sum() for norm in norms]).sum()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        saved, groups = ctx.saved_tensors, ctx.groups
        count, kinds = len(saved) - 2 * len(groups), len(groups)
        weights, gaps, norms = saved[:count], saved[count : count + kinds], saved[count + kinds :]
        gradients: list[Tensor | None] = [None] * count
        for rows, gap, norm in zip(groups, gaps, norms, strict=True):
            factor = torch.where(norm > 0, 2 * grad / norm, 0)
            slope = (gap * factor[..., None, None]) @ _stack(weights, rows)
            for row, gradient in zip(rows, slope.unbind(), strict=True):
                gradients[row] = gradient.to(weights[row].dtype)
        return tuple(gradients)


def _by_shape(weights: Sequence[Tensor]) -> list[list[int]]:
    groups: dict[tuple[torch.Size, torch.device], list[int]] = {}
    for row, weight in enumerate(weights):
        groups.setdefault((weight.shape, weight.device), []).append(row)
    return list(groups.values())


def _stack(weights: Sequence[Tensor], rows: Sequence[int]) -> Float[Tensor, "k *lanes rank width"]:
    return torch.stack([weights[row] for row in rows]).float()
