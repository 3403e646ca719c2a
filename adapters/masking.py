"""Triplets kept by a mask event: those with the largest scores, then a Bernoulli mask; the record.

Equation 1 of the AdaLoRA+RS paper, with R_i ~ Bernoulli, independent per triplet and event:

    a top triplet is dropped        with probability p
    any other triplet is kept       with probability p_reintroduce   (= p in the paper)

This is the only source of randomness in the allocation. Triplet i of event e has the uniform

    u_i = (mix(key + (i + 1) GOLDEN) >> 11) / 2**53
    key = mix(mix(seed + GOLDEN) + (e + 1) GOLDEN)

where `mix` is the output function of splitmix64 (Steele, Lea, Flood 2014) and all arithmetic is
modulo 2**64. It is computed on the CPU and depends on (seed, e, i) only: there is no generator
state to save, and it is the same on every device, after a resume, and for every p.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from adapters._shapes import Bool, Float, Int, Int8, Number
from adapters.budget import Budget

KEPT, TOP = 1, 2
"""Bits of a triplet's outcome at a mask event: kept, and among the top b(t)."""
GOLDEN = 0x9E3779B97F4A7C15
_FIRST, _SECOND = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_WORD = 1 << 64


def keep_top(
    scores: Float[Tensor, "*lanes n"], budget: int, costs: Int[Tensor, " n"] | None = None
) -> Bool[Tensor, "*lanes n"]:
    """Returns a mask of the `budget` largest scores per lane; of equal ones the lower index wins.

    Args:
        scores: The importance score of every triplet.
        budget: Number of triplets, or if they have costs the most that the chosen ones may cost.
        costs: Cost of every triplet. Triplets are then chosen by score / cost, the largest first,
            until the next one costs more than is left.

    Example:
        >>> keep_top(torch.tensor([0.5, 2.0, 0.5, 1.0]), budget=3)
        tensor([ True,  True, False,  True])
        >>> keep_top(torch.tensor([0.5, 2.0, 0.5, 1.0]), 5, costs=torch.tensor([1, 5, 2, 2]))
        tensor([ True, False, False,  True])
    """
    ranked = scores if costs is None else scores / costs
    order = torch.sort(ranked, dim=-1, descending=True, stable=True).indices
    top = torch.zeros_like(scores, dtype=torch.bool)
    if costs is None:
        return top.scatter_(-1, order[..., :budget], True)
    return top.scatter_(-1, order, costs[order].cumsum(-1) <= budget)


def flip(
    top: Bool[Tensor, "*lanes n"],
    uniforms: Float[Tensor, "*lanes n"],
    p: Number,
    p_reintroduce: Number,
) -> Bool[Tensor, "*lanes n"]:
    """Returns which triplets are kept after the Bernoulli mask (equation 1).

    Args:
        top: The triplets chosen by `keep_top`, on any device.
        uniforms: One uniform in [0, 1) per triplet, on the CPU.
        p: Probability of dropping a top triplet.
        p_reintroduce: Probability of keeping any other triplet.

    Example:
        >>> top = torch.tensor([True, True, False, False])
        >>> flip(top, torch.tensor([0.05, 0.5, 0.05, 0.5]), p=0.1, p_reintroduce=0.1)
        tensor([False,  True,  True, False])
    """
    kept = torch.stack((uniforms >= p, uniforms < p_reintroduce))
    top_kept, others_kept = kept.to(top.device, non_blocking=True)
    return torch.where(top, top_kept, others_kept)


def event_uniforms(seed: int, event: int, n: int) -> Float[Tensor, " n"]:
    """Returns the float64 uniforms in [0, 1) of event number `event` for triplets 0 … n-1.

    Example:
        >>> event_uniforms(seed=0, event=0, n=3)
        tensor([0.1387, 0.9711, 0.2778], dtype=torch.float64)
    """
    key = _mix_int(_mix_int(seed + GOLDEN) + (event + 1) * GOLDEN)
    state = torch.arange(1, n + 1, device="cpu") * _signed(GOLDEN) + _signed(key)
    state = (state ^ _shift(state, 30)) * _signed(_FIRST)
    state = (state ^ _shift(state, 27)) * _signed(_SECOND)
    return _shift(state ^ _shift(state, 31), 11).double() * 2.0**-53


def _mix_int(state: int) -> int:
    state %= _WORD
    state = (state ^ (state >> 30)) * _FIRST % _WORD
    state = (state ^ (state >> 27)) * _SECOND % _WORD
    return state ^ (state >> 31)


def _signed(word: int) -> int:
    """Returns the int64 with the bits of a 64-bit word; int64 products wrap modulo 2**64."""
    word %= _WORD
    return word - _WORD if word >= _WORD // 2 else word


def _shift(state: Tensor, bits: int) -> Tensor:
    """Shifts right and fills with zeros; int64's own shift would repeat the sign bit."""
    return (state >> bits) & ((1 << (64 - bits)) - 1)


class MaskEvents(NamedTuple):
    """Which triplets the mask events of a run kept, on the CPU."""

    steps: list[int]
    """The step of every event so far."""
    outcomes: Int8[Tensor, "events n"]
    """`KEPT` + `TOP`: 3 kept, 2 dropped, 1 re-introduced, 0 pruned. -1 for events before a state
    of an older version, which does not have them, was loaded."""
    scored: list[int]
    """The places in `steps` of the first, the middle and the last event, those so far."""
    scores: Float[Tensor, "scored n"]
    """The importance scores at these events; -1 where `outcomes` is."""


class EventRecord:
    """Numbers of the mask events, kept on the device: writing them synchronises nothing.

    Args:
        budget: Steps of the mask events.
        adapters: Names of the adapted layers.
        device: Device of the adapters.
    """

    def __init__(self, budget: Budget, adapters: Sequence[str], device: torch.device) -> None:
        self._budget, self._adapters = budget, adapters
        dtype = torch.int16 if budget.triplets < 2**15 else torch.int32
        rows = len(budget.events())
        self.counts = torch.zeros(rows, len(adapters) + 3, dtype=dtype, device=device)
        """Per event: kept, reintroduced, dropped, then the rank of every matrix."""
        self.shares = torch.full((rows,), -1, dtype=torch.float32, device=device)
        """Per event: the penalty's share of the median score; -1: unknown."""
        self.outcomes = torch.full((rows, budget.triplets), -1, dtype=torch.int8, device=device)
        """Per event and triplet: `KEPT` + `TOP`; -1: unknown."""
        self.scored = sorted({0, (rows - 1) // 2, rows - 1})
        """The events whose scores are recorded: the first, the middle and the last one."""
        self.scores = torch.full(
            (len(self.scored), budget.triplets), -1, dtype=torch.float32, device=device
        )
        """Per event of `scored` and triplet: the importance score; -1: unknown."""

    def state(self) -> dict[str, Tensor]:
        """Returns the tensors of the record by their names in an allocator's state."""
        return {
            "trace": self.counts,
            "penalty_shares": self.shares,
            "outcomes": self.outcomes,
            "event_scores": self.scores,
        }

    def unknown(self) -> dict[str, Tensor]:
        """Returns the tensors that states of older versions do not have, without a value."""
        return {
            "penalty_shares": torch.full_like(self.shares, -1),
            "outcomes": torch.full_like(self.outcomes, -1),
            "event_scores": torch.full_like(self.scores, -1),
        }

    def write(self, event: int, scores: Tensor, top: Tensor, keep: Tensor, ranks: Tensor) -> None:
        """Records scores, top and kept triplets of an event, and the ranks after it."""
        counts = torch.stack((keep, keep & ~top, top & ~keep)).sum(-1)
        self.counts[event] = torch.cat((counts, ranks))
        self.outcomes[event] = KEPT * keep + TOP * top
        if event in self.scored:
            self.scores[self.scored.index(event)] = scores

    def read(self, t: int, pruned_at: int = 0) -> list[dict[str, Any]]:
        """Returns one dict per event up to step t, as RankAllocator.trace does; synchronises."""
        counts, shares = self.counts.tolist(), self.shares.tolist()
        read = []
        for row, step, budget in self._rows(t, pruned_at):
            kept, reintroduced, dropped, *ranks = counts[row]
            read.append(
                {
                    "t": step,
                    "budget": budget,
                    "kept": kept,
                    "reintroduced": reintroduced,
                    "dropped": dropped,
                    "ranks": dict(zip(self._adapters, ranks, strict=True)),
                    "penalty_share": None if shares[row] < 0 else round(shares[row], 3),
                }
            )
        return read

    def mask_events(self, t: int, pruned_at: int = 0) -> MaskEvents:
        """Returns the events up to step t; synchronises."""
        rows = [row for row, _, _ in self._rows(t, pruned_at)]
        scored = [row for row in rows if row in self.scored]
        return MaskEvents(
            steps=[step for _, step, _ in self._rows(t, pruned_at)],
            outcomes=self.outcomes[rows].cpu(),
            scored=[rows.index(row) for row in scored],
            scores=self.scores[[self.scored.index(row) for row in scored]].cpu(),
        )

    def _rows(self, t: int, pruned_at: int) -> list[tuple[int, int, int]]:
        """Returns row, step and budget of every event up to step t.

        `prune_now` at step `pruned_at` (0: never) took the row of the event at T.
        """
        events = self._budget.events()
        done = self._budget.event_number((pruned_at or t) + 1)
        rows = [(row, step, budget) for row, (step, budget) in enumerate(events[:done])]
        last = [(len(events) - 1, pruned_at, self._budget.end)] if pruned_at else []
        return rows + last
