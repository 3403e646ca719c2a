"""Rates, adapters, states and steps that a RankAllocator refuses."""

from collections.abc import Mapping
from typing import Any

import torch

from adapters._shapes import Number
from adapters.budget import Budget
from adapters.checks import require, require_numbers
from adapters.svd import SVDLinear


def check_rates(**rates: Number) -> None:
    """Raises ValueError at the first factor not in [0, 1) or probability not in [0, 1]."""
    for name, value in rates.items():
        require_numbers(**{name: value})
        below = "<" if name in ("beta1", "beta2") else "<="
        holds = 0 <= value < 1 or (below == "<=" and value == 1)
        require(holds, f"0 <= {name} {below} 1", **{name: value})


def check_adapters(adapters: Mapping[str, SVDLinear], budget: Budget) -> None:
    """Raises ValueError if adapters are not those of a budget: their number, kind and ranks."""
    if len(adapters) != len(budget.ranks):
        raise ValueError(
            f"adapters must have the budget's {len(budget.ranks)} matrices, but got "
            f"{len(adapters)}; make the budget with matrices=len(adapters)"
        )
    others = {name: m for name, m in adapters.items() if not isinstance(m, SVDLinear)}
    for name, module in others.items():
        raise ValueError(
            f"every adapter must be an SVDLinear, but got {name!r} of type "
            f"{type(module).__name__}; call inject with kind='svd'"
        )
    ranks = [module.rank for module in adapters.values()]
    if ranks != list(budget.ranks):
        own, expected = sorted(set(ranks)), sorted(set(budget.ranks))
        only = f" rank b0={expected[0]}" if len(expected) == 1 else f" ranks {list(budget.ranks)}"
        raise ValueError(
            f"every adapter must have the budget's{only}, but got ranks "
            f"{own if len(expected) == 1 else ranks}; give inject and the budget the same numbers"
        )


def check_state(own: Mapping[str, Any], state: Mapping[str, Any]) -> None:
    """Raises ValueError if a state does not have the keys and shapes of an allocator's own."""
    if own.keys() != state.keys():
        raise ValueError(
            f"an allocator's state must have the keys {', '.join(own)}, but got "
            f"{', '.join(map(str, state))}; load what RankAllocator.state_dict() returned"
        )
    if own["shrunk"] and not (
        state["shrunk"] and torch.equal(own["keep"], state["keep"].to(own["keep"].device))
    ):
        raise ValueError(
            "the state for an allocator that has been shrunk must be of the same triplets, but "
            "got others; load it before shrink()"
        )
    scores: dict[str, Any] = {"sensitivity": [], "uncertainty": []} if state["shrunk"] else {}
    if _shapes({**own, **scores}) != _shapes(state):
        raise ValueError(
            "an allocator's state must come from the same adapters and budget, but got the "
            f"shapes {_shapes(state)} instead of {_shapes(own)}; make the allocator with the "
            "saved run's settings"
        )
    last = own["settings"]["total_steps"]
    for name in ("t", "pruned_at"):
        t = state[name]
        if type(t) is not int or not 0 <= t <= last:
            raise ValueError(
                f"{name} in an allocator's state must be an integer from 0 to {last}, but got "
                f"{name}={t!r}; load what RankAllocator.state_dict() returned"
            )


def _shapes(state: Mapping[str, Any]) -> list[tuple[int, ...]]:
    tensors = [*state["sensitivity"], *state["uncertainty"]]
    tensors += [state[key] for key in ("keep", "stored", "trace", "outcomes", "event_scores")]
    return [tuple(tensor.shape) for tensor in tensors]


class GradientCheck:
    """Refuses a step whose scores would be missing: see RankAllocator.step.

    It only looks whether there are gradients, and does not synchronise with a GPU. Steps from T
    on are not scored. Steps that a loss scaler skipped are not counted, except before the first
    event: without any score it would prune the last triplets of the model.

    Args:
        adapters: The adapted layers by name.
        budget: Steps of the mask events.

    Example:
        >>> layer = SVDLinear(nn.Linear(3, 3), 1, alpha=1, generator=torch.Generator())
        >>> check = GradientCheck({"layer": layer}, CubicBudget(9, b0=1, bT=1, matrices=1))
        >>> layer(torch.ones(3)).sum().backward()
        >>> check.check(1, skipped=False)
    """

    def __init__(self, adapters: Mapping[str, SVDLinear], budget: Budget) -> None:
        self._adapters, self._budget = adapters, budget
        self._called = False
        """Whether a step has shown that the model calls every layer."""
        self._observed: bool | None = False if budget.T > 1 else None
        """Whether a weight had a gradient since the last event; None if there was no step."""

    def check(self, t: int, *, skipped: bool) -> None:
        """Raises ValueError if step t must not be scored."""
        if t < self._budget.T and not skipped:
            self._check_called()
            self._observed = bool(self._observed) or self._any_gradient()
        if self._budget.is_event(t):
            if self._observed is False:
                raise ValueError(
                    f"a mask event must follow a step with gradients, but got none at step {t} or "
                    "since the event before; call step() after backward() and before zero_grad(), "
                    "or raise warmup_steps if the loss scaler skipped all steps"
                )
            self._observed = None

    def resume(self) -> None:
        """Forgets the steps so far: the scores of a resumed run are not empty."""
        self._observed = None

    def _check_called(self) -> None:
        if self._called:
            return
        lams = {name: module.lam for name, module in self._adapters.items()}
        missing = [name for name, lam in lams.items() if lam.requires_grad and lam.grad is None]
        if missing:
            raise ValueError(
                "every adapted layer must have a gradient in the first step, but got none for "
                f"{len(missing)} of {len(lams)}, such as {missing[0]!r}; call step() after "
                "backward() and before zero_grad(), and adapt only layers that the model calls"
            )
        self._called = True

    def _any_gradient(self) -> bool:
        return any(
            weight.grad is not None
            for module in self._adapters.values()
            for weight in (module.lam, module.P, module.Q)
        )
