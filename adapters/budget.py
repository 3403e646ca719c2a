"""Budget of the whole model after each optimizer step: singular triplets, or parameters.

The cubic schedule of AdaLoRA (arXiv 2303.10512, eq. 12), in exact integer arithmetic:

    b(t) = floor( B_T + (B_0 - B_T) (1 - (t - t_i) / (T - t_i))³ )

    t    optimizer step, from 1        t_i  warm-up steps        T  step of the last mask event

             unit          B_0                         B_T
    CubicBudget      triplets      n · b0, or the sum of b0    n · bT    over n adapted matrices
    ParameterBudget  parameters    Σ over matrices of r c      bT        rank r, c = in + out + 1
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from typing_extensions import override

from adapters._shapes import Counts, Number
from adapters.checks import require, require_integers, require_numbers
from adapters.svd import SVDLinear

Phase = Literal["warmup", "pruning", "final"]


class Budget:
    """Budget of a run of `total_steps` optimizer steps, enforced every `deltaT` steps and at T.

    Example:
        >>> issubclass(CubicBudget, Budget), issubclass(ParameterBudget, Budget)
        (True, True)
    """

    __slots__ = ()
    total_steps: int
    final_fraction: Number
    warmup_steps: int
    deltaT: int
    bT: int

    @property
    def ranks(self) -> Counts:
        """Triplets of every matrix at the start."""
        raise NotImplementedError

    @property
    def costs(self) -> Counts | None:
        """What a triplet of every matrix takes of the budget; None: 1."""
        raise NotImplementedError

    @property
    def end(self) -> int:
        """B_T, the budget at T."""
        raise NotImplementedError

    @property
    def start(self) -> int:
        """B_0, the budget up to the end of the warm-up: all triplets."""
        return sum(r * c for r, c in zip(self.ranks, self.costs or self._ones(), strict=True))

    @property
    def triplets(self) -> int:
        """Number of triplets of the whole model at the start."""
        return sum(self.ranks)

    @property
    def T(self) -> int:  # noqa: N802
        """Step of the last mask event, which always takes place."""
        return round((1 - self.final_fraction) * self.total_steps)

    def phase(self, t: int) -> Phase:
        """Returns `warmup` up to step t_i, `pruning` up to and including T, then `final`."""
        if t <= self.warmup_steps:
            return "warmup"
        return "pruning" if t <= self.T else "final"

    def budget(self, t: int) -> int:
        """Returns b(t), for the whole model."""
        start, end = self.start, self.end
        if t <= self.warmup_steps:
            return start
        left, span = max(0, self.T - t), self.T - self.warmup_steps
        return end + (start - end) * left**3 // span**3

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

    def _ones(self) -> Counts:
        return (1,) * len(self.ranks)

    def _check_steps(self) -> None:
        require_integers(
            total_steps=self.total_steps, warmup_steps=self.warmup_steps, deltaT=self.deltaT
        )
        require_numbers(final_fraction=self.final_fraction)
        require(self.total_steps >= 1, "total_steps >= 1", total_steps=self.total_steps)
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


@dataclass(frozen=True, slots=True)
class CubicBudget(Budget):
    """Budget in triplets, which falls from n·b0 to n·bT over n adapted matrices.

    Raises:
        ValueError: a field is out of its range.

    Example:
        >>> budget = CubicBudget(100, b0=8, bT=4, matrices=2, final_fraction=0.2, deltaT=30)
        >>> budget.T, budget.budget(10)
        (80, 13)
        >>> budget.events()  # (step, triplets)
        [(30, 9), (60, 8), (80, 8)]
        >>> CubicBudget(100, b0=(2, 6), bT=1, matrices=2).budget(100)
        2
    """

    total_steps: int
    """T_total, at least 1."""
    b0: int | Counts
    """Triplets per matrix at the start; those of every matrix, in order, if they differ."""
    bT: int
    """Average triplets per matrix at the end, 1 to (the average of) `b0`."""
    matrices: int
    """Number of adapted matrices n, at least 1."""
    final_fraction: Number = 0.0
    """(T_total - T) / T_total, in [0, 1): share of the run after the last mask event."""
    warmup_steps: int = 0
    """t_i in [0, T): no mask event at or before this step. AdaLoRA+RS has 0."""
    deltaT: int = 1
    """Steps between mask events, at least 1. If it exceeds T, the event at T is the only one."""

    def __post_init__(self) -> None:
        require_integers(bT=self.bT, matrices=self.matrices)
        require(self.matrices >= 1, "matrices >= 1", matrices=self.matrices)
        if not isinstance(self.b0, tuple):
            require_integers(b0=self.b0)
            require(1 <= self.bT <= self.b0, "1 <= bT <= b0", bT=self.bT, b0=self.b0)
        else:
            _check_ranks("b0", self.b0)
            one_each = len(self.b0) == self.matrices
            require(one_each, "b0 of every matrix", b0=self.b0, matrices=self.matrices)
            fits = self.bT >= 1 and self.matrices * self.bT <= sum(self.b0)
            require(fits, "1 <= bT <= mean of b0", bT=self.bT, b0=self.b0)
        self._check_steps()

    @property
    @override
    def ranks(self) -> Counts:
        """Triplets of every matrix at the start."""
        return self.b0 if isinstance(self.b0, tuple) else (self.b0,) * self.matrices

    @property
    @override
    def costs(self) -> None:
        """None: every triplet takes 1 of the budget."""
        return

    @property
    @override
    def end(self) -> int:
        """n · bT."""
        return self.matrices * self.bT


@dataclass(frozen=True, slots=True)
class ParameterBudget(Budget):
    """Budget in parameters: a triplet of a wide matrix takes more of it than one of a narrow one.

    A mask event sorts the triplets by their score per parameter, S_i / c_i (of equal ones the
    lower index comes first), and chooses them in this order for as long as the sum of their
    parameters is at most b(t). If all triplets have the same number of parameters c, these are
    the triplets of a budget of floor(b(t) / c) triplets.

    Raises:
        ValueError: a field is out of its range.

    Example:
        >>> budget = ParameterBudget(100, bT=24, ranks=(4, 2), costs=(12, 24))
        >>> budget.start, budget.budget(50), budget.budget(100)
        (96, 33, 24)
    """

    total_steps: int
    """T_total, at least 1."""
    bT: int
    """Parameters of all adapters at the end: at least those of one triplet of the widest matrix,
    at most those at the start."""
    ranks: Counts = field()
    """Triplets of every matrix at the start, in order."""
    costs: Counts = field()
    """Parameters of a triplet of every matrix: in + out + 1."""
    final_fraction: Number = 0.0
    """As in CubicBudget, and so are the next fields."""
    warmup_steps: int = 0
    deltaT: int = 1

    @classmethod
    def of(
        cls, adapters: Mapping[str, SVDLinear], total_steps: int, bT: int, **schedule: Any
    ) -> "ParameterBudget":
        """Returns the budget of adapted layers with their ranks; counts P, lam and Q.

        Example:
            >>> model = nn.Sequential(nn.Linear(8, 3), nn.Linear(3, 8))
            >>> adapters = inject(model, ["0", "1"], 4, alpha=4, generator=torch.Generator())
            >>> ParameterBudget.of(adapters, 100, bT=48, deltaT=10).costs
            (12, 12)
        """
        ranks = tuple(module.rank for module in adapters.values())
        costs = tuple(m.in_features + m.out_features + 1 for m in adapters.values())
        return cls(total_steps, bT, ranks, costs, **schedule)

    def __post_init__(self) -> None:
        require_integers(bT=self.bT)
        _check_ranks("ranks", self.ranks)
        _check_ranks("costs", self.costs)
        one_each = len(self.ranks) == len(self.costs)
        rule = "ranks and costs of every matrix"
        require(one_each, rule, ranks=self.ranks, costs=self.costs)
        rule = "parameters of the widest triplet <= bT <= parameters at the start"
        fits = max(self.costs) <= self.bT <= self.start
        require(fits, rule, bT=self.bT, widest=max(self.costs), start=self.start)
        self._check_steps()

    @property
    @override
    def end(self) -> int:
        """Parameters at T, `bT`."""
        return self.bT


def interval(deltaT: Number, total_steps: int, final_fraction: Number) -> int:
    """Returns the steps between mask events; `deltaT` may be a fraction of T in (0, 1).

    Raises:
        ValueError: it is neither an int nor such a fraction.

    Example:
        >>> interval(100, 1000, 0.25), interval(0.1, 1000, 0.25)
        (100, 75)
    """
    require_numbers(deltaT=deltaT, final_fraction=final_fraction)
    if isinstance(deltaT, int):
        return deltaT
    if not 0 < deltaT < 1:
        raise ValueError(f"deltaT must be an int or a fraction in (0, 1), but got deltaT={deltaT}")
    return max(1, round(deltaT * round((1 - final_fraction) * total_steps)))


def check_events(budget: Budget) -> None:
    """Raises ValueError if no mask event comes before T: nothing would be allocated in training.

    Example:
        >>> check_events(CubicBudget(100, b0=8, bT=4, matrices=2, deltaT=30))
    """
    if len(budget.events()) == 1:
        raise ValueError(
            f"a mask event must come before T={budget.T} (of {budget.total_steps} steps), but got "
            f"none with deltaT={budget.deltaT} and warmup_steps={budget.warmup_steps}; lower "
            "deltaT (a fraction such as 0.05 is relative to T), or train longer"
        )


def _check_ranks(name: str, values: Counts) -> None:
    require(len(values) >= 1, f"{name} of at least one matrix", **{name: values})
    for value in values:
        require_integers(**{name: value})
        require(value >= 1, f"{name} >= 1", **{name: value})
