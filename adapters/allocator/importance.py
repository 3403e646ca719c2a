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

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

import torch
from torch import Tensor

from adapters._shapes import Float, Number
from adapters.svd import SVDLinear


class ShapeGroup:
    """EMAs of all weights of one shape.

    Args:
        weights: Weights of equal shape (*lanes, …) on one device.
    """

    def __init__(self, weights: Sequence[Tensor]) -> None:
        self.weights = list(weights)
        shape = (len(self.weights), *self.weights[0].shape)
        device = self.weights[0].device
        self.sensitivity = torch.zeros(shape, dtype=torch.float32, device=device)
        self.uncertainty = torch.zeros_like(self.sensitivity)

    def score(self) -> Float[Tensor, "k *shape"]:
        """Returns s(w) of every entry."""
        return self.sensitivity * self.uncertainty


@torch.no_grad()
def flat(
    groups: Sequence[ShapeGroup], tensors: Iterable[Sequence[Tensor]]
) -> Float[Tensor, "*leading n"]:
    """Returns tensors of the groups' shapes as one float32 tensor, one group after the other.

    Args:
        groups: Groups of weights.
        tensors: Of each group, one tensor per weight. They may have leading dimensions, which the
            result then has too.
    """
    lists = [tuple(own) for own in tensors]
    leading = lists[0][0].shape[: lists[0][0].dim() - groups[0].weights[0].dim()]
    count = sum(group.sensitivity.numel() for group in groups)
    device = groups[0].sensitivity.device
    entries = torch.empty((*leading, count), dtype=torch.float32, device=device)
    for part, own in zip(views(entries, groups), lists, strict=True):
        torch.stack(own, dim=len(leading), out=part)
    return entries


def views(entries: Float[Tensor, "*lanes n"], groups: Sequence[ShapeGroup]) -> list[Tensor]:
    """Returns the parts of a flat tensor, each in its group's shape (*lanes, k, …)."""
    shapes = [group.sensitivity.shape for group in groups]
    parts = torch.split(entries, [shape.numel() for shape in shapes], dim=-1)
    leading = entries.shape[:-1]
    return [part.view((*leading, *shape)) for part, shape in zip(parts, shapes, strict=True)]


def flat_weights(groups: Sequence[ShapeGroup]) -> Float[Tensor, " n"]:
    """Returns the entries of all weights."""
    return flat(groups, [group.weights for group in groups])


def flat_gradient(groups: Sequence[ShapeGroup]) -> Float[Tensor, " n"]:
    """Returns the gradients of all weights, 0 where a weight has none."""
    return flat(groups, [[gradient_of(w) for w in group.weights] for group in groups])


def gradient_of(weight: Tensor) -> Tensor:
    """Returns the gradient of a weight, 0 if it has none."""
    return torch.zeros_like(weight) if weight.grad is None else weight.grad


@torch.no_grad()
def observe(
    groups: Sequence[ShapeGroup],
    beta1: Number,
    beta2: Number,
    gradient: Float[Tensor, " n"] | None = None,
    weights: Float[Tensor, " n"] | None = None,
) -> int:
    """Updates the EMAs of all groups with the weights and gradients of one step.

    The EMAs of a weight without a gradient (a layer that the step did not use) stay unchanged.
    If any gradient is not finite (the loss scaler has skipped the step), all EMAs do; this is
    decided on the device, without a synchronisation.

    Args:
        groups: The groups to update.
        beta1: EMA factor of the sensitivity.
        beta2: EMA factor of the uncertainty.
        gradient: The gradient to use, as from `flat_gradient`, which is the default.
        weights: The entries of all weights, as from `flat_weights`, which is the default.

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
    gradient = flat_gradient(groups) if gradient is None else gradient
    weights = flat_weights(groups) if weights is None else weights
    current = (weights * gradient).abs_()
    finite = current.sum().isfinite().float()  # A product of a bool has torch's default dtype.
    current.nan_to_num_(0, 0, 0)
    parts, smoothed, uncertainty = _with_gradient(groups, views(current, groups))
    if parts:
        torch._foreach_sub_(parts, smoothed)
        torch._foreach_add_(smoothed, torch._foreach_mul(parts, finite * (1 - beta1)))
        torch._foreach_abs_(parts)
        torch._foreach_sub_(parts, uncertainty)
        torch._foreach_mul_(parts, finite * (1 - beta2))
        torch._foreach_add_(uncertainty, parts)
    return sum(weight.grad is None for group in groups for weight in group.weights)


def _with_gradient(
    groups: Sequence[ShapeGroup], current: Sequence[Tensor]
) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    """Returns sensitivities and EMAs by group; by weight, in a group in which a gradient lacks."""
    triples: list[tuple[Tensor, Tensor, Tensor]] = []
    for group, part in zip(groups, current, strict=True):
        rows = [row for row, weight in enumerate(group.weights) if weight.grad is not None]
        whole = (part, group.sensitivity, group.uncertainty)
        if len(rows) == len(group.weights):
            triples.append(whole)
        else:
            triples += [(whole[0][row], whole[1][row], whole[2][row]) for row in rows]
    parts, smoothed, uncertainty = zip(*triples, strict=True) if triples else ((), (), ())
    return list(parts), list(smoothed), list(uncertainty)


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
        self.layers = list(layers)
        self.P = ShapeGroup([layer.P for layer in layers])
        self.lam = ShapeGroup([layer.lam for layer in layers])
        self.Q = ShapeGroup([layer.Q for layer in layers])
        self.weights = (self.P, self.lam, self.Q)

    def score(self) -> Float[Tensor, "k rank"]:
        """Returns S_i of every triplet of every layer."""
        return triplet_score(self.lam.score(), self.P.score(), self.Q.score())


def shape_groups(layers: Sequence[LayerGroup]) -> list[ShapeGroup]:
    """Returns the groups of P, lam and Q of each group of layers."""
    return [weights for group in layers for weights in group.weights]


def triplet_scores(
    entries: Float[Tensor, "*lanes n"], layers: Sequence[LayerGroup]
) -> Float[Tensor, "*lanes m"]:
    """Returns S_i of every triplet, group by group, given s(w) of every entry."""
    scores = [triplet_score(lam, P, Q) for P, lam, Q in _triples(entries, layers)]
    return torch.cat([score.flatten(-2) for score in scores], dim=-1)


def sums_of_triplets(
    entries: Float[Tensor, "*lanes n"], layers: Sequence[LayerGroup]
) -> tuple[Float[Tensor, "*lanes m"], Float[Tensor, "*lanes m"], Float[Tensor, "*lanes m"]]:
    """Returns of every triplet the sum over P, the entry of lam and the sum over Q."""
    parts = [(P.sum(-2), lam, Q.sum(-1)) for P, lam, Q in _triples(entries, layers)]
    P, lam, Q = (
        torch.cat([p.flatten(-2) for p in own], dim=-1) for own in zip(*parts, strict=True)
    )
    return P, lam, Q


def _triples(
    entries: Float[Tensor, "*lanes n"], layers: Sequence[LayerGroup]
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yields the entries of P, lam and Q of each group of layers."""
    parts = iter(views(entries, shape_groups(layers)))
    return zip(parts, parts, parts, strict=True)


class Scores:
    """EMAs of all P, lam and Q of a model, grouped by shape, and the scores of its triplets."""

    def __init__(self, layers: Sequence[SVDLinear]) -> None:
        rows: dict[tuple[torch.Size, torch.Size], list[int]] = {}
        for row, layer in enumerate(layers):
            rows.setdefault((layer.P.shape, layer.Q.shape), []).append(row)
        self.layers = [LayerGroup([layers[row] for row in group]) for group in rows.values()]
        self.groups = shape_groups(self.layers)
        self._sensitivity, self._uncertainty = _flattened(self.groups)
        starts = [0, *accumulate(layer.lam.shape[-1] for layer in layers)]
        grouped = [
            i for own in rows.values() for k in own for i in range(starts[k], starts[k + 1])
        ]
        self._order = torch.argsort(torch.tensor(grouped, device="cpu")).to(layers[0].lam.device)

    def release(self) -> None:
        """Forgets the averages."""
        self.layers, self.groups = [], []
        del self._sensitivity, self._uncertainty

    def triplets(self) -> Float[Tensor, " n"]:
        """Returns S_i of every triplet, in the order of the layers."""
        scores = triplet_scores(self._sensitivity * self._uncertainty, self.layers)
        return scores[self._order]


def _flattened(groups: Sequence[ShapeGroup]) -> tuple[Tensor, Tensor]:
    """Makes the EMAs of all groups parts of two flat tensors, and returns these."""
    sensitivity, uncertainty = (torch.zeros_like(flat_weights(groups)) for _ in range(2))
    for group, own, other in zip(
        groups, views(sensitivity, groups), views(uncertainty, groups), strict=True
    ):
        group.sensitivity, group.uncertainty = own, other
    return sensitivity, uncertainty
