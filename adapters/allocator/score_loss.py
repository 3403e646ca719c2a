"""The part of a gradient that is the task's, where the loss has the orthogonality penalty too.

The gradient that an optimizer step uses is g = c (∂L/∂w + gamma ∂R/∂w), with the task's loss L,
the penalty R and a factor c, which clipping and scaling leave. ∂R/∂w is known in closed form, and
kappa = c gamma follows from the gradient itself: L depends on P, lam and Q through P diag(lam) Q
only, so that for every triplet i

    Σ_j P_ji ∂L/∂P_ji = lam_i ∂L/∂lam_i = Σ_j Q_ij ∂L/∂Q_ij

and what these sums differ by is the penalty's:

    Σ_j P_ji g(P_ji) − lam_i g(lam_i) = kappa Σ_j P_ji ∂R/∂P_ji,   likewise for Q

P, lam and Q are those before the step, at which the gradient was computed. kappa solves these
equations by least squares, each weighted by 1 / Σ_j (P_ji g(P_ji))², as rounding errors grow with
that sum. So neither gamma, loss scale nor clipping must be known, and no second backward pass is
needed. The loss must have no other terms in P, lam and Q themselves.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from adapters._shapes import Float
from adapters.allocator.importance import (
    LayerGroup,
    flat,
    shape_groups,
    sums_of_triplets,
    triplet_scores,
)
from adapters.orthogonality import PenaltyNote, take_notes


def task_gradient(
    gradient: Float[Tensor, " n"], layers: Sequence[LayerGroup]
) -> Float[Tensor, " n"]:
    """Returns the gradient without the part that the orthogonality penalty has in it.

    Uses up the notes of the last backward pass through the penalty. Without notes (there was no
    penalty) returns the gradient itself.

    Args:
        gradient: The gradient of all P, lam and Q, in the order of `flat_gradient`.
        layers: The adapted layers, by shape.
    """
    notes = [take_notes(group.layers) for group in layers]
    if not any(note for group in notes for note in group):
        return gradient
    weights, slopes = flat(shape_groups(layers), _noted(layers, notes))
    kappa = _kappa(weights * gradient, weights * slopes, layers)
    return torch.addcmul(gradient, slopes, kappa, value=-1)


def penalty_share(
    weights: Float[Tensor, " n"],
    gradient: Float[Tensor, " n"],
    task: Float[Tensor, " n"],
    layers: Sequence[LayerGroup],
) -> Float[Tensor, ""]:
    """Returns the penalty's share of the median score that the gradient of one step gives.

    The score of a step is S_i with |w g|² for s(w), which it is after a first step except for a
    factor. 0: the scores are those of the task's loss; 1: they are those of the penalty.
    """
    squares = torch.stack((task, gradient)).mul_(weights).square_()
    # By sorting: `median` has no deterministic implementation on a GPU.
    ordered = torch.sort(triplet_scores(squares, layers), dim=-1).values
    scored, total = ordered[:, (ordered.shape[-1] - 1) // 2]
    share: Tensor = (1 - scored / total).clamp(0, 1)
    return share


def _noted(
    layers: Sequence[LayerGroup], notes: Sequence[Sequence[PenaltyNote | None]]
) -> Iterator[list[Float[Tensor, "2 *shape"]]]:
    """Yields what was noted, by group of weights; 0 without a note or a gradient."""
    for group, own in zip(layers, notes, strict=True):
        for k, weights in enumerate(group.weights):
            yield [
                weight.new_zeros((2, *weight.shape))
                if note is None or weight.grad is None
                else note[k]
                for weight, note in zip(weights.weights, own, strict=True)
            ]


def _kappa(
    observed: Float[Tensor, " n"], expected: Float[Tensor, " n"], layers: Sequence[LayerGroup]
) -> Float[Tensor, ""]:
    """Returns kappa, given the products of the weights with the gradient and with the slopes."""
    products = torch.stack((observed, expected, observed.square()))
    P_sums, lam, Q_sums = sums_of_triplets(products, layers)
    vectors, lam = torch.stack((P_sums, Q_sums), dim=1), lam.unsqueeze(1)
    left, right = vectors[:2] - lam[:2]
    weighted = right / (vectors[2] + lam[2]).clamp_min_(torch.finfo(right.dtype).tiny)
    norm = (weighted * right).sum()
    return torch.where(norm > 0, (weighted * left).sum() / norm, 0)
