"""Adapted linear layers: a frozen layer plus a trainable low-rank update.

    AdaLoRA   y = W0 x + P diag(lam * scale) Q dropout(x)
    LoRA      y = W0 x + P (scale * Q) dropout(x)

    P      left singular vectors    (*lanes, out, rank)
    lam    singular values          (*lanes, rank)
    Q      right singular vectors   (*lanes, rank, in)
    scale  alpha / initial rank, constant: it does not follow the current rank

AdaLoRA: arXiv 2303.10512, eq. 3; LoRA: arXiv 2106.09685, eq. 3.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F
from typing_extensions import override

from adapters._shapes import Bool, Float, Number
from adapters.bases import widths

INIT_STD = 0.02
"""Standard deviation of the initial entries of P and Q."""


def low_rank_update(
    y: Float[Tensor, "*lanes n out"],
    x: Float[Tensor, "*lanes n in"],
    P: Float[Tensor, "*lanes out rank"],
    right: Float[Tensor, "*lanes rank in"],
) -> Float[Tensor, "*lanes n out"]:
    """Returns y + x rightᵀ Pᵀ.

    `right` includes the factor alpha / rank and the singular values: it is the smallest tensor,
    and the output is then written only once, by the product that adds to it.

    Example:
        >>> y, x = torch.ones(1, 2), torch.tensor([[3.0]])
        >>> low_rank_update(y, x, P=torch.tensor([[1.0], [2.0]]), right=torch.tensor([[0.5]]))
        tensor([[2.5000, 4.0000]])
    """
    h = x @ right.mT
    # Not in place: y may be what a hook captured, or what a view of it would make autograd copy.
    return torch.addmm(y, h, P.mT) if y.dim() == 2 else y + h @ P.mT


def full_precision(tensor: Tensor) -> AbstractContextManager[Any]:
    """Returns a context without autocast on the tensor's device."""
    kind = tensor.device.type
    if torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind):
        return torch.autocast(kind, enabled=False)
    return nullcontext()


class _SVDUpdate(torch.autograd.Function):
    """y + scale · x Qᵀ diag(lam) Pᵀ, in the dtype of y (n, out) and x (n, in).

    A function of its own for its backward pass: one product each for the gradients of P, x,
    diag(lam) Q and lam, with `scale` in the products.
    """

    @staticmethod
    @override
    def forward(
        ctx: Any, y: Tensor, x: Tensor, P: Tensor, lam: Tensor, Q: Tensor, scale: float
    ) -> Tensor:
        with full_precision(y):
            left, right = P.to(y.dtype), (lam.unsqueeze(-1) * Q).to(y.dtype)
            h = x @ right.mT
            ctx.scale, ctx.dtypes = scale, (P.dtype, lam.dtype, Q.dtype)
            ctx.save_for_backward(x, h, left, right, lam, Q)
            return torch.addmm(y, h, left.mT, alpha=scale)

    @staticmethod
    @once_differentiable
    @override
    def backward(ctx: Any, grad: Tensor) -> Any:
        x, h, left, right, lam, Q = ctx.saved_tensors
        with full_precision(grad):
            down = torch.addmm(h, grad, left, beta=0, alpha=ctx.scale)
            P_grad = torch.addmm(left, grad.mT, h, beta=0, alpha=ctx.scale)
            right_grad = (down.mT @ x).to(Q.dtype)
            lam_grad = torch.bmm(right_grad.unsqueeze(1), Q.unsqueeze(2)).flatten()
            Q_grad = lam.unsqueeze(-1) * right_grad
            x_grad = down @ right if ctx.needs_input_grad[1] else None
        return grad, x_grad, *_cast((P_grad, lam_grad, Q_grad), ctx.dtypes), None


def _cast(tensors: Sequence[Tensor], dtypes: Sequence[torch.dtype]) -> list[Tensor]:
    return [tensor.to(dtype) for tensor, dtype in zip(tensors, dtypes, strict=True)]


class AdaptedLinear(nn.Module):
    """Base class of the adapted layers: a linear layer in `base` plus a low-rank update.

    P and Q are drawn from N(0, 0.02²) on the CPU and then moved to the layer's device. They are
    float32 whatever the layer's dtype; the forward pass computes in the dtype of the layer's
    output, also under autocast.

    Args:
        base: The layer to adapt (see bases.py); kept as it is, so that `eject` can restore it.
        rank: Number of triplets, at least 1.
        alpha: Numerator of the constant factor alpha / rank.
        dropout: Dropout probability of the update's input, in [0, 1).
        generator: CPU generator from which P and Q are drawn.

    Example:
        >>> issubclass(SVDLinear, AdaptedLinear), issubclass(LoRALinear, AdaptedLinear)
        (True, True)
    """

    P: nn.Parameter
    Q: nn.Parameter

    def __init__(
        self,
        base: nn.Module,
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
        self.enabled = True
        """Whether the forward pass has the update; `AdaLoraRS.disabled` leaves it out."""
        self.in_features, self.out_features = widths(base)
        on_cpu: dict[str, Any] = {"dtype": torch.float32, "device": "cpu", "generator": generator}
        P = torch.randn(self.out_features, rank, **on_cpu) * INIT_STD
        Q = torch.randn(rank, self.in_features, **on_cpu) * INIT_STD
        self.P = nn.Parameter(P.to(self.weight.device))
        self.Q = nn.Parameter(Q.to(self.weight.device))

    def right_factor(self) -> Float[Tensor, "rank in"]:
        """Returns diag(scale · singular values) Q, the update without P."""
        raise NotImplementedError

    def delta(self) -> Float[Tensor, "out in"]:
        """Returns the update of the layer's weight, P · right_factor(), in float32.

        Autocast does not apply.
        """
        with full_precision(self.P):
            return self.P.float() @ self.right_factor().float()

    @override
    def forward(self, x: Float[Tensor, "*batch in"]) -> Float[Tensor, "*batch out"]:
        """Returns base(x) plus the low-rank update, in the dtype of base(x)."""
        y: Tensor = self.base(x)
        if not self.enabled:
            return y
        h = F.dropout(x, self.dropout, self.training) if self.dropout else x
        rows = h.reshape(-1, h.shape[-1]).to(y.dtype)
        return self.update(y.reshape(-1, y.shape[-1]), rows).view(y.shape)

    def update(
        self, y: Float[Tensor, "n out"], x: Float[Tensor, "n in"]
    ) -> Float[Tensor, "n out"]:
        """Returns y plus the low-rank update of x, in the dtype of both."""
        with full_precision(y):
            return low_rank_update(y, x, self.P.to(y.dtype), self.right_factor().to(y.dtype))

    @property
    def weight(self) -> Tensor:
        """The frozen weight of `base`, as it is stored; some models read its dtype."""
        weight: Tensor = getattr(self.base, "weight")  # noqa: B009
        return weight

    @property
    def bias(self) -> Tensor | None:
        """The frozen bias of `base`."""
        bias: Tensor | None = getattr(self.base, "bias")  # noqa: B009
        return bias

    @override
    def extra_repr(self) -> str:
        """Returns rank, scale and dropout, for `print(model)`."""
        return f"rank={self.rank}, scale={self.scale:g}, dropout={self.dropout:g}"


class SVDLinear(AdaptedLinear):
    """AdaLoRA's layer, W + scale · P diag(lam) Q, with lam initialised to 0.

    The output is initially that of `base`. `mask` is None or a boolean per triplet: singular
    values where it is False are excluded from the forward pass and get no gradient, but keep
    their value.

    Example:
        >>> layer = SVDLinear(nn.Linear(4, 3), rank=2, alpha=4, generator=torch.Generator())
        >>> layer.lam.data = torch.tensor([1.0, 2.0])
        >>> layer.mask = torch.tensor([True, False])
        >>> layer.effective_lam()
        tensor([1., 0.], grad_fn=<MulBackward0>)
        >>> layer.delta().shape
        torch.Size([3, 4])
    """

    lam: nn.Parameter
    mask: Bool[Tensor, "rank"] | None

    def __init__(
        self,
        base: nn.Module,
        rank: int,
        *,
        alpha: Number,
        dropout: Number = 0.0,
        generator: torch.Generator,
    ) -> None:
        super().__init__(base, rank, alpha=alpha, dropout=dropout, generator=generator)
        lam = torch.zeros(rank, dtype=torch.float32, device=self.weight.device)
        self.lam = nn.Parameter(lam)
        self.register_buffer("mask", None)

    @override
    def _load_from_state_dict(
        self, state_dict: Mapping[str, Any], prefix: str, *args: Any
    ) -> None:
        """Creates the mask if the state has one; ignoring it would restore pruned values."""
        if self.mask is None and f"{prefix}mask" in state_dict:
            self.mask = torch.ones_like(self.lam, dtype=torch.bool)
        super()._load_from_state_dict(state_dict, prefix, *args)

    def effective_lam(self) -> Float[Tensor, "rank"]:
        """Returns the singular values used by the forward pass: lam, times the mask if set."""
        return self.lam if self.mask is None else self.lam * self.mask

    @override
    def right_factor(self) -> Float[Tensor, "rank in"]:
        """Returns diag(scale · lam) Q."""
        return (self.effective_lam() * self.scale).unsqueeze(-1) * self.Q

    @override
    def update(
        self, y: Float[Tensor, "n out"], x: Float[Tensor, "n in"]
    ) -> Float[Tensor, "n out"]:
        """Returns y plus the low-rank update of x, in the dtype of both."""
        updated: Tensor = _SVDUpdate.apply(  # type: ignore[no-untyped-call]
            y, x, self.P, self.effective_lam(), self.Q, self.scale
        )
        return updated


class LoRALinear(AdaptedLinear):
    """LoRA's layer, W + scale · P Q, with P initialised to 0.

    Example:
        >>> layer = LoRALinear(nn.Linear(4, 3), rank=2, alpha=4, generator=torch.Generator())
        >>> layer.scale, layer.delta().count_nonzero().item()
        (2.0, 0)
    """

    def __init__(
        self,
        base: nn.Module,
        rank: int,
        *,
        alpha: Number,
        dropout: Number = 0.0,
        generator: torch.Generator,
    ) -> None:
        super().__init__(base, rank, alpha=alpha, dropout=dropout, generator=generator)
        nn.init.zeros_(self.P)

    @override
    def right_factor(self) -> Float[Tensor, "rank in"]:
        """Returns scale · Q."""
        return self.Q * self.scale
