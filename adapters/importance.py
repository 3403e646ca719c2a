"""Importance scores of the entries of P, lam and Q and of the singular triplets.

    I  = |w g|                                       sensitivity at one step (units of the loss)
    Ī ← β1 Ī + (1-β1) I                              smoothed sensitivity
    Ū ← β2 Ū + (1-β2) |I - Ī_previous|               smoothed uncertainty
    s(w) = Ī Ū
    S_i  = s(lam_i) + mean_j s(P_ji) + mean_j s(Q_ij)

w is the entry after the optimizer step, g the gradient used by that step, as in AdaLoRA's code
(arXiv 2303.10512, eq. 8-10). The uncertainty follows the AdaLoRA+RS paper, which has Ī_previous
where AdaLoRA has the updated Ī. As I - Ī = β1 (I - Ī_previous), all scores differ from AdaLoRA's
by the same factor and the masks are equal.

All averages are float32 whatever the model's dtype: in float16 every score underflows to 0.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from adapters._shapes import Float, Number
from adapters.svd import SVDLinear


class ShapeGroup:
    """EMAs of all weights of one shape, stacked so that one kernel updates all of them.

    Args:
        weights: Weights of equal shape (*lanes, …) on one device.
    """

    def __init__(self, weights: Sequence[Tensor]) -> None:
        self.weights = list(weights)
        shape = (len(self.weights), *self.weights[0].shape)
        self.sensitivity = torch.zeros(shape, device=self.weights[0].device)
        self.uncertainty = torch.zeros_like(self.sensitivity)

    def score(self) -> Float[Tensor, "k *shape"]:
        """Returns s(w) of every entry."""
        return self.sensitivity * self.uncertainty


def observe(groups: Sequence[ShapeGroup], beta1: Number, beta2: Number) -> int:
    """Updates the EMAs of all groups with the weights and gradients of one step.

    The EMAs of a weight without a gradient (a layer that the step did not use) stay unchanged.
    If any gradient is not finite (the loss scaler has skipped the step), all EMAs do; this is
    decided on the device, without a synchronisation.

    Returns:
        Number of weights without a gradient.

    Example:
        >>> weight = torch.tensor([1.0, -2.0])
        >>> weight.grad = torch.tensor([3.0, 1.0])
        >>> group = ShapeGroup([weight])
        >>> observe([group], beta1=0.5, beta2=0.5)
        0
        >>> group.sensitivity
        tensor([[1.5000, 1.0000]])
    """
    observed = [_sensitivities(group) for group in groups]
    current = [part for parts in observed for part in parts[0]]
    if current:
        smoothed = [part for parts in observed for part in parts[1]]
        uncertainty = [part for parts in observed for part in parts[2]]
        _smooth(current, smoothed, uncertainty, beta1, beta2)
    return sum(parts[3] for parts in observed)


_Observed = tuple[list[Tensor], list[Tensor], list[Tensor], int]


def _sensitivities(group: ShapeGroup) -> _Observed:
    gradients = [weight.grad for weight in group.weights]
    present = [gradient for gradient in gradients if gradient is not None]
    missing = len(gradients) - len(present)
    if not missing:
        current = [_product(torch.stack(group.weights), torch.stack(present))]
        return current, [group.sensitivity], [group.uncertainty], 0
    rows = [row for row, gradient in enumerate(gradients) if gradient is not None]
    current = [_product(group.weights[row], g) for row, g in zip(rows, present, strict=True)]
    smoothed = [group.sensitivity[row] for row in rows]
    return current, smoothed, [group.uncertainty[row] for row in rows], missing


def _product(weight: Tensor, gradient: Tensor) -> Tensor:
    return weight.float() * gradient.float()


def _smooth(
    current: list[Tensor],
    smoothed: list[Tensor],
    uncertainty: list[Tensor],
    beta1: Number,
    beta2: Number,
) -> None:
    torch._foreach_abs_(current)
    finite = torch.stack([part.sum() for part in current]).sum().isfinite()
    for part in current:
        part.nan_to_num_(0, 0, 0)
    torch._foreach_sub_(current, smoothed)
    torch._foreach_add_(smoothed, torch._foreach_mul(current, finite * (1 - beta1)))
    torch._foreach_abs_(current)
    torch._foreach_sub_(current, uncertainty)
    torch._foreach_mul_(current, finite * (1 - beta2))
    torch._foreach_add_(uncertainty, current)


def triplet_score(
    lam_score: Float[Tensor, "*lanes rank"],
    P_score: Float[Tensor, "*lanes out rank"],
    Q_score: Float[Tensor, "*lanes rank in"],
) -> Float[Tensor, "*lanes rank"]:
    """Returns S_i of every triplet of a matrix.

    The scores of P and Q are averaged, not summed, so that triplets of narrow and wide matrices
    are comparable.

    Example:
        >>> triplet_score(torch.tensor([1.0]), torch.tensor([[2.0], [4.0]]), torch.tensor([[5.0]]))
        tensor([9.])
    """
    return lam_score + P_score.mean(-2) + Q_score.mean(-1)


class LayerGroup:
    """EMAs of all adapted layers of one shape.

    Args:
        layers: Adapted layers with equal numbers of inputs, outputs and triplets.
    """

    def __init__(self, layers: Sequence[SVDLinear]) -> None:
        self.P = ShapeGroup([layer.P for layer in layers])
        self.lam = ShapeGroup([layer.lam for layer in layers])
        self.Q = ShapeGroup([layer.Q for layer in layers])
        self.weights = (self.P, self.lam, self.Q)

    def score(self) -> Float[Tensor, "k rank"]:
        """Returns S_i of every triplet of every layer."""
        return triplet_score(self.lam.score(), self.P.score(), self.Q.score())
