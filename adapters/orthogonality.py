"""Orthogonality penalty on the singular vectors.

    R = 1/(2n) · sum over the n matrices of ‖PᵀP − I‖_F + ‖QQᵀ − I‖_F

AdaLoRA (arXiv 2303.10512, eq. 4) with unsquared norms, as in its code. The gradient is computed
in closed form, batched over all weights of one shape: for a matrix W whose rows are the vectors,

    ∂‖W Wᵀ − I‖_F / ∂W = 2 (W Wᵀ − I) W / ‖W Wᵀ − I‖_F,   and 0 where the norm is 0
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from typing_extensions import override

from adapters._shapes import Float
from adapters.svd import AdaptedLinear


def orthogonality(adapters: Mapping[str, AdaptedLinear]) -> Float[Tensor, ""]:
    """Returns the penalty R, a scalar differentiable in P and Q.

    Weighted by gamma it is added to the training loss, never to a reported evaluation loss.

    Raises:
        ValueError: `adapters` is empty.

    Example:
        >>> layer = SVDLinear(nn.Linear(3, 3), 2, alpha=2, generator=torch.Generator())
        >>> layer.P.data, layer.Q.data = 2 * torch.eye(3)[:, :2], torch.eye(3)[:2]
        >>> orthogonality({"layer": layer})  # (‖4 I − I‖_F + 0) / 2n, n = 1
        tensor(2.1213, grad_fn=<DivBackward0>)
    """
    if not adapters:
        raise ValueError(
            "the penalty must have at least one adapted layer, but got none; call inject first"
        )
    weights = [module.P.mT for module in adapters.values()]
    weights += [module.Q for module in adapters.values()]
    total: Tensor = _GramGaps.apply(*weights)  # type: ignore[no-untyped-call]
    return total / (2 * len(adapters))


def penalty_backward(penalty: Float[Tensor, ""], adapters: Mapping[str, AdaptedLinear]) -> None:
    """Adds the gradient of the penalty to `.grad` of P and Q, without any hook being called.

    For DistributedDataParallel (DDP), in place of `penalty.backward()`: that would call DDP's
    hooks outside of DDP's backward pass, and with `static_graph` or `find_unused_parameters` the
    weights of the processes would diverge or DDP would fail. With gradient accumulation one call
    per optimizer step is sufficient.

    Args:
        penalty: A function of `orthogonality(adapters)`: weighted by gamma, and multiplied by the
            loss scale if the loss is.
        adapters: The adapted layers.

    Example:
        >>> layer = SVDLinear(nn.Linear(3, 3), 1, alpha=1, generator=torch.Generator())
        >>> layer.P.data = torch.tensor([[2.0], [0.0], [0.0]])
        >>> penalty_backward(0.1 * orthogonality({"layer": layer}), {"layer": layer})
        >>> layer.P.grad.T  # gamma / 2n · 2 · 2
        tensor([[0.2000, 0.0000, 0.0000]])
    """
    vectors = [weight for module in adapters.values() for weight in (module.P, module.Q)]
    weights = [weight for weight in vectors if weight.requires_grad]
    for weight, gradient in zip(weights, torch.autograd.grad(penalty, weights), strict=True):
        if weight.grad is None:
            weight.grad = torch.zeros_like(weight)  # Autograd requires the weight's strides.
        weight.grad += gradient


def gram_gap(rows: Float[Tensor, "*lanes rank width"]) -> Float[Tensor, "*lanes rank rank"]:
    """Returns W Wᵀ − I, which is zero if the rows are orthonormal.

    Example:
        >>> gram_gap(torch.tensor([[2.0, 0.0], [0.0, 1.0]]))
        tensor([[3., 0.],
                [0., 0.]])
    """
    gap = rows @ rows.mT
    gap.diagonal(dim1=-2, dim2=-1).sub_(1)
    return gap


class _GramGaps(torch.autograd.Function):
    """Sum of the Frobenius norms of W Wᵀ − I over weights W of shape (*lanes, rank, width)."""

    @staticmethod
    @override
    def forward(ctx: Any, *weights: Tensor) -> Tensor:
        groups = _by_shape(weights)
        gaps = [gram_gap(_stack(weights, rows)) for rows in groups]
        norms = [torch.linalg.matrix_norm(gap) for gap in gaps]
        ctx.groups = groups
        ctx.save_for_backward(*weights, *gaps, *norms)
        return torch.stack([norm.sum() for norm in norms]).sum()

    @staticmethod
    @override
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
