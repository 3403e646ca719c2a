"""Where further seeds are expected to decide most, and the fewest that can decide at all.

A verdict that may be looked at after every pair and holds for all pairs of methods in all cells
together needs some pairs even for the largest difference (verdict/sequence.py): 5 seeds decide
nothing. How many more a cell needs is expected from the pairs that it has.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from study.analysis.benchmark.method_pairs import ROPE, CellPair
from study.analysis.comparison.verdict.decision import FAMILY_LEVEL
from study.analysis.comparison.verdict.power import FurtherPairs, fewest_pairs, further_pairs

MOST = 5
"""Cells that are named."""


@dataclass(frozen=True)
class NextRuns:
    """What further seeds would settle."""

    family: int
    """Pairs of methods in all cells: they share the error of 5 %."""
    fewest: int
    """Seeds below which no pair of methods can be decided in any cell."""
    seeds: int
    """The most usable pairs that a cell has."""
    cheapest: list[tuple[CellPair, FurtherPairs]]
    """The pairs of methods expected to be decided with the fewest more seeds."""
    hopeless: int
    """Pairs of methods that more seeds on this test set are unlikely to decide."""


def next_runs(cells: Sequence[CellPair]) -> NextRuns | None:
    """Returns where further seeds are expected to decide most; None without pairs."""
    if not cells:
        return None
    level, rng = FAMILY_LEVEL / len(cells), np.random.default_rng(0)
    known = [
        (cell, more)
        for cell in cells
        if (more := further_pairs(cell.differences, cell.tau, level, ROPE, rng)) is not None
    ]
    open_ = [(cell, more) for cell, more in known if more.median is not None]
    open_.sort(key=lambda one: (one[1].median or 0, one[1].high or 10**9))
    return NextRuns(
        family=len(cells),
        fewest=fewest_pairs(level),
        seeds=max(len(cell.differences) for cell in cells),
        cheapest=open_[:MOST],
        hopeless=sum(more.never > 0.5 for _, more in known),
    )
