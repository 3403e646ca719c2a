"""What one mask costs: other masks at the same event, evaluated on dev at once.

At chosen mask events, before the event's own mask is applied, the model is evaluated on dev

    without a random mask    only the triplets with the largest scores
    with K other masks       drawn as the event's own, with other seeds
    without re-introduction  each of these without the triplets outside the budget

Then the event's own mask is applied and the training goes on, bit for bit as without the probe.
`mask_cost` is how much worse the score is with a random mask than without one, right after the
event; `reintroduction_cost` is how much worse it is than without the re-introduced triplets. Both
are means over the K masks, in units of the objective, positive if the mask costs. Their standard
errors are over the masks: they are about this state of this trial on these rows of dev.
"""

import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor

from adapters import RankAllocator
from adapters.allocator import UpcomingEvent
from study.spec.schema import MaskProbeSpec

Score = Callable[[], float]
"""Returns the objective of the model as it is on dev; higher is better."""


def probed_events(names: tuple[str, ...], count: int) -> dict[int, str]:
    """Returns the names of the probed ones of `count` mask events by their numbers."""
    numbers = {"first": 0, "middle": (count - 1) // 2, "last": count - 1}
    return {number: name for name, number in numbers.items() if name in names}


@dataclass
class MaskProbe:
    """Evaluates other masks at some events of one trial; set it as `before_event`."""

    allocator: RankAllocator
    events: dict[int, str]
    """Names of the probed events by their numbers."""
    masks: int
    """K, the number of other masks of an event."""
    score: Score
    results: dict[str, float] = field(default_factory=dict)
    """Costs so far with their standard errors, by the names of metrics."""

    def __call__(self, event: UpcomingEvent) -> None:
        """Evaluates the masks of a probed event; events without a random mask have no cost."""
        name = self.events.get(event.number)
        if name is None or not self._is_random(event):
            return
        without = self._score(event.top)
        cost, reintroduction = [], []
        for place in range(self.masks):
            keep = self.allocator.other_mask(event, self._seed(place))
            found = self._score(keep)
            cost.append(without - found)
            reintroduction.append(self._score(keep & event.top) - found)
        for kind, costs in (("mask_cost", cost), ("reintroduction_cost", reintroduction)):
            self.results[f"{kind}_{name}"] = statistics.fmean(costs)
            error = statistics.stdev(costs) / math.sqrt(self.masks)
            self.results[f"{kind}_{name}_se"] = error

    def _is_random(self, event: UpcomingEvent) -> bool:
        rates = self.allocator.p or self.allocator.p_reintroduce
        last = event.number == len(self.allocator.budget.events()) - 1
        return bool(rates) and not (last and self.allocator.final_mask == "deterministic")

    def _score(self, keep: Tensor) -> float:
        with self.allocator.keeping(keep):
            return self.score()

    def _seed(self, place: int) -> int:
        entropy: Any = [self.allocator.mask_seed % 2**32, place, 7]
        return int(np.random.SeedSequence(entropy).generate_state(1)[0])


def probe_of(
    asked: MaskProbeSpec | None, allocator: RankAllocator | None, score: Score
) -> MaskProbe | None:
    """Returns the probe that a spec asks for and sets it in the allocator; None without one."""
    if asked is None or allocator is None:
        return None
    events = probed_events(asked.events, len(allocator.budget.events()))
    probe = MaskProbe(allocator, events, asked.masks, score)
    allocator.before_event = probe
    return probe
