"""The random-effects model of a score, and which of its terms a design can estimate.

    score = mean of the configuration + mask + init + data + interactions + residual

All terms except the means are random with mean zero; the variance of a term is its variance
component. Mask effects are nested in configurations, as two configurations keep different triplets
under the same mask seed. Init and data effects are crossed with configurations: `init` is what an
init seed does to all of them, `configuration:init` what it does to one of them beyond that.

    symbol   meaning                                                     shape
    n        number of scores
    Z_t      incidence matrix of term t: which effect is in which score  (effects, n)
    V_t      Z_t' Z_t: which scores share an effect                      (n, n)
    P        a projector, or the matrix of the REML equations            (n, n)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from study.analysis.comparison.design import Design
from study.spec.comparison.schema import FACTORS

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
"""The axes on which runs must agree to share the effect; `mask:init:data` is in the residual."""

_ORDER = sorted(TERMS, key=lambda name: (name != RESIDUAL, len(TERMS[name])))
"""Of terms that are confounded the first is kept: the residual, then the simplest."""
_TOLERANCE = 1e-8


@dataclass(frozen=True)
class Incidence:
    """Which of the n scores contain which effect."""

    codes: dict[str, np.ndarray]
    """By term, (n,): the index of the effect in each score."""
    columns: dict[str, np.ndarray]
    """By configuration, mask, init and data, (n,): level codes; configurations count from 0."""

    @cached_property
    def matrices(self) -> dict[str, sparse.csr_array]:
        """By term, the incidence matrix Z_t, (effects, n)."""
        return {name: _one_hot(codes) for name, codes in self.codes.items()}

    @cached_property
    def means(self) -> sparse.csr_array:
        """The incidence matrix of configurations, (configurations, n)."""
        return _one_hot(self.columns[CONFIGURATION])

    def only(self, terms: Sequence[str]) -> "Incidence":
        """Returns the incidence of the given terms."""
        return Incidence({name: self.codes[name] for name in terms}, self.columns)


def term_names(design: Design) -> list[str]:
    """Returns the terms of the model; those with `configuration` only if there are several."""
    pooled = design.counts[CONFIGURATION] > 1
    return [name for name in TERMS if pooled or CONFIGURATION not in name]


def incidence(design: Design) -> Incidence:
    """Returns the incidence of all terms in the scored cells of a design."""
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
    """Returns the terms with estimable variance components, and the confounded ones.

    Each confounded term comes with the terms that include its variance. If there are none, its
    effect is the same in all scores of a configuration and cannot be observed.
    """
    names = term_names(design)
    if not design.scored:
        return [], {name: [] for name in names}
    model = incidence(design)
    products = trace_products(model, _centring(model))
    kept: list[str] = []
    confounded: dict[str, list[str]] = {}
    for name in [name for name in _ORDER if name in names]:
        here, others = names.index(name), [names.index(other) for other in kept]
        size = products[here, here]
        if size < _TOLERANCE * len(design.scored):
            confounded[name] = []
            continue
        shares = np.linalg.lstsq(products[np.ix_(others, others)], products[others, here])[0]
        if size - products[others, here] @ shares > _TOLERANCE * size:
            kept.append(name)
        else:
            seen = zip(kept, shares, strict=True)
            confounded[name] = [other for other, share in seen if abs(share) > 1e-6]
    return [name for name in names if name in kept], confounded


def trace_products(model: Incidence, projector: np.ndarray) -> np.ndarray:
    """Returns tr(P V_s P V_t) for all terms s and t, (t, t); `projector` is P."""
    matrices = list(model.matrices.values())
    sides = [np.ascontiguousarray((matrix @ projector).T) for matrix in matrices]
    products = np.zeros((len(matrices), len(matrices)))
    for row, side in enumerate(sides):
        for column, matrix in enumerate(matrices[: row + 1]):
            products[row, column] = products[column, row] = np.square(matrix @ side).sum()
    return products


def _centring(model: Incidence) -> np.ndarray:
    """Returns the (n, n) projector that subtracts the mean of each configuration."""
    same = (model.means.T @ model.means).toarray()
    projector: np.ndarray = np.eye(len(same)) - same / same.sum(axis=0)
    return projector


def _codes(columns: Sequence[np.ndarray]) -> np.ndarray:
    return np.unique(np.stack(columns), axis=1, return_inverse=True)[1].reshape(-1)


def _one_hot(codes: np.ndarray) -> sparse.csr_array:
    rows, columns = codes, np.arange(len(codes))
    return sparse.csr_array((np.ones(len(codes)), (rows, columns)))
