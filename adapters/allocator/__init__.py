"""Rank allocation over a whole model.

allocator.py   RankAllocator: importance, budget and masks of a model
checks.py      rates, adapters, states and steps that it refuses
pruning.py     the triplets that are kept, and the removal of the others
state.py       settings and state of an allocator
importance.py  importance scores of the triplets: EMAs of |weight · gradient|
score_loss.py  the part of a gradient that is the task's, without the penalty's
"""

from adapters.allocator.allocator import FinalMask, RankAllocator, ScoreLoss, UpcomingEvent
from adapters.allocator.pruning import PruneMode

__all__ = ["FinalMask", "PruneMode", "RankAllocator", "ScoreLoss", "UpcomingEvent"]
