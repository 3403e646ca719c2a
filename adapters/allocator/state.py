"""Settings and state of a RankAllocator, as numbers, lists and tensors."""

from collections.abc import Mapping
from dataclasses import asdict
from numbers import Integral
from typing import Any

import torch

from adapters._shapes import Number
from adapters.allocator.checks import GradientCheck, check_state
from adapters.allocator.importance import Scores
from adapters.allocator.pruning import Pruning
from adapters.budget import Budget
from adapters.checks import check_settings
from adapters.masking import EventRecord
from adapters.svd import SVDLinear

_RATES = ("beta1", "beta2", "p", "p_reintroduce", "mask_seed")
_NEW_KEYS: dict[str, Any] = {"pruned_at": 0, "shrunk": False}
"""What states of older versions do not have."""


class AllocatorState:
    """Base class of RankAllocator: what it consists of, and saving and loading that."""

    budget: Budget
    beta1: Number
    beta2: Number
    p: Number
    p_reintroduce: Number
    prune_mode: str
    final_mask: str
    score_loss: str
    mask_seed: int
    t: int
    """Number of optimizer steps so far."""
    pruned_at: int
    """The step at which `prune_now` ended the allocation; 0 if it did not."""
    missing_gradients: int
    """Number of times that a P, lam or Q had no gradient at a step before T."""
    _modules: dict[str, SVDLinear]
    _scores: Scores
    _pruning: Pruning
    _record: EventRecord
    _gradients: GradientCheck

    def settings(self) -> dict[str, Any]:
        """Returns the settings of a run: layers, scales, schedule, rates, modes, seed."""
        budget: Any = self.budget
        numbers = asdict(budget) | {name: getattr(self, name) for name in _RATES}
        return {
            "adapters": list(self._modules),
            "scales": [float(module.scale) for module in self._modules.values()],
            **{name: _plain(number) for name, number in numbers.items()},
            "prune_mode": self.prune_mode,
            "final_mask": self.final_mask,
            "score_loss": self.score_loss,
        }

    def state_dict(self) -> dict[str, Any]:
        """Returns the state needed, with those of model and optimizer, for a bit-equal resume.

        The tensors are not copies: 8 bytes per entry of P, lam and Q, 1 per event and triplet.
        """
        return {
            "settings": self.settings(),
            "t": self.t,
            "pruned_at": self.pruned_at,
            "shrunk": self._pruning.shrunk,
            "missing_gradients": self.missing_gradients,
            "sensitivity": [group.sensitivity for group in self._scores.groups],
            "uncertainty": [group.uncertainty for group in self._scores.groups],
            "keep": self._pruning.keep,
            "stored": self._pruning.stored,
            **self._record.state(),
        }

    @torch.no_grad()
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Copies in the state of an allocator with the same adapters, budget and settings.

        The state of a shrunk model also shrinks this one: load it before the model's weights.

        Raises:
            ValueError: it has other settings, keys, shapes or steps. The allocator is unchanged.
        """
        own = self.state_dict()
        state = {"settings": {}, **_NEW_KEYS, **self._record.unknown(), **state}
        # A version that did not save score_loss scored the total loss.
        check_settings(own["settings"], {"score_loss": "total", **state["settings"]})
        check_state(own, state)
        for key in ("keep", "stored", *self._record.state()):
            own[key].copy_(state[key])
        self.t, self.pruned_at = int(state["t"]), int(state["pruned_at"])
        self.missing_gradients = int(state["missing_gradients"])
        self._gradients.resume()
        if state["shrunk"] and not self._pruning.shrunk:
            self._pruning.shrink(None)
            self._scores.release()
        self._pruning.load()
        for key in ("sensitivity", "uncertainty"):
            for target, source in zip(self.state_dict()[key], state[key], strict=True):
                target.copy_(source)


def _plain(number: Any) -> Any:
    """Returns a number, or those of a tuple, as JSON reads them."""
    if isinstance(number, tuple):
        return [int(own) for own in number]
    return int(number) if isinstance(number, Integral) else float(number)
