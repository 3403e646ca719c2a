"""Numbers of trainable parameters: adapters, head, and everything else."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from torch import nn

from adapters.svd import AdaptedLinear, SVDLinear


@dataclass(frozen=True)
class ParameterCount:
    """Numbers of trainable parameters, with the size of the model for comparison.

    Example:
        >>> count = ParameterCount(vectors=28, values=4, head=6, other=0, backbone=100)
        >>> count.adapter, count.total
        (32, 38)
    """

    vectors: int
    """Entries of P and Q; papers usually report this number."""
    values: int
    """Singular values lam; 0 for LoRA."""
    head: int
    """Parameters of the head."""
    other: int
    """Other trainable parameters: those of the backbone under full fine-tuning."""
    backbone: int
    """Parameters of the model without adapters, frozen or trainable, head included."""

    @property
    def adapter(self) -> int:
        """Entries of P, lam and Q."""
        return self.vectors + self.values

    @property
    def total(self) -> int:
        """All trainable parameters."""
        return self.adapter + self.head + self.other


def count_parameters(
    model: nn.Module,
    adapters: Mapping[str, AdaptedLinear],
    head_parameters: Iterable[nn.Parameter] = (),
    ranks: Mapping[str, int] | None = None,
) -> ParameterCount:
    """Returns the numbers of trainable parameters of a model.

    Args:
        model: The model, on any device, `meta` included.
        adapters: Its adapted layers by name.
        head_parameters: The parameters of the head; duplicates are counted once.
        ranks: Number of triplets to count per adapter, such as `RankAllocator.ranks()` after
            training. None counts all triplets, the number at the start.

    Example:
        >>> model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
        >>> adapters = inject(model, ["0"], 4, alpha=8, generator=torch.Generator())
        >>> count_parameters(model, adapters, model[1].parameters())
        ParameterCount(vectors=28, values=4, head=8, other=0, backbone=23)
        >>> count_parameters(model, adapters, ranks={"0": 1}).adapter
        8
    """
    head = {id(parameter): parameter.numel() for parameter in head_parameters}
    own = {id(p) for m in adapters.values() for n, p in m.named_parameters(recurse=False)}
    counted = {name: m.rank if ranks is None else ranks[name] for name, m in adapters.items()}
    widths = {name: m.P.shape[-2] + m.Q.shape[-1] for name, m in adapters.items()}
    rest = {id(p): p for p in model.parameters() if id(p) not in own}
    return ParameterCount(
        vectors=sum(counted[name] * widths[name] for name in adapters),
        values=sum(counted[n] for n, m in adapters.items() if isinstance(m, SVDLinear)),
        head=sum(head.values()),
        other=sum(p.numel() for k, p in rest.items() if p.requires_grad and k not in head),
        backbone=sum(p.numel() for p in rest.values()),
    )
