"""The model of a score: which luck adds to it, and what of that the scores can tell apart.

    score = mean of the configuration + mask + init + data + their interactions + residual

Every term but the means is random, with mean zero and a variance of its own: its variance
component. Mask effects belong to one configuration each (two configurations under the same mask
seed keep other triplets); init and data effects are shared by all configurations that are pooled,
and `configuration:init` is what the same init seed does to one of them beyond that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from study.analysis.comparison.design import FACTORS, Design

CONFIGURATION = "configuration"
RESIDUAL = "residual"
TERMS: dict[str, tuple[str, ...]] = {
    "mask": (CONFIGURATION, "mask"),
    "init": ("init",),
    "data": ("data",),
    "mask:init": (CONFIGURATION, "mask", "init"),
    "mask:data": (CONFIGURATION, "mask", "data"),
    "init:data": ("init", "data"),
    "configuration:init": (CONFIGURATION, "init"),
    "configuration:data": (CONFIGURATION, "data"),
    "configuration:init:data": (CONFIGURATION, "init", "data"),
    RESIDUAL: (CONFIGURATION, "mask", "init", "data", "replicate"),
}
"""Runs that agree on these axes share the term's effect. `mask:init:data` is in the residual."""

_ORDER = sorted(TERMS, key=lambda name: (name != RESIDUAL, len(TERMS[name])))
"""Of terms that cannot be told apart the first one is kept: the simpler, but the residual."""
_TOLERANCE = 1e-8


@dataclass(frozen=True)
class Incidence:
    """Which of the n scores share which effect."""

    codes: dict[str, np.ndarray]
    """By term, (n,): the number of the effect that is in a score."""
    columns: dict[str, np.ndarray]
    """By configuration, mask, init and data, (n,): codes; the first from 0, without gaps."""

    @cached_property
    def matrices(self) -> dict[str, sparse.csr_array]:
        """By term, (effects, n): 1 where the effect is in the score."""
        return {name: _one_hot(codes) for name, codes in self.codes.items()}

    @cached_property
    def means(self) -> sparse.csr_array:
        """(configurations, n): 1 where the score is one of the configuration."""
        return _one_hot(self.columns[CONFIGURATION])

    def only(self, terms: Sequence[str]) -> "Incidence":
        """Returns the incidence of some terms alone."""
        return Incidence({name: self.codes[name] for name in terms}, self.columns)


def term_names(design: Design) -> list[str]:
    """Returns the terms of the model: those with a configuration only if there are several."""
    pooled = design.counts[CONFIGURATION] > 1
    return [name for name in TERMS if pooled or CONFIGURATION not in name]


def incidence(design: Design) -> Incidence:
    """Returns which effects are in the scores of a design."""
    scored = [cell.configuration for cell in design.scored]
    labels = {label: number for number, label in enumerate(dict.fromkeys(scored))}
    columns = {
        CONFIGURATION: np.array([labels[label] for label in scored], dtype=int),
        **{
            name: np.array([getattr(cell, name) for cell in design.scored], dtype=int)
            for name in FACTORS
        },
    }
    codes = {
        name: _codes([columns[axis] for axis in TERMS[name] if axis in columns])
        for name in term_names(design)
        if name != RESIDUAL
    }
    codes[RESIDUAL] = np.arange(len(design.scored))
    return Incidence(codes, columns)


def estimable(design: Design) -> tuple[list[str], dict[str, list[str]]]:
    """Returns the terms whose variances the scores can tell apart, and what hides the others.

    A hidden term comes with the terms in which its variance is counted; without any, its effect
    is the same in all scores of a configuration and is not seen at all.
    """
    names = term_names(design)
    if not design.scored:
        return [], {name: [] for name in names}
    model = incidence(design)
    likeness = likeness_of(model, _centring(model))
    kept: list[str] = []
    hidden: dict[str, list[str]] = {}
    for name in [name for name in _ORDER if name in names]:
        here, others = names.index(name), [names.index(other) for other in kept]
        size = likeness[here, here]
        if size < _TOLERANCE * len(design.scored):
            hidden[name] = []
            continue
        shares = np.linalg.lstsq(likeness[np.ix_(others, others)], likeness[others, here])[0]
        if size - likeness[others, here] @ shares > _TOLERANCE * size:
            kept.append(name)
        else:
            seen = zip(kept, shares, strict=True)
            hidden[name] = [other for other, share in seen if abs(share) > 1e-6]
    return [name for name in names if name in kept], hidden


def likeness_of(model: Incidence, projector: np.ndarray) -> np.ndarray:
    """Returns tr(P V_s P V_t) for all terms s and t, where V_t = Z_t Z_t' and P is (n, n)."""
    matrices = list(model.matrices.values())
    sides = [np.ascontiguousarray((matrix @ projector).T) for matrix in matrices]
    found = np.zeros((len(matrices), len(matrices)))
    for row, side in enumerate(sides):
        for column, matrix in enumerate(matrices[: row + 1]):
            found[row, column] = found[column, row] = np.square(matrix @ side).sum()
    return found


def _centring(model: Incidence) -> np.ndarray:
    """Returns the (n, n) projector that takes the mean of its configuration off every score."""
    same = (model.means.T @ model.means).toarray()
    projector: np.ndarray = np.eye(len(same)) - same / same.sum(axis=0)
    return projector


def _codes(columns: Sequence[np.ndarray]) -> np.ndarray:
    return np.unique(np.stack(columns), axis=1, return_inverse=True)[1].reshape(-1)


def _one_hot(codes: np.ndarray) -> sparse.csr_array:
    rows, columns = codes, np.arange(len(codes))
    return sparse.csr_array((np.ones(len(codes)), (rows, columns)))
