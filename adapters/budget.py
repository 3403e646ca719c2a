"""Number of singular triplets that the whole model may keep after each optimizer step.

The cubic schedule of AdaLoRA (arXiv 2303.10512, eq. 12), in exact integer arithmetic:

    b(t) = floor( B_T + (B_0 - B_T) (1 - (t - t_i) / (T - t_i))³ )

    t    optimizer step, from 1        t_i  warm-up steps        T  step of the last mask event
    B_0 = n · b0 and B_T = n · bT triplets, over n adapted matrices
"""

from dataclasses import dataclass
from typing import Literal

from adapters._shapes import Number
from adapters.checks import require, require_integers, require_numbers

Phase = Literal["warmup", "pruning", "final"]


@dataclass(frozen=True, slots=True)
class CubicBudget:
    """Budget of a run of `total_steps` optimizer steps, and the steps of its mask events.

    Between warm-up and T the budget falls from n·b0 to n·bT triplets of the whole model. It is
    enforced at the mask events: every `deltaT` steps, and at T.

    Raises:
        ValueError: a field is out of its range.

    Example:
        >>> budget = CubicBudget(100, b0=8, bT=4, matrices=2, final_fraction=0.2, deltaT=30)
        >>> budget.T, budget.budget(10)
        (80, 13)
        >>> budget.events()  # (step, triplets)
        [(30, 9), (60, 8), (80, 8)]
    """

    total_steps: int
    """T_total, at least 1."""
    b0: int
    """Triplets per matrix at the start."""
    bT: int
    """Average triplets per matrix at the end, 1 to `b0`."""
    matrices: int
    """Number of adapted matrices n, at least 1."""
    final_fraction: Number = 0.0
    """(T_total - T) / T_total, in [0, 1): share of the run after the last mask event."""
    warmup_steps: int = 0
    """t_i in [0, T): no mask event at or before this step. AdaLoRA+RS has 0."""
    deltaT: int = 1
    """Steps between mask events, at least 1. If it exceeds T, the event at T is the only one."""

    def __post_init__(self) -> None:
        require_integers(
            total_steps=self.total_steps,
            b0=self.b0,
            bT=self.bT,
            matrices=self.matrices,
            warmup_steps=self.warmup_steps,
            deltaT=self.deltaT,
        )
        require_numbers(final_fraction=self.final_fraction)
        require(self.total_steps >= 1, "total_steps >= 1", total_steps=self.total_steps)
        require(self.matrices >= 1, "matrices >= 1", matrices=self.matrices)
        require(1 <= self.bT <= self.b0, "1 <= bT <= b0", bT=self.bT, b0=self.b0)
        require(
            0 <= self.final_fraction < 1,
            "0 <= final_fraction < 1",
            final_fraction=self.final_fraction,
        )
        require(self.T >= 1, "T = round((1 - final_fraction) total_steps) >= 1", T=self.T)
        require(
            0 <= self.warmup_steps < self.T,
            "0 <= warmup_steps < T",
            warmup_steps=self.warmup_steps,
            T=self.T,
        )
        require(self.deltaT >= 1, "deltaT >= 1", deltaT=self.deltaT)

    @property
    def T(self) -> int:  # noqa: N802
        """Step of the last mask event, which always takes place."""
        return round((1 - self.final_fraction) * self.total_steps)

    @property
    def triplets(self) -> int:
        """B_0, the number of triplets of the whole model."""
        return self.matrices * self.b0

    def phase(self, t: int) -> Phase:
        """Returns `warmup` up to step t_i, `pruning` up to and including T, then `final`."""
        if t <= self.warmup_steps:
            return "warmup"
        return "pruning" if t <= self.T else "final"

    def budget(self, t: int) -> int:
        """Returns b(t), in triplets of the whole model."""
        if t <= self.warmup_steps:
            return self.triplets
        end = self.matrices * self.bT
        left, span = max(0, self.T - t), self.T - self.warmup_steps
        return end + (self.triplets - end) * left**3 // span**3

    def is_event(self, t: int) -> bool:
        """Returns whether a mask event follows step t."""
        if t == self.T:
            return True
        return t % self.deltaT == 0 and self.warmup_steps < t < self.T

    def event_number(self, t: int) -> int:
        """Returns the number of mask events before step t."""
        last = min(t, self.T) - 1
        regular = max(0, last // self.deltaT - self.warmup_steps // self.deltaT)
        return regular + (t > self.T)

    def events(self) -> list[tuple[int, int]]:
        """Returns (t, b(t)) of every mask event, in order."""
        first = (self.warmup_steps // self.deltaT + 1) * self.deltaT
        steps = [*range(first, self.T, self.deltaT), self.T]
        return [(t, self.budget(t)) for t in steps]
