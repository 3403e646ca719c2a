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
from adapters.importance import (
    LayerGroup,
    flat,
    flat_weights,
    shape_groups,
    triplet_score,
    views,
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
    groups = shape_groups(layers)
    weights = flat(groups, _noted(layers, notes, "weights"))
    slopes = flat(groups, _noted(layers, notes, "slopes"))
    kappa = _kappa(weights * gradient, weights * slopes, layers)
    return torch.addcmul(gradient, slopes, kappa, value=-1)


def penalty_share(
    gradient: Float[Tensor, " n"], task: Float[Tensor, " n"], layers: Sequence[LayerGroup]
) -> Float[Tensor, ""]:
    """Returns the penalty's share of the median score that the gradient of one step gives.

    The score of a step is S_i with |w g|² for s(w), which it is after a first step except for a
    factor. 0: the scores are those of the task's loss; 1: they are those of the penalty.
    """
    weights = flat_weights(shape_groups(layers))
    medians = [_scores(weights * part, layers).median() for part in (task, gradient)]
    return (1 - medians[0] / medians[1]).clamp(0, 1)


def _noted(
    layers: Sequence[LayerGroup], notes: Sequence[Sequence[PenaltyNote | None]], name: str
) -> Iterator[list[Tensor]]:
    """Yields what was noted, by group of weights; 0 without a note or a gradient."""
    for group, own in zip(layers, notes, strict=True):
        for k, weights in enumerate(group.weights):
            yield [
                torch.zeros_like(weight)
                if note is None or weight.grad is None
                else getattr(note, name)[k]
                for weight, note in zip(weights.weights, own, strict=True)
            ]


def _kappa(
    observed: Float[Tensor, " n"], expected: Float[Tensor, " n"], layers: Sequence[LayerGroup]
) -> Float[Tensor, ""]:
    """Returns kappa, given the products of the weights with the gradient and with the slopes."""
    left, right = _sums(observed, layers, sign=-1), _sums(expected, layers, sign=-1)
    noise = _sums(observed.square(), layers, sign=1)
    weighted = right / noise.clamp_min(torch.finfo(noise.dtype).tiny)
    norm = (weighted * right).sum()
    return torch.where(norm > 0, (weighted * left).sum() / norm, 0)


def _sums(
    products: Float[Tensor, " n"], layers: Sequence[LayerGroup], sign: int
) -> Float[Tensor, " m"]:
    """Returns per triplet the sum over P plus or minus that of lam, then the same with Q."""
    sums = []
    for P, lam, Q in _triples(products, layers):
        sums += [P.sum(-2) + sign * lam, Q.sum(-1) + sign * lam]
    return torch.cat(sums).flatten()


def _scores(products: Float[Tensor, " n"], layers: Sequence[LayerGroup]) -> Float[Tensor, " m"]:
    """Returns S_i with the squares of the products for s(w)."""
    parts = _triples(products.square(), layers)
    return torch.cat([triplet_score(lam, P, Q) for P, lam, Q in parts]).flatten()


def _triples(
    entries: Float[Tensor, " n"], layers: Sequence[LayerGroup]
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    parts = iter(views(entries, shape_groups(layers)))
    return zip(parts, parts, parts, strict=True)
