"""Variance components by REML: those that make the scores, freed from their means, most likely.

    V = sum_t sigma_t Z_t Z_t'      P = V^-1 - V^-1 X (X' V^-1 X)^-1 X' V^-1      sigma_t >= 0

Fisher scoring: given P, the next components solve F sigma = q under sigma >= 0, a small problem of
non-negative least squares, with F_st = tr(P V_s P V_t) and q_t = y' P V_t P y; a step that lowers
the likelihood is halved. With a complete grid of scores all of this happens in the mean squares of
its strata, which takes a millisecond; with missing scores it needs (n, n) matrices.

Where no estimate of the analysis of variance is negative, the two are equal.
"""

from collections.abc import Callable

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import nnls

from study.analysis.comparison.components.strata import Strata
from study.analysis.comparison.components.terms import Incidence, likeness_of

_ITERATIONS = 200
_HALVINGS = 30
_TOLERANCE = 1e-9

Evaluate = Callable[[np.ndarray], tuple[float, np.ndarray, np.ndarray]]
"""Components (t) -> log-likelihood, F (t, t) and q (t)."""


def reml_of_strata(strata: Strata, mean_squares: np.ndarray) -> np.ndarray:
    """Returns the components (t) of a complete grid from the mean squares (s) of its strata."""
    df, weights = strata.df, strata.weights
    floor = 1e-12 * mean_squares.max()

    def evaluate(sigma: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        expected = np.maximum(weights @ sigma, floor)
        likelihood = -0.5 * (df * (np.log(expected) + mean_squares / expected)).sum()
        scaled = weights * (df / expected**2)[:, None]
        return likelihood, weights.T @ scaled, scaled.T @ mean_squares

    return _climb(evaluate, mean_squares @ df / df.sum(), len(weights.T))


def reml_of_scores(model: Incidence, scores: np.ndarray) -> np.ndarray:
    """Returns the components (t) of the terms of a model from scores (n) in any design."""
    shared = [np.equal.outer(codes, codes) for codes in model.codes.values()]
    X = model.means
    centred = scores - X.T @ (X @ scores / X.sum(axis=1))
    start = centred @ centred / (len(scores) - X.shape[0])

    def evaluate(sigma: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        V = sum(size * same for size, same in zip(sigma, shared, strict=True) if size)
        V.flat[:: len(V) + 1] += 1e-12 * start
        factor = cho_factor(V, lower=True)
        inverse = cho_solve(factor, np.eye(len(V)))
        XV = X @ inverse
        XVX = XV @ X.T
        P = inverse - XV.T @ np.linalg.solve(XVX, XV)
        Py = P @ centred
        determinants = 2 * np.log(np.diag(factor[0])).sum() + np.linalg.slogdet(XVX)[1]
        likelihood = -0.5 * (determinants + centred @ Py)
        q = np.array([np.square(matrix @ Py).sum() for matrix in model.matrices.values()])
        return likelihood, likeness_of(model, P), q

    return _climb(evaluate, start, len(model.codes))


def _climb(evaluate: Evaluate, size: float, terms: int) -> np.ndarray:
    """Returns the components with the highest likelihood, from equal ones that add to `size`."""
    if size <= 0.0:
        return np.zeros(terms)
    sigma = np.full(terms, size / terms)
    likelihood, F, q = evaluate(sigma)
    for _ in range(_ITERATIONS):
        step = _non_negative(F, q) - sigma
        for _ in range(_HALVINGS):
            risen, *after = evaluate(sigma + step)
            if risen >= likelihood - 1e-12 * abs(likelihood):
                break
            step /= 2
        else:
            return sigma
        sigma, gain, likelihood = sigma + step, risen - likelihood, risen
        F, q = after
        if gain < _TOLERANCE and np.abs(step).max() < 1e-7 * size:
            break
    return sigma


def _non_negative(F: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Returns the x >= 0 that minimises x'Fx / 2 - q'x; F (t, t) is positive definite."""
    scale = 1 / np.sqrt(np.diag(F))
    factor = np.linalg.cholesky(F * np.outer(scale, scale) + 1e-10 * np.eye(len(F)))
    found: np.ndarray = scale * nnls(factor.T, np.linalg.solve(factor, q * scale), maxiter=1000)[0]
    return found
