"""Stability of rank allocation: overlap of kept triplets, and ranks of every matrix across seeds.

Overlap is the Jaccard index: triplets kept by both runs over triplets kept by either. A triplet
has the same meaning in two runs only if both started from the same P and Q, so overlap is computed
between runs with equal init seeds. Ranks can be compared between any runs.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from study.analysis.comparison.design import NO_MASK
from study.analysis.comparison.outputs import Output, Outputs
from study.analysis.comparison.results import ComparisonResults, SeedKey
from study.analysis.layers import MATRICES, layer_and_matrix
from study.spec.comparison.schema import FACTORS

Kept = dict[SeedKey, Bool[np.ndarray, "matrices b0"]]


@dataclass(frozen=True)
class Overlap:
    """Overlap of runs of a configuration that differ in one seed only.

    The fields are the columns of stability.csv.
    """

    configuration: str
    differ_in: str
    """mask or data."""
    pairs: int
    mean: float
    low: float
    high: float
    """Smallest and largest overlap of a pair."""
    by_chance: float
    """Expected overlap if each run kept as many triplets, chosen at random in the model."""
    by_ranks: float
    """Expected overlap if each run kept as many in every matrix, chosen at random."""


@dataclass(frozen=True)
class RankPattern:
    """Rank of every matrix over the runs of a configuration."""

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
        """Returns one row per matrix, with the columns of ranks.csv."""
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


def overlaps(comparison: ComparisonResults, outputs: Outputs) -> list[Overlap]:
    """Returns the overlap of every configuration with kept triplets, for mask and data seeds."""
    measured = []
    for label, runs in comparison.configurations.items():
        kept = {k: out.kept for k, out in outputs.of(runs).items() if out.kept is not None}
        if len({triplets.shape for triplets in kept.values()}) > 1:
            continue  # Triplets of models of different size cannot be matched.
        for factor in ("mask", "data"):
            if pairs := pairs_differing_in(kept, factor):
                measured.append(_overlap(label, factor, kept, pairs))
    return measured


def rank_patterns(comparison: ComparisonResults, outputs: Outputs) -> list[RankPattern]:
    """Returns the ranks of every configuration with kept triplets."""
    patterns = []
    for label, runs in comparison.configurations.items():
        own = {key: out for key, out in outputs.of(runs).items() if out.kept is not None}
        if own:
            patterns.append(_pattern(label, own))
    return patterns


def pairs_differing_in(keys: Iterable[SeedKey], factor: str) -> list[tuple[SeedKey, SeedKey]]:
    """Returns the pairs of seeds that differ in one factor only."""
    place = FACTORS.index(factor)
    groups: dict[tuple[int, ...], list[SeedKey]] = {}
    for key in keys:
        if key[place] != NO_MASK:
            groups.setdefault(key[:place] + key[place + 1 :], []).append(key)
    return [pair for group in groups.values() for pair in combinations(sorted(group), 2)]


def _overlap(label: str, factor: str, kept: Kept, pairs: list[tuple[SeedKey, SeedKey]]) -> Overlap:
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
    """Returns expected intersection over expected union of random subsets of these sizes."""
    both = float(np.sum(first * second)) / among
    either = float(np.sum(first + second)) - both
    return both / either if either else 1.0


def _pattern(label: str, outputs: dict[SeedKey, Output]) -> RankPattern:
    """Returns means over runs, and sds over mask seeds pooled over (init, data) cells."""
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
