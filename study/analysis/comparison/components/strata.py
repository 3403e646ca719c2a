"""Strata: a complete grid of scores as independent mean squares, one for each kind of contrast.

A grid has the axes configuration, mask, init, data and replicate. A contrast is a mean over some
axes and a difference along the others. All contrasts whose differences lie in the same axes have
the same variance, the sum of the components whose effects differ along them:

    expected mean square of a stratum s = lambda_s = sum_t weights_st sigma_t

and mean square * df / lambda is chi-square with df degrees of freedom, independent of the others.
Terms that cannot be estimated are not in the model; strata that it does not tell apart are one.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from study.analysis.comparison.components.terms import CONFIGURATION, RESIDUAL, TERMS

AXES = TERMS[RESIDUAL]
Pattern = tuple[bool, ...]
"""By axis: whether the contrast is a difference along it."""


@dataclass(frozen=True)
class Strata:
    """The strata of a grid under a model with t terms; s = t of them, with t x t weights."""

    shape: tuple[int, ...]
    """Levels of each of AXES."""
    terms: list[str]
    patterns: list[list[Pattern]]
    """Of each stratum."""
    df: np.ndarray
    """(s,) degrees of freedom."""
    weights: np.ndarray
    """(s, t) how often a component is in the expected mean square."""

    @property
    def solver(self) -> np.ndarray:
        """(t, s): the components of the analysis of variance are solver @ mean squares."""
        found: np.ndarray = np.linalg.inv(self.weights)
        return found

    def mean_squares(self, grid: np.ndarray) -> np.ndarray:
        """Returns the mean square of each stratum, (s), of scores (shape)."""
        sums = [sum(np.square(part(grid, p)).sum() for p in found) for found in self.patterns]
        found: np.ndarray = np.array(sums) / self.df
        return found


def strata_of(shape: tuple[int, ...], terms: list[str]) -> Strata | None:
    """Returns the strata of a grid; None if they do not determine the components one by one."""
    found: dict[tuple[bool, ...], list[Pattern]] = {}
    for pattern in product((False, True), repeat=len(AXES)):
        differs = _axes(pattern)
        if differs <= {CONFIGURATION} or not _contrasts(shape, pattern):
            continue  # Means of configurations are free, whatever they are.
        found.setdefault(tuple(differs <= set(TERMS[term]) for term in terms), []).append(pattern)
    patterns = list(found.values())
    df, weights = expectations(shape, patterns, terms)
    if len(patterns) != len(terms) or np.linalg.matrix_rank(weights) < len(terms):
        return None
    return Strata(shape, terms, patterns, df, weights)


def expectations(
    shape: Sequence[int | np.ndarray], patterns: list[list[Pattern]], terms: list[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Returns df (..., s), weights (..., s, t) of strata; of many grids if levels are arrays."""
    df = [sum(_contrasts(shape, pattern) for pattern in found) for found in patterns]
    weights = [
        [_sharing(shape, term) * (_axes(found[0]) <= set(TERMS[term])) for term in terms]
        for found in patterns
    ]
    return _stacked(df), np.stack([_stacked(row) for row in weights], axis=-2)


def part(grid: np.ndarray, pattern: Pattern) -> np.ndarray:
    """Returns the part of a grid that contrasts of a pattern see, broadcast to its shape."""
    found = grid
    for axis, along in enumerate(pattern):
        mean = found.mean(axis=axis, keepdims=True)
        found = found - mean if along else mean
    return np.broadcast_to(found, grid.shape)


def place(columns: dict[str, np.ndarray], terms: list[str]) -> np.ndarray:
    """Returns where in the smallest grid the scores stand, (n, AXES).

    Seeds that no term but the residual depends on are replicates. Mask seeds are numbered within
    their configuration, to which their effects belong.

    Args:
        columns: codes (n) of configuration, mask, init and data.
        terms: those of the model.
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
    pairs, found = np.unique(np.stack([groups, values]), axis=1, return_inverse=True)
    first = np.searchsorted(pairs[0], pairs[0])
    ranks: np.ndarray = (np.arange(pairs.shape[1]) - first)[found.reshape(-1)]
    return ranks


def _axes(pattern: Pattern) -> set[str]:
    """Returns the axes along which a contrast is a difference."""
    return {axis for axis, along in zip(AXES, pattern, strict=True) if along}


def _contrasts(shape: Sequence[int | np.ndarray], pattern: Pattern) -> int | np.ndarray:
    """Returns how many independent contrasts of a pattern a grid has."""
    return math.prod(n - 1 for n, along in zip(shape, pattern, strict=True) if along)


def _sharing(shape: Sequence[int | np.ndarray], term: str) -> int | np.ndarray:
    """Returns how many cells of a grid share an effect of a term."""
    return math.prod(n for axis, n in zip(AXES, shape, strict=True) if axis not in TERMS[term])


def _stacked(values: Sequence[int | np.ndarray]) -> np.ndarray:
    return np.stack(np.broadcast_arrays(*values), axis=-1).astype(float)
