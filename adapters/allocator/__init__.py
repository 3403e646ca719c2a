"""Rank allocation over a whole model.

allocator.py   RankAllocator: importance, budget and masks of a model
checks.py      rates, adapters, states and steps that it refuses
importance.py  importance scores of the triplets: EMAs of |weight · gradient|
score_loss.py  the part of a gradient that is the task's, without the penalty's
"""

from adapters.allocator.allocator import FinalMask, PruneMode, RankAllocator, ScoreLoss

__all__ = ["FinalMask", "PruneMode", "RankAllocator", "ScoreLoss"]
