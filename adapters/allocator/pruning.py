"""The triplets that are kept, the values of those that are not, and the removal of the latter."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import Tensor, nn

from adapters._shapes import Bool, Int
from adapters.svd import SVDLinear

PruneMode = Literal["zero", "mask"]


class Pruning:
    """Sets the singular values of a model by which triplets are kept, without synchronising.

    Args:
        modules: The adapted layers, in order.
        mode: `zero` or `mask`, see RankAllocator.
    """

    def __init__(self, modules: Sequence[SVDLinear], mode: PruneMode) -> None:
        self._modules, self._mode = list(modules), mode
        self._lams: list[Tensor] = [module.lam for module in modules]
        self._ranks = [module.rank for module in modules]
        device = self._lams[0].device
        count = sum(self._ranks)
        self.keep: Bool[Tensor, " n"] = torch.ones(count, dtype=torch.bool, device=device)
        """The triplets that the last event kept, in the numbers of the start."""
        self.stored = torch.zeros(count, dtype=torch.float32, device=device)
        """Values of the pruned entries of lam: 0, or in mode `mask` those before the event."""
        self.shrunk = False
        """Whether the pruned triplets have been removed."""
        ends = torch.tensor(self._ranks, device="cpu").cumsum(0) - 1
        self._ends = ends.to(device)
        if mode == "mask":
            self._set_masks(self.keep)

    def apply(self, keep: Bool[Tensor, " n"]) -> None:
        """Prunes all triplets but those to keep."""
        self.keep = keep
        if self._mode == "zero":
            self.reset()
        else:
            self.stored = torch.cat(self._lams)
            self._set_masks(keep)

    def reset(self) -> None:
        """Undoes what an optimizer step has done to pruned values."""
        if not self.shrunk:
            lam = torch.where(self.keep, torch.cat(self._lams), self.stored)
            torch._foreach_copy_(self._lams, self._per_matrix(lam))

    def load(self) -> None:
        """Applies `keep` after a state has been copied into it."""
        if self._mode == "mask" and not self.shrunk:
            self._set_masks(self.keep)

    def rank_counts(self) -> Int[Tensor, " matrices"]:
        """Returns the number of non-zero singular values of every matrix."""
        if self.shrunk:
            return torch.stack([lam.count_nonzero() for lam in self._lams])
        nonzero = torch.cat(self._lams) != 0
        if self._mode == "mask":
            nonzero &= self.keep
        return nonzero.cumsum(0)[self._ends].diff(prepend=torch.zeros_like(self._ends[:1]))

    @contextmanager
    def only(self, keep: Bool[Tensor, " n"]) -> Iterator[None]:
        """Excludes all triplets but those to keep from the forward pass within the context."""
        before = [module.mask for module in self._modules]
        self._set_masks(keep)
        try:
            yield
        finally:
            for module, mask in zip(self._modules, before, strict=True):
                module.mask = mask

    def shrink(self, optimizer: torch.optim.Optimizer | None) -> None:
        """Removes the pruned triplets from the layers and from an optimizer's state."""
        states: Mapping[Any, Any] = {} if optimizer is None else optimizer.state
        kept = [mask.nonzero()[:, 0] for mask in self._per_matrix(self.keep)]
        _check_states(self._modules, states)
        for module, rows in zip(self._modules, kept, strict=True):
            for weight, dim in ((module.P, -1), (module.lam, -1), (module.Q, -2)):
                _cut(weight, dim, rows, states.get(weight, {}))
            module.rank, module.mask = len(rows), None
        self.shrunk = True

    def _set_masks(self, keep: Tensor) -> None:
        for module, mask in zip(self._modules, self._per_matrix(keep), strict=True):
            module.mask = mask

    def _per_matrix(self, flat: Tensor) -> list[Tensor]:
        return list(torch.split(flat, self._ranks))


def _check_states(modules: Sequence[SVDLinear], states: Mapping[Any, Any]) -> None:
    """Raises ValueError if an optimizer's state is neither one number nor one per entry."""
    for module in modules:
        for weight in (module.P, module.lam, module.Q):
            for key, value in states.get(weight, {}).items():
                if isinstance(value, Tensor) and value.dim() and value.shape != weight.shape:
                    raise ValueError(
                        "the optimizer's state must have one number per entry of a weight, but "
                        f"got {key} of the shape {tuple(value.shape)} for a weight of "
                        f"{tuple(weight.shape)}; make a new optimizer after shrink()"
                    )


def _cut(weight: nn.Parameter, dim: int, rows: Tensor, state: Any) -> None:
    """Leaves some triplets of a weight, of its gradient and of its optimizer's state.

    The parameter is the same object as before, so that the optimizer continues with it.
    """
    shape = weight.shape
    weight.data = weight.data.index_select(dim, rows)
    if weight.grad is not None:
        weight.grad = weight.grad.index_select(dim, rows)
    for key, value in state.items():
        if isinstance(value, Tensor) and value.dim() and value.shape == shape:
            state[key] = value.index_select(dim, rows)
