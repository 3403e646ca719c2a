"""Strata of a complete grid of scores: independent mean squares and their expectations.

The axes of a grid are configuration, mask, init, data and replicate. A contrast is a mean over
some axes and a difference along the others; its pattern says which. All contrasts of one pattern
have the same variance, a weighted sum of the components of those terms that differ along its axes:

    expected mean square of a stratum s:  lambda_s = sum_t weights_st sigma_t

MS_s df_s / lambda_s is chi-square with df_s degrees of freedom, independently for each stratum.
Terms that cannot be estimated are left out of the model; patterns with equal expectations form one
stratum.

    symbol        meaning                                     shape
    s, t          number of strata, number of terms
    df            degrees of freedom of a stratum             (s,)
    weights       weight of a component in an expected MS     (s, t)
    sigma         variance components                         (t,)
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from study.analysis.comparison.components.terms import CONFIGURATION, RESIDUAL, TERMS

AXES = TERMS[RESIDUAL]
Pattern = tuple[bool, ...]
"""For each axis, whether the contrast is a difference along it."""


@dataclass(frozen=True)
class Strata:
    """The strata of a grid under a model of t terms, with as many strata as terms."""

    shape: tuple[int, ...]
    """Levels of each of AXES."""
    terms: list[str]
    patterns: list[list[Pattern]]
    """The contrasts of each stratum."""
    df: np.ndarray
    weights: np.ndarray

    @property
    def solver(self) -> np.ndarray:
        """(t, s): solver @ mean squares are the ANOVA (moment) estimates of the components."""
        inverse: np.ndarray = np.linalg.inv(self.weights)
        return inverse

    def mean_squares(self, grid: np.ndarray) -> np.ndarray:
        """Returns the mean square of each stratum, (s,), of a complete grid of scores."""
        sums = [
            sum(np.square(contrast_part(grid, pattern)).sum() for pattern in patterns)
            for patterns in self.patterns
        ]
        squares: np.ndarray = np.array(sums) / self.df
        return squares


def strata_of(shape: tuple[int, ...], terms: list[str]) -> Strata | None:
    """Returns the strata of a grid; None if they do not identify all components."""
    groups: dict[tuple[bool, ...], list[Pattern]] = {}
    for pattern in product((False, True), repeat=len(AXES)):
        differs = _axes(pattern)
        if differs <= {CONFIGURATION} or not _contrasts(shape, pattern):
            continue  # Means of configurations are fixed effects.
        groups.setdefault(tuple(differs <= set(TERMS[term]) for term in terms), []).append(pattern)
    patterns = list(groups.values())
    df, weights = expectations(shape, patterns, terms)
    if len(patterns) != len(terms) or np.linalg.matrix_rank(weights) < len(terms):
        return None
    return Strata(shape, terms, patterns, df, weights)


def expectations(
    shape: Sequence[int | np.ndarray], patterns: list[list[Pattern]], terms: list[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Returns df (..., s) and weights (..., s, t) of strata; levels may be arrays."""
    df = [sum(_contrasts(shape, pattern) for pattern in group) for group in patterns]
    weights = [
        [_sharing(shape, term) * (_axes(group[0]) <= set(TERMS[term])) for term in terms]
        for group in patterns
    ]
    return _stacked(df), np.stack([_stacked(row) for row in weights], axis=-2)


def contrast_part(grid: np.ndarray, pattern: Pattern) -> np.ndarray:
    """Returns the projection of a grid on the contrasts of a pattern, in the shape of the grid."""
    part = grid
    for axis, along in enumerate(pattern):
        mean = part.mean(axis=axis, keepdims=True)
        part = part - mean if along else mean
    return np.broadcast_to(part, grid.shape)


def grid_indices(columns: dict[str, np.ndarray], terms: list[str]) -> np.ndarray:
    """Returns the indices of the scores in the smallest grid that contains them, (n, AXES).

    Seeds of factors that only the residual depends on become replicates. Mask seeds are numbered
    within their configuration, in which their effects are nested.

    Args:
        columns: level codes (n,) of configuration, mask, init and data.
        terms: the terms of the model.
    """
    used = {axis for term in terms if term != RESIDUAL for axis in TERMS[term]}
    index = np.zeros((len(columns[CONFIGURATION]), len(AXES)), dtype=int)
    index[:, 0] = columns[CONFIGURATION]
    if "mask" in used:
        index[:, 1] = _number_within(index[:, 0], columns["mask"])
    for axis in {"init", "data"} & used:
        index[:, AXES.index(axis)] = np.unique(columns[axis], return_inverse=True)[1]
    cell = np.unique(index, axis=0, return_inverse=True)[1].reshape(-1)
    index[:, -1] = _number_within(cell, np.arange(len(cell)))
    return index


def _number_within(groups: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Returns for each value its rank, from 0, among the distinct values of its group."""
    pairs, codes = np.unique(np.stack([groups, values]), axis=1, return_inverse=True)
    first = np.searchsorted(pairs[0], pairs[0])
    ranks: np.ndarray = (np.arange(pairs.shape[1]) - first)[codes.reshape(-1)]
    return ranks


def _axes(pattern: Pattern) -> set[str]:
    """Returns the axes along which a contrast is a difference."""
    return {axis for axis, along in zip(AXES, pattern, strict=True) if along}


def _contrasts(shape: Sequence[int | np.ndarray], pattern: Pattern) -> int | np.ndarray:
    """Returns the number of independent contrasts of a pattern, its degrees of freedom."""
    return math.prod(n - 1 for n, along in zip(shape, pattern, strict=True) if along)


def _sharing(shape: Sequence[int | np.ndarray], term: str) -> int | np.ndarray:
    """Returns the number of cells of a grid that share one effect of a term."""
    return math.prod(n for axis, n in zip(AXES, shape, strict=True) if axis not in TERMS[term])


def _stacked(values: Sequence[int | np.ndarray]) -> np.ndarray:
    return np.stack(np.broadcast_arrays(*values), axis=-1).astype(float)
