"""A frozen linear layer with a trainable low-rank update beside it.

    AdaLoRA   y = W0 x + P diag(lam * scale) Q dropout(x)
    LoRA      y = W0 x + P (scale * Q) dropout(x)

    P      left singular vectors    (*lanes, out, rank)
    lam    singular values          (*lanes, rank)
    Q      right singular vectors   (*lanes, rank, in)
    scale  alpha / initial rank, constant: never rescaled by the current rank

AdaLoRA: arXiv 2303.10512, eq. 3; LoRA: arXiv 2106.09685, eq. 3.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from adapters._shapes import Bool, Float, Number

INIT_STD = 0.02
"""Standard deviation of the entries of P and Q at the start."""


def low_rank_update(
    y: Float[Tensor, "*lanes n out"],
    x: Float[Tensor, "*lanes n in"],
    P: Float[Tensor, "*lanes out rank"],
    right: Float[Tensor, "*lanes rank in"],
) -> Float[Tensor, "*lanes n out"]:
    """Adds x rightᵀ Pᵀ to `y`, whose memory may be reused.

    The factor alpha / rank and the singular values come inside `right`, the smallest tensor
    at hand: the wide output is passed over once, by the product that adds to it.
    """
    h = x @ right.mT
    if y.dim() == 2:
        return y.addmm_(h, P.mT)
    return y + h @ P.mT


class AdaptedLinear(nn.Module):
    """An `nn.Linear` kept whole in `base`, plus a low-rank update in float32.

    P and Q are drawn on the CPU from `generator`, then moved to the layer's device. They stay
    float32 whatever the layer's dtype; the forward pass computes in the dtype of the layer's
    output, under autocast too.

    Args:
        base: The layer to adapt; the very object, so taking the adapter out restores the model.
        rank: Number of triplets, at least 1.
        alpha: Numerator of the constant factor alpha / rank.
        dropout: Probability in [0, 1) of zeroing an entry of the update's input.
        generator: A CPU generator.
    """

    P: nn.Parameter
    Q: nn.Parameter

    def __init__(
        self,
        base: nn.Linear,
        rank: int,
        *,
        alpha: Number,
        dropout: Number = 0.0,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.base = base
        self.rank = rank
        self.scale = alpha / rank
        self.dropout = dropout
        P = torch.randn(base.out_features, rank, generator=generator) * INIT_STD
        Q = torch.randn(rank, base.in_features, generator=generator) * INIT_STD
        self.P = nn.Parameter(P.to(base.weight.device))
        self.Q = nn.Parameter(Q.to(base.weight.device))

    def right_factor(self) -> Float[Tensor, "rank in"]:
        """Returns everything of the update but P: diag(scale · singular values) Q."""
        raise NotImplementedError

    def delta(self) -> Float[Tensor, "out in"]:
        """Returns what the update adds to the layer's weight, in float32."""
        return self.P.float() @ self.right_factor().float()

    def forward(self, x: Float[Tensor, "*batch in"]) -> Float[Tensor, "*batch out"]:
        """Returns base(x) plus the low-rank update, in the dtype of base(x)."""
        y = self.base(x)
        h = F.dropout(x, self.dropout, self.training) if self.dropout else x
        update = low_rank_update(
            y.reshape(-1, y.shape[-1]),
            h.reshape(-1, h.shape[-1]).to(y.dtype),
            self.P.to(y.dtype),
            self.right_factor().to(y.dtype),
        )
        return update.view(y.shape)

    @property
    def weight(self) -> Tensor:
        """The frozen weight of `base`: some models look at its dtype."""
        return self.base.weight

    @property
    def bias(self) -> Tensor | None:
        """The frozen bias of `base`."""
        return self.base.bias

    def extra_repr(self) -> str:
        """The rank and the factor, for `print(model)`."""
        return f"rank={self.rank}, scale={self.scale:g}, dropout={self.dropout:g}"


class SVDLinear(AdaptedLinear):
    """AdaLoRA's layer: singular values start at 0, so the model starts as the backbone.

    `mask` is None, or a boolean per triplet: a masked value is held back from the forward pass
    and gets no gradient, and is still there when the mask is lifted.
    """

    lam: nn.Parameter
    mask: Bool[Tensor, "rank"] | None

    def __init__(
        self,
        base: nn.Linear,
        rank: int,
        *,
        alpha: Number,
        dropout: Number = 0.0,
        generator: torch.Generator,
    ) -> None:
        super().__init__(base, rank, alpha=alpha, dropout=dropout, generator=generator)
        self.lam = nn.Parameter(torch.zeros(rank, device=base.weight.device))
        self.register_buffer("mask", None)

    def _load_from_state_dict(
        self, state_dict: Mapping[str, Any], prefix: str, *args: Any
    ) -> None:
        """Makes room for a mask that a state holds: without it pruned values would be live."""
        if self.mask is None and f"{prefix}mask" in state_dict:
            self.mask = torch.ones_like(self.lam, dtype=torch.bool)
        super()._load_from_state_dict(state_dict, prefix, *args)

    def effective_lam(self) -> Float[Tensor, "rank"]:
        """Returns the singular values as the forward pass sees them."""
        return self.lam if self.mask is None else self.lam * self.mask

    def right_factor(self) -> Float[Tensor, "rank in"]:
        """Returns diag(scale · lam) Q."""
        return (self.effective_lam() * self.scale).unsqueeze(-1) * self.Q


class LoRALinear(AdaptedLinear):
    """LoRA's layer: the singular values are 1 and P starts at 0."""

    def __init__(
        self,
        base: nn.Linear,
        rank: int,
        *,
        alpha: Number,
        dropout: Number = 0.0,
        generator: torch.Generator,
    ) -> None:
        super().__init__(base, rank, alpha=alpha, dropout=dropout, generator=generator)
        nn.init.zeros_(self.P)

    def right_factor(self) -> Float[Tensor, "rank in"]:
        """Returns scale · Q."""
        return self.Q * self.scale
