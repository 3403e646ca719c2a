"""How stable the chosen ranks are: kept triplets and the rank of every matrix across seeds.

Overlap is Jaccard's: triplets that both runs kept over those that either kept. Triplet 3 of a
matrix is the same triplet in two runs only if both began with the same P and Q, so overlap is
between runs with the same init seed; the pattern of ranks can be compared between any.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from study.analysis.comparison.design import FACTORS, NO_MASK
from study.analysis.comparison.outputs import Output, Outputs
from study.analysis.comparison.reading import Comparison, Key
from study.analysis.layers import MATRICES, layer_and_matrix

Kept = dict[Key, Bool[np.ndarray, "matrices b0"]]


@dataclass(frozen=True)
class Overlap:
    """Of pairs of runs of a configuration that differ in one seed alone."""

    configuration: str
    differ_in: str
    """mask or data."""
    pairs: int
    mean: float
    low: float
    high: float
    """The least and the most of these pairs."""
    by_chance: float
    """The mean if each run had kept as many triplets, any of the model's."""
    by_ranks: float
    """The mean if each run had kept as many of every matrix, any of that matrix."""


@dataclass(frozen=True)
class RankPattern:
    """What every matrix keeps, over the runs of a configuration."""

    configuration: str
    layers: list[str]
    matrices: list[str]
    mean: Float[np.ndarray, "layers matrices"]
    """NaN where a layer has no such matrix."""
    sd: Float[np.ndarray, "layers matrices"]
    """Over mask seeds at equal init and data seeds; NaN with one mask seed."""
    b0: int
    runs: int
    masks: int

    def records(self) -> list[dict[str, object]]:
        """A row a matrix."""
        return [
            {
                "configuration": self.configuration,
                "layer": layer,
                "matrix": matrix,
                "mean_rank": float(self.mean[row, column]),
                "sd_over_mask_seeds": _or_none(self.sd[row, column]),
                "b0": self.b0,
                "runs": self.runs,
            }
            for row, layer in enumerate(self.layers)
            for column, matrix in enumerate(self.matrices)
            if np.isfinite(self.mean[row, column])
        ]


def overlaps(comparison: Comparison, outputs: Outputs) -> list[Overlap]:
    """Returns the overlap of every configuration with kept triplets, by mask and by data seed."""
    found = []
    for label, runs in comparison.configurations.items():
        kept = {k: out.kept for k, out in outputs.of(runs).items() if out.kept is not None}
        if len({triplets.shape for triplets in kept.values()}) > 1:
            continue  # Triplets of models of another size are not the same triplets.
        for factor in ("mask", "data"):
            if pairs := pairs_differing_in(kept, factor):
                found.append(_overlap(label, factor, kept, pairs))
    return found


def rank_patterns(comparison: Comparison, outputs: Outputs) -> list[RankPattern]:
    """Returns the pattern of every configuration with kept triplets."""
    found = []
    for label, runs in comparison.configurations.items():
        own = {key: out for key, out in outputs.of(runs).items() if out.kept is not None}
        if own:
            found.append(_pattern(label, own))
    return found


def pairs_differing_in(keys: Iterable[Key], factor: str) -> list[tuple[Key, Key]]:
    """Returns the pairs of seeds that differ in one factor alone."""
    place = FACTORS.index(factor)
    groups: dict[tuple[int, ...], list[Key]] = {}
    for key in keys:
        if key[place] != NO_MASK:
            groups.setdefault(key[:place] + key[place + 1 :], []).append(key)
    return [pair for group in groups.values() for pair in combinations(sorted(group), 2)]


def _overlap(label: str, factor: str, kept: Kept, pairs: list[tuple[Key, Key]]) -> Overlap:
    measured, chance, ranks = [], [], []
    for one, other in pairs:
        a, b = kept[one], kept[other]
        either = int((a | b).sum())
        both = int((a & b).sum())
        measured.append(both / either if either else 1.0)
        chance.append(_expected(int(a.sum()), int(b.sum()), a.size))
        ranks.append(_expected(a.sum(axis=1), b.sum(axis=1), a.shape[1]))
    return Overlap(
        label, factor, len(pairs),
        float(np.mean(measured)), min(measured), max(measured),
        float(np.mean(chance)), float(np.mean(ranks)),
    )  # fmt: skip


def _expected(first: Any, second: Any, among: int) -> float:
    """The overlap of random choices of these sizes: expected common over expected union."""
    both = float(np.sum(first * second)) / among
    either = float(np.sum(first + second)) - both
    return both / either if either else 1.0


def _pattern(label: str, outputs: dict[Key, Output]) -> RankPattern:
    """The mean over runs, and the sd over mask seeds pooled over init and data seeds."""
    modules = next(iter(outputs.values())).modules
    own = {key: out for key, out in outputs.items() if out.modules == modules}
    ranks = {key: out.kept.sum(axis=1) for key, out in own.items() if out.kept is not None}
    cells: dict[tuple[int, int], list[Any]] = {}
    for (_, init, data), counts in ranks.items():
        cells.setdefault((init, data), []).append(counts)
    spread = [(len(c) - 1, np.var(c, axis=0, ddof=1)) for c in cells.values() if len(c) > 1]
    freedom = sum(free for free, _ in spread)
    variance = sum(free * var for free, var in spread) / freedom if freedom else np.nan
    mean = np.mean(list(ranks.values()), axis=0)
    sd = np.sqrt(np.broadcast_to(variance, mean.shape))
    places = [layer_and_matrix(module) for module in modules]
    layers = sorted({layer for layer, _ in places})
    known = {matrix: place for place, matrix in enumerate(MATRICES)}
    matrices = sorted({m for _, m in places}, key=lambda m: (known.get(m, len(known)), m))
    grids = np.full((2, len(layers), len(matrices)), np.nan)
    for place, (layer, matrix) in enumerate(places):
        grids[:, layers.index(layer), matrices.index(matrix)] = mean[place], sd[place]
    kept = next(iter(own.values())).kept
    return RankPattern(
        configuration=label,
        layers=[name for _, name in layers],
        matrices=matrices,
        mean=grids[0],
        sd=grids[1],
        b0=0 if kept is None else kept.shape[1],
        runs=len(ranks),
        masks=len({mask for mask, _, _ in ranks}),
    )


def _or_none(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
