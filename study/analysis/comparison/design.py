"""Scores of runs as a design: which configuration and which seeds each score belongs to.

A run has a seed in each of three streams: mask, init and data. A design is crossed if every mask
seed meets every init and data seed. Some cells of a crossed design may lack a score, because the
run failed or was never made: they are named, and the estimates do without them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import NamedTuple

import numpy as np
from typing_extensions import override

FACTORS = ("mask", "init", "data")
NO_MASK = -1
"""The mask seed of a configuration that no mask touches."""


class Cell(NamedTuple):
    """One run of a design: a configuration and its seeds."""

    configuration: str | int
    mask: int
    init: int
    data: int

    @override
    def __str__(self) -> str:
        mask = "" if self.mask == NO_MASK else f"mask {self.mask}, "
        return f"{self.configuration} ({mask}init {self.init}, data {self.data})"


@dataclass(frozen=True)
class Design:
    """Runs with their scores; made by `read_design`."""

    cells: list[Cell]
    score: np.ndarray
    """(n,) float64, nan for a run without a score."""

    @cached_property
    def scored(self) -> list[Cell]:
        """The cells with a score, in the order of `scores`."""
        return [cell for cell, score in zip(self.cells, self.score, strict=True) if score == score]

    @property
    def scores(self) -> np.ndarray:
        """The scores that exist."""
        found: np.ndarray = self.score[~np.isnan(self.score)]
        return found

    @cached_property
    def configurations(self) -> list[str | int]:
        """Labels, in order of first appearance."""
        return list(dict.fromkeys(cell.configuration for cell in self.cells))

    @cached_property
    def counts(self) -> dict[str, int]:
        """How many configurations, and seeds of each factor, have scores; 0 masks without any."""
        seeds = {name: {getattr(cell, name) for cell in self.scored} for name in FACTORS}
        configurations = {cell.configuration for cell in self.scored}
        return {
            "configuration": len(configurations),
            **{name: len(found - {NO_MASK}) for name, found in seeds.items()},
        }

    @cached_property
    def crossed(self) -> bool:
        """Whether at least half of the cells of the full crossing have a score."""
        return 2 * len(self.scored) >= self._whole

    @cached_property
    def planned(self) -> bool:
        """The same of the cells that are given, with a score or not."""
        return 2 * len(set(self.cells)) >= self._whole

    @cached_property
    def missing(self) -> list[Cell]:
        """The cells without a score.

        In a crossed design: all cells of the crossing. Otherwise only the runs that were given.
        """
        scored = set(self.scored)
        wanted: Iterable[Cell] = self.cells
        if self.crossed:
            masks, init, data = self._seeds
            wanted = (
                Cell(label, *seeds)
                for label, own in masks.items()
                for seeds in product(own, init, data)
            )
        return [cell for cell in dict.fromkeys(wanted) if cell not in scored]

    def of(self, *labels: str | int) -> "Design":
        """Returns the design of these configurations alone."""
        chosen = np.array([cell.configuration in labels for cell in self.cells], dtype=bool)
        cells = [cell for cell, keep in zip(self.cells, chosen, strict=True) if keep]
        return Design(cells, self.score[chosen])

    def masked(self) -> "Design":
        """Returns the design of the configurations that a mask touches."""
        touched = {cell.configuration for cell in self.cells if cell.mask != NO_MASK}
        return self.of(*touched)

    @cached_property
    def _whole(self) -> int:
        """How many cells the full crossing has."""
        masks, init, data = self._seeds
        return sum(len(own) for own in masks.values()) * len(init) * len(data)

    @cached_property
    def _seeds(self) -> tuple[dict[str | int, list[int]], list[int], list[int]]:
        """The seeds of the full crossing: mask seeds by configuration, init and data seeds."""
        mask, init, data = (sorted({getattr(c, name) for c in self.cells}) for name in FACTORS)
        masks = [seed for seed in mask if seed != NO_MASK]
        plain = {cell.configuration: cell.mask == NO_MASK for cell in self.cells}
        return {name: [NO_MASK] if no else masks for name, no in plain.items()}, init, data


def read_design(
    configuration: Sequence[str | int],
    mask: Sequence[int] | np.ndarray,
    init: Sequence[int] | np.ndarray,
    data: Sequence[int] | np.ndarray,
    score: Sequence[float] | np.ndarray,
) -> Design:
    """Returns the design of n runs, given as columns of length n.

    Args:
        configuration: labels.
        mask: seeds; -1 where no mask touches the configuration.
        init: seeds.
        data: seeds.
        score: nan for a run without one.

    Raises:
        ValueError: a score is infinite, the columns differ in length, or two scores belong to the
            same configuration and seeds.
    """
    rows = zip(configuration, mask, init, data, strict=True)
    cells = [Cell(label, int(m), int(i), int(d)) for label, m, i, d in rows]
    scores = np.asarray(score, dtype=float)
    if len(cells) != len(scores) or np.isinf(scores).any():
        raise ValueError("a finite score or nan for every run")
    design = Design(cells, scores)
    if len(set(design.scored)) < len(design.scored):
        twice = next(cell for cell in design.scored if design.scored.count(cell) > 1)
        raise ValueError(f"one score a cell must hold, but got two of {twice}")
    return design
