"""Which singular triplets live: importance, budget and chance over a whole model."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import Tensor

from adapters._shapes import Bool, Float, Number
from adapters.budget import CubicBudget
from adapters.importance import LayerGroup, observe
from adapters.masking import event_uniforms, flip, keep_top
from adapters.svd import SVDLinear

PruneMode = Literal["zero", "mask"]
FinalMask = Literal["stochastic", "deterministic"]


class RankAllocator:
    """Prunes and re-introduces singular triplets as training goes on (AdaLoRA+RS).

    Call `step` once per optimizer step, after `optimizer.step()` and before `zero_grad()`. It
    never waits for a GPU. With p = p_reintroduce = 0 it is AdaLoRA's allocator, exactly.

    Triplets are numbered through the model: matrices in the order of `adapters`, and within a
    matrix by their place in lam.

    Args:
        adapters: The adapted layers by name, each of rank `budget.b0`, already on their device.
        budget: When to prune, and down to how many triplets.
        beta1: EMA factor of the sensitivity, in [0, 1).
        beta2: EMA factor of the uncertainty, in [0, 1).
        p: Probability that an event drops a triplet of the budget's choice.
        p_reintroduce: Probability that it keeps another one; None means `p`.
        prune_mode: `zero` sets a pruned singular value to 0, from where it may regrow until T, as
            in AdaLoRA's code. `mask` holds the value back from the forward pass, keeps it from
            the optimizer, and gives it back, bit for bit, when a later event keeps the triplet.
        final_mask: Whether chance has a say at T too: `stochastic`, or `deterministic`.
        mask_seed: Seed of the masks, any integer.

    Raises:
        ValueError: a number is out of range, or adapters and budget do not fit each other.
    """

    def __init__(
        self,
        adapters: Mapping[str, SVDLinear],
        budget: CubicBudget,
        *,
        beta1: Number,
        beta2: Number,
        p: Number,
        p_reintroduce: Number | None = None,
        prune_mode: PruneMode = "zero",
        final_mask: FinalMask = "stochastic",
        mask_seed: int,
    ) -> None:
        self.budget = budget
        self.beta1, self.beta2 = beta1, beta2
        self.p = p
        self.p_reintroduce = p if p_reintroduce is None else p_reintroduce
        self.prune_mode, self.final_mask = prune_mode, final_mask
        self.mask_seed = mask_seed
        self._check(adapters)

        self.t = 0
        """Optimizer steps seen."""
        self.missing_gradients = 0
        """How often a P, lam or Q had no gradient at a step before T, summed over steps."""
        self._modules = dict(adapters)
        self._lams: list[Tensor] = [module.lam for module in adapters.values()]
        self._scores = _Scores(list(adapters.values()))
        device = self._lams[0].device
        self._keep = torch.ones(budget.triplets, dtype=torch.bool, device=device)
        self._stored = torch.zeros(budget.triplets, device=device)
        """What pruned singular values are held at: 0, or in mode `mask` what they were."""
        counts = torch.int16 if budget.triplets < 2**15 else torch.int32
        rows = len(budget.events())
        self._trace = torch.zeros(rows, len(adapters) + 3, dtype=counts, device=device)
        """Per event: kept, reintroduced, dropped, then the rank of every matrix."""
        if prune_mode == "mask":
            self._show(self._keep)

    def _check(self, adapters: Mapping[str, SVDLinear]) -> None:
        for name in ("beta1", "beta2"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"0 <= {name} < 1 must hold, but got {getattr(self, name)}")
        for name in ("p", "p_reintroduce"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"0 <= {name} <= 1 must hold, but got {getattr(self, name)}")
        if len(adapters) != self.budget.matrices:
            raise ValueError(
                f"adapters must be the budget's {self.budget.matrices} matrices, "
                f"but are {len(adapters)}"
            )
        ranks = {module.rank for module in adapters.values()}
        if ranks != {self.budget.b0}:
            raise ValueError(
                f"every adapter must have the budget's rank b0={self.budget.b0}, "
                f"but the ranks are {sorted(ranks)}"
            )

    @torch.no_grad()
    def step(self, *, skipped: bool = False) -> None:
        """Follows one optimizer step: observes its gradients, and prunes when it is time.

        A weight without a gradient is left out of that step's observation and counted in
        `missing_gradients`. A step whose gradients are not finite is counted, not observed.

        Args:
            skipped: Whether the optimizer is known to have left the weights as they were.
        """
        self.t += 1
        if self._is_held():
            self._hold()
        if self.t < self.budget.T and not skipped:
            self.missing_gradients += observe(self._scores.groups, self.beta1, self.beta2)
        if self.budget.is_event(self.t):
            self._event()

    def scores(self) -> Float[Tensor, " n"]:
        """Returns the importance S_i of every triplet, as of the last observed step."""
        return self._scores.triplets()

    def kept(self) -> Bool[Tensor, " n"]:
        """Returns which triplets the last event kept; all of them before the first."""
        return self._keep.clone()

    @torch.no_grad()
    def ranks(self) -> dict[str, int]:
        """Returns the number of non-zero singular values per adapter; waits for the device."""
        return dict(zip(self._modules, self._rank_counts().tolist(), strict=True))

    def rank(self) -> int:
        """Returns the number of non-zero singular values of the model; waits for the device."""
        return sum(self.ranks().values())

    @contextmanager
    def at_final_budget(self) -> Iterator[None]:
        """Shows the model within as the final budget would leave it; afterwards it is as before.

        Before T, lam is masked to the n·bT triplets of the largest scores, whatever the budget is
        at present; chance has no say. From T on nothing changes: that budget is reached.
        """
        if self.t >= self.budget.T:
            yield
            return
        before = [module.mask for module in self._modules.values()]
        self._show(keep_top(self.scores(), self.budget.matrices * self.budget.bT))
        try:
            yield
        finally:
            for module, mask in zip(self._modules.values(), before, strict=True):
                module.mask = mask

    def trace(self) -> list[dict[str, Any]]:
        """Returns what every mask event so far did; waits for the device.

        Per event: `t`; `budget` b(t), the triplets asked for; `kept`, those alive after the
        random mask; `reintroduced`, kept though not of the top b(t); `dropped`, of the top but
        not kept; `ranks`, the non-zero singular values per adapter.
        """
        done = self.budget.event_number(self.t + 1)
        rows = self._trace[:done].tolist()
        return [
            {
                "t": t,
                "budget": budget,
                "kept": kept,
                "reintroduced": reintroduced,
                "dropped": dropped,
                "ranks": dict(zip(self._modules, ranks, strict=True)),
            }
            for (t, budget), (kept, reintroduced, dropped, *ranks) in zip(
                self.budget.events(), rows, strict=False
            )
        ]

    def state_dict(self) -> dict[str, Any]:
        """Returns all that a bit-equal continuation needs beside the model and the optimizer."""
        return {
            "t": self.t,
            "missing_gradients": self.missing_gradients,
            "sensitivity": [group.sensitivity for group in self._scores.groups],
            "uncertainty": [group.uncertainty for group in self._scores.groups],
            "keep": self._keep,
            "stored": self._stored,
            "trace": self._trace,
        }

    @torch.no_grad()
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continues from a state of an allocator with the same adapters and budget.

        Raises:
            ValueError: the state is of another shape.
        """
        mine = self.state_dict()
        _check_state(mine, state)
        for key in ("sensitivity", "uncertainty"):
            for target, source in zip(mine[key], state[key], strict=True):
                target.copy_(source)
        for key in ("keep", "stored", "trace"):
            mine[key].copy_(state[key])
        self.t = int(state["t"])
        self.missing_gradients = int(state["missing_gradients"])
        if self.prune_mode == "mask":
            self._show(self._keep)

    # One mask event

    def _event(self) -> None:
        event = self.budget.event_number(self.t)
        top = keep_top(self.scores(), self.budget.budget(self.t))
        self._keep = self._drawn(top, event)
        if self.prune_mode == "zero":
            self._hold()
        else:
            self._stored = torch.cat(self._lams)
            self._show(self._keep)
        self._record(event, top)

    def _drawn(self, top: Tensor, event: int) -> Tensor:
        last = self.t == self.budget.T
        certain = not self.p and not self.p_reintroduce
        if certain or (last and self.final_mask == "deterministic"):
            return top
        uniforms = event_uniforms(self.mask_seed, event, self.budget.triplets)
        return flip(top, uniforms, self.p, self.p_reintroduce)

    def _record(self, event: int, top: Tensor) -> None:
        keep = self._keep
        counts = torch.stack((keep, keep & ~top, top & ~keep)).sum(-1)
        self._trace[event] = torch.cat((counts, self._rank_counts()))

    def _rank_counts(self) -> Tensor:
        alive = torch.stack(self._lams) != 0
        if self.prune_mode == "mask":
            alive &= self._keep.view_as(alive)
        return alive.sum(-1)

    # What pruning does

    def _is_held(self) -> bool:
        """Whether what the optimizer just did to pruned values is undone."""
        if self.prune_mode == "zero":
            return self.t > self.budget.T
        return self.budget.event_number(self.t) > 0

    def _hold(self) -> None:
        lam = torch.where(self._keep, torch.cat(self._lams), self._stored)
        torch._foreach_copy_(self._lams, self._per_matrix(lam))

    def _show(self, keep: Tensor) -> None:
        for module, mask in zip(self._modules.values(), self._per_matrix(keep), strict=True):
            module.mask = mask

    def _per_matrix(self, flat: Tensor) -> list[Tensor]:
        return list(torch.split(flat, self.budget.b0))


class _Scores:
    """The EMAs of a model's P, lam and Q, grouped by shape, and the scores of its triplets."""

    def __init__(self, layers: Sequence[SVDLinear]) -> None:
        rows: dict[tuple[torch.Size, torch.Size], list[int]] = {}
        for row, layer in enumerate(layers):
            rows.setdefault((layer.P.shape, layer.Q.shape), []).append(row)
        self._layers = [LayerGroup([layers[row] for row in group]) for group in rows.values()]
        self.groups = [weights for group in self._layers for weights in group.weights]
        grouped = torch.tensor([row for group in rows.values() for row in group])
        self._order = torch.argsort(grouped).to(layers[0].lam.device)

    def triplets(self) -> Float[Tensor, " n"]:
        """Returns S_i of every triplet, in the order of the layers."""
        return torch.cat([group.score() for group in self._layers])[self._order].flatten()


def _check_state(mine: Mapping[str, Any], state: Mapping[str, Any]) -> None:
    if mine.keys() != state.keys():
        raise ValueError(
            f"an allocator's state must have the keys {', '.join(mine)}, "
            f"but has {', '.join(map(str, state))}"
        )
    if _shapes(mine) != _shapes(state):
        raise ValueError(
            "an allocator's state must come from the same adapters and budget, "
            f"but its shapes are {_shapes(state)} where {_shapes(mine)} are needed"
        )


def _shapes(state: Mapping[str, Any]) -> list[tuple[int, ...]]:
    tensors = [*state["sensitivity"], *state["uncertainty"]]
    tensors += [state["keep"], state["stored"], state["trace"]]
    return [tuple(tensor.shape) for tensor in tensors]
