"""How many parameters train: adapters, head and total apart, the head once."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from torch import nn

from adapters.svd import AdaptedLinear, SVDLinear


@dataclass(frozen=True)
class ParameterCount:
    """Numbers of trainable parameters, and the model's size for comparison."""

    vectors: int
    """Entries of P and Q: what papers call the adapter's parameters."""
    values: int
    """Singular values lam; 0 for LoRA."""
    head: int
    other: int
    """Trainable parameters of neither adapters nor head: the backbone under full fine-tuning."""
    backbone: int
    """Parameters of the model without its adapters, frozen or not, the head included."""

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
    """Returns what of a model trains.

    Args:
        model: The model, on any device; `meta` will do.
        adapters: Its adapted layers by name.
        head_parameters: The head's parameters; each counts once however often it is given.
        ranks: Live triplets per adapter, `RankAllocator.ranks()`: counts what is kept. None
            counts every triplet: the initial number.
    """
    head = {id(parameter): parameter.numel() for parameter in head_parameters}
    own = {id(p) for m in adapters.values() for n, p in m.named_parameters(recurse=False)}
    live = {name: m.rank if ranks is None else ranks[name] for name, m in adapters.items()}
    widths = {name: m.P.shape[-2] + m.Q.shape[-1] for name, m in adapters.items()}
    rest = {id(p): p for p in model.parameters() if id(p) not in own}
    return ParameterCount(
        vectors=sum(live[name] * widths[name] for name in adapters),
        values=sum(live[n] for n, m in adapters.items() if isinstance(m, SVDLinear)),
        head=sum(head.values()),
        other=sum(p.numel() for k, p in rest.items() if p.requires_grad and k not in head),
        backbone=sum(p.numel() for p in rest.values()),
    )
