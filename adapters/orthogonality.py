"""Orthogonality penalty on the singular vectors.

    R = 1/(2n) · sum over the n matrices of ‖PᵀP − I‖_F + ‖QQᵀ − I‖_F

AdaLoRA (arXiv 2303.10512, eq. 4) with unsquared norms, as in its code. The gradient is computed
in closed form, batched over all weights of one shape: for a matrix W whose rows are the vectors,

    ∂‖W Wᵀ − I‖_F / ∂W = 2 (W Wᵀ − I) W / ‖W Wᵀ − I‖_F,   and 0 where the norm is 0

Half of it is the slope. A backward pass notes the slopes and the weights of every layer, so that
the allocator can separate the penalty's part of the gradient from the task's (score_loss.py).
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from typing_extensions import override

from adapters._shapes import Float
from adapters.svd import AdaptedLinear, SVDLinear


class PenaltyNote(NamedTuple):
    """A layer's weights when the penalty was computed, and the penalty's slopes in them."""

    weights: tuple[Tensor, Tensor, Tensor]
    """P, lam and Q."""
    slopes: tuple[Tensor, Tensor, Tensor]
    """Those in P, lam (always 0) and Q."""


_NOTES: WeakKeyDictionary[AdaptedLinear, PenaltyNote] = WeakKeyDictionary()


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
    layers = list(adapters.values())
    weights = [layer.P.mT for layer in layers] + [layer.Q for layer in layers]
    total: Tensor = _GramGaps.apply(*weights)  # type: ignore[no-untyped-call]
    if total.grad_fn is not None:  # The context of _GramGaps: its backward pass notes them.
        total.grad_fn.notes = _notes(layers, total.grad_fn)  # type: ignore[attr-defined]
    return total / (2 * len(adapters))


def take_notes(layers: Sequence[SVDLinear]) -> list[PenaltyNote | None]:
    """Returns and removes what the last backward pass through the penalty noted of each layer."""
    return [_NOTES.pop(layer, None) for layer in layers]


def _notes(layers: Sequence[AdaptedLinear], context: Any) -> dict[AdaptedLinear, PenaltyNote]:
    """Returns what a backward pass notes of the layers that have singular values."""
    weights, slopes, n = context.weights, context.slopes, len(layers)
    values = [layer.lam.detach() for layer in layers if isinstance(layer, SVDLinear)]
    if not values:
        return {}
    ranks = [value.shape[-1] for value in values]
    lam = torch.cat(values, dim=-1)
    lams, zeros = (iter(torch.split(part, ranks, dim=-1)) for part in (lam, torch.zeros_like(lam)))
    return {
        layer: PenaltyNote(
            (weights[k].mT, next(lams), weights[n + k]),
            (slopes[k].mT, next(zeros), slopes[n + k]),
        )
        for k, layer in enumerate(layers)
        if isinstance(layer, SVDLinear)
    }


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
        ctx.weights, ctx.slopes, ctx.notes = list(weights), list(weights), {}
        norms = []
        for rows in _by_layout(weights):
            stacked = _stack([weights[row] for row in rows])
            gap = gram_gap(stacked)
            norm = torch.linalg.matrix_norm(gap)
            norms.append(norm.sum())
            unit = gap / norm.clamp_min(torch.finfo(norm.dtype).tiny)[..., None, None]
            # The gap is symmetric; a product of transposed factors keeps the weights' layout.
            slope = (stacked.mT @ unit).mT if _is_transposed(weights[rows[0]]) else unit @ stacked
            for row, copy, part in zip(rows, stacked.unbind(), slope.unbind(), strict=True):
                ctx.weights[row], ctx.slopes[row] = copy, part
        ctx.dtypes = [weight.dtype for weight in weights]
        return torch.stack(norms).sum()

    @staticmethod
    @override
    def backward(ctx: Any, grad: Tensor) -> Any:
        _NOTES.update(ctx.notes)
        gradients = torch._foreach_mul(ctx.slopes, 2 * grad)
        return tuple(g.to(dtype) for g, dtype in zip(gradients, ctx.dtypes, strict=True))


def _by_layout(weights: Sequence[Tensor]) -> list[list[int]]:
    groups: dict[tuple[torch.Size, bool, torch.device], list[int]] = {}
    for row, weight in enumerate(weights):
        key = (weight.shape, _is_transposed(weight), weight.device)
        groups.setdefault(key, []).append(row)
    return list(groups.values())


def _is_transposed(weight: Tensor) -> bool:
    return weight.stride(-1) != 1 and weight.mT.is_contiguous()


def _stack(weights: Sequence[Tensor]) -> Float[Tensor, "k *lanes rank width"]:
    """Returns copies of weights of one shape, in their memory layout."""
    if _is_transposed(weights[0]):
        return torch.stack([weight.mT for weight in weights]).float().mT
    return torch.stack(tuple(weights)).float()
