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
from adapters.svd import AdaptedLinear, SVDLinear, full_precision


class PenaltyNote(NamedTuple):
    """A layer's weights when the penalty was computed, at [0], and its slopes in them, at [1]."""

    P: Float[Tensor, "2 *lanes out rank"]
    lam: Float[Tensor, "2 *lanes rank"]
    """The slope is 0."""
    Q: Float[Tensor, "2 *lanes rank in"]


_NOTES: WeakKeyDictionary[AdaptedLinear, PenaltyNote] = WeakKeyDictionary()


def orthogonality(adapters: Mapping[str, AdaptedLinear]) -> Float[Tensor, ""]:
    """Returns the penalty R, a scalar differentiable in P and Q.

    Weighted by gamma it is added to the training loss, never to a reported evaluation loss. It is
    computed in float32; autocast does not apply.

    Raises:
        ValueError: `adapters` is empty; or a function compiled with `fullgraph` calls this.

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
    if torch.compiler.is_compiling():  # With fullgraph=False torch then calls this uncompiled.
        raise ValueError(
            "the penalty must be computed outside torch.compile, as its backward pass notes what "
            "the allocator needs, but got a compiled function; compile the model alone"
        )
    layers = list(adapters.values())
    weights = [layer.P.mT for layer in layers] + [layer.Q for layer in layers]
    with full_precision(weights[0]):
        total: Tensor = _GramGaps.apply(*weights)  # type: ignore[no-untyped-call]
    if total.grad_fn is not None:  # It is the context of _GramGaps.
        context: Any = total.grad_fn
        context.notes = _notes(layers, context.vectors)
    return total / (2 * len(adapters))


def take_notes(layers: Sequence[SVDLinear]) -> list[PenaltyNote | None]:
    """Returns and removes what the last backward pass through the penalty noted of each layer."""
    return [_NOTES.pop(layer, None) for layer in layers]


def _notes(
    layers: Sequence[AdaptedLinear], vectors: Sequence[Tensor]
) -> dict[AdaptedLinear, PenaltyNote]:
    """Returns what a backward pass notes of the layers that have singular values.

    `vectors` has the weights and slopes of Pᵀ of every layer, then those of Q.
    """
    values = [layer.lam.detach() for layer in layers if isinstance(layer, SVDLinear)]
    if not values:
        return {}
    lam = torch.cat(values, dim=-1)
    both = torch.stack((lam, torch.zeros_like(lam)))
    lams = iter(torch.split(both, [value.shape[-1] for value in values], dim=-1))
    pairs = zip(layers, vectors[: len(layers)], vectors[len(layers) :], strict=True)
    return {
        layer: PenaltyNote(P.mT, next(lams), Q)
        for layer, P, Q in pairs
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
    gradients = torch.autograd.grad(penalty, weights)
    sums: list[tuple[Tensor, Tensor]] = []
    for weight, gradient in zip(weights, gradients, strict=True):
        if weight.grad is not None:
            sums.append((weight.grad, gradient))
        elif gradient.stride() == weight.stride():  # Autograd requires the weight's strides.
            weight.grad = gradient
        else:
            weight.grad = torch.empty_like(weight).copy_(gradient)
    if sums:
        torch._foreach_add_([own for own, _ in sums], [added for _, added in sums])


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
        ctx.vectors, ctx.notes, norms = list(weights), {}, []
        ctx.dtypes = [weight.dtype for weight in weights]
        for rows in _by_layout(weights):
            vectors = _stack([weights[row] for row in rows])
            norms.append(_slopes(vectors))
            for row, pair in zip(rows, vectors.unbind(1), strict=True):
                ctx.vectors[row] = pair
        return torch.cat(norms).sum()

    @staticmethod
    @override
    def backward(ctx: Any, grad: Tensor) -> Any:
        _NOTES.update(ctx.notes)
        gradients = torch._foreach_mul([slope for _, slope in ctx.vectors], 2 * grad)
        return tuple(g.to(dtype) for g, dtype in zip(gradients, ctx.dtypes, strict=True))


def _by_layout(weights: Sequence[Tensor]) -> list[list[int]]:
    groups: dict[tuple[torch.Size, bool, torch.device], list[int]] = {}
    for row, weight in enumerate(weights):
        key = (weight.shape, _is_transposed(weight), weight.device)
        groups.setdefault(key, []).append(row)
    return list(groups.values())


def _is_transposed(weight: Tensor) -> bool:
    return weight.stride(-1) != 1 and weight.mT.is_contiguous()


def _stack(weights: Sequence[Tensor]) -> Float[Tensor, "2 k *lanes rank width"]:
    """Returns copies of weights of one shape [0] and room for their slopes [1].

    Both have the weights' memory layout, as their gradients must.
    """
    transposed = _is_transposed(weights[0])
    tensors = [weight.mT for weight in weights] if transposed else list(weights)
    shape = (2, len(weights), *tensors[0].shape)
    vectors = torch.empty(shape, dtype=torch.float32, device=tensors[0].device)
    torch.stack(tensors, out=vectors[0])
    return vectors.mT if transposed else vectors


def _slopes(vectors: Float[Tensor, "2 k *lanes rank width"]) -> Float[Tensor, " norms"]:
    """Sets the slopes of weights, (W Wᵀ − I) W / ‖W Wᵀ − I‖, and returns the norms."""
    weights, slopes = vectors
    gap = gram_gap(weights)
    norm: Tensor = torch.linalg.matrix_norm(gap)
    unit = gap.div_(norm.clamp_min(torch.finfo(norm.dtype).tiny)[..., None, None])
    if slopes.is_contiguous():
        torch.matmul(unit, weights, out=slopes)
    else:  # The gap is symmetric.
        torch.matmul(weights.mT, unit, out=slopes.mT)
    return norm.flatten()
