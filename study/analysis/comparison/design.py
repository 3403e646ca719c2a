"""Scores of runs as an experimental design: the configuration and seeds of every score.

A run has one seed in each of three factors: mask, init and data. A design is crossed if every mask
seed is combined with every init and data seed. Cells of a crossed design may lack a score because
the run failed or was not made; they are listed, and the estimates are those of the unbalanced
design.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import NamedTuple

import numpy as np
from typing_extensions import override

from study.spec.comparison.schema import FACTORS

NO_MASK = -1
"""The mask seed of a configuration without a random mask."""


class SeedCombination(NamedTuple):
    """A cell of a design: a configuration with one seed of each factor."""

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
    """Cells with their scores; made by `read_design`."""

    cells: list[SeedCombination]
    score: np.ndarray
    """(n,) float64, NaN for a cell without a score."""

    @cached_property
    def scored(self) -> list[SeedCombination]:
        """The cells with a score, in the order of `scores`."""
        return [cell for cell, score in zip(self.cells, self.score, strict=True) if score == score]

    @property
    def scores(self) -> np.ndarray:
        """The scores without NaN."""
        known: np.ndarray = self.score[~np.isnan(self.score)]
        return known

    @cached_property
    def configurations(self) -> list[str | int]:
        """Labels, in order of first appearance."""
        return list(dict.fromkeys(cell.configuration for cell in self.cells))

    @cached_property
    def counts(self) -> dict[str, int]:
        """Number of configurations, and of seeds of each factor, with scores; 0 without masks."""
        seeds = {name: {getattr(cell, name) for cell in self.scored} for name in FACTORS}
        configurations = {cell.configuration for cell in self.scored}
        return {
            "configuration": len(configurations),
            **{name: len(own - {NO_MASK}) for name, own in seeds.items()},
        }

    @cached_property
    def crossed(self) -> bool:
        """Whether at least half of the cells of the full crossing have a score."""
        return 2 * len(self.scored) >= self._crossing_size

    @cached_property
    def planned_crossed(self) -> bool:
        """Whether at least half of the cells of the full crossing are given, scored or not."""
        return 2 * len(set(self.cells)) >= self._crossing_size

    @cached_property
    def missing(self) -> list[SeedCombination]:
        """The cells without a score: of the full crossing if crossed, else of those given."""
        scored = set(self.scored)
        cells: Iterable[SeedCombination] = self.cells
        if self.crossed:
            masks, init, data = self._seeds
            cells = (
                SeedCombination(label, *seeds)
                for label, own in masks.items()
                for seeds in product(own, init, data)
            )
        return [cell for cell in dict.fromkeys(cells) if cell not in scored]

    def of(self, *labels: str | int) -> "Design":
        """Returns the design of these configurations."""
        chosen = np.array([cell.configuration in labels for cell in self.cells], dtype=bool)
        cells = [cell for cell, keep in zip(self.cells, chosen, strict=True) if keep]
        return Design(cells, self.score[chosen])

    def masked(self) -> "Design":
        """Returns the design of the configurations with a random mask."""
        masked = {cell.configuration for cell in self.cells if cell.mask != NO_MASK}
        return self.of(*masked)

    @cached_property
    def _crossing_size(self) -> int:
        """Number of cells of the full crossing."""
        masks, init, data = self._seeds
        return sum(len(own) for own in masks.values()) * len(init) * len(data)

    @cached_property
    def _seeds(self) -> tuple[dict[str | int, list[int]], list[int], list[int]]:
        """The seeds of the full crossing: mask seeds by configuration, init and data seeds."""
        mask, init, data = (sorted({getattr(c, name) for c in self.cells}) for name in FACTORS)
        masks = [seed for seed in mask if seed != NO_MASK]
        unmasked = {cell.configuration: cell.mask == NO_MASK for cell in self.cells}
        return {name: [NO_MASK] if no else masks for name, no in unmasked.items()}, init, data


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
        mask: seeds; -1 for a configuration without a random mask.
        init: seeds.
        data: seeds.
        score: NaN for a run without one.

    Raises:
        ValueError: a score is infinite, the columns differ in length, or two scores have the same
            configuration and seeds.
    """
    rows = zip(configuration, mask, init, data, strict=True)
    cells = [SeedCombination(label, int(m), int(i), int(d)) for label, m, i, d in rows]
    scores = np.asarray(score, dtype=float)
    if len(cells) != len(scores) or np.isinf(scores).any():
        raise ValueError(
            f"one finite score or NaN per run must be given, but got {len(scores)} scores of "
            f"{len(cells)} runs, {np.isinf(scores).sum()} of them infinite"
        )
    design = Design(cells, scores)
    if len(set(design.scored)) < len(design.scored):
        twice = next(cell for cell in design.scored if design.scored.count(cell) > 1)
        raise ValueError(f"one score per cell must be given, but got two of {twice}")
    return design
