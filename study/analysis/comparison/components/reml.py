"""Variance components by restricted maximum likelihood (REML; Patterson and Thompson 1971).

    symbol   meaning                                                     shape
    y        scores                                                      (n,)
    X        incidence of configurations, the fixed effects              (configurations, n)
    V_t      which scores share an effect of term t                      (n, n)
    sigma    variance components, >= 0                                   (t,)
    V        covariance of the scores, sum_t sigma_t V_t                 (n, n)
    P        V^-1 - V^-1 X' (X V^-1 X')^-1 X V^-1                        (n, n)
    F        expected information, F_st = tr(P V_s P V_t)                (t, t)
    q        q_t = y' P V_t P y                                          (t,)

The estimates maximise the likelihood of the scores after projection on the space orthogonal to the
fixed effects. Fisher scoring: given P, the next components solve F sigma = q under sigma >= 0, by
non-negative least squares; a step that lowers the likelihood is halved. For a complete grid of
scores this is done on the mean squares of its strata (about a millisecond); with missing scores it
needs (n, n) matrices.

If no ANOVA estimate is negative, REML and ANOVA estimates are equal.
"""

from collections.abc import Callable

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import nnls

from study.analysis.comparison.components.strata import Strata
from study.analysis.comparison.components.terms import Incidence, trace_products

_ITERATIONS = 200
_HALVINGS = 30
_TOLERANCE = 1e-9

Evaluate = Callable[[np.ndarray], tuple[float, np.ndarray, np.ndarray]]
"""sigma -> restricted log-likelihood, F and q."""


def reml_of_strata(strata: Strata, mean_squares: np.ndarray) -> np.ndarray:
    """Returns the REML estimates (t,) for a complete grid, from its mean squares (s,)."""
    df, weights = strata.df, strata.weights
    floor = 1e-12 * mean_squares.max()

    def evaluate(sigma: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        expected = np.maximum(weights @ sigma, floor)
        likelihood = -0.5 * (df * (np.log(expected) + mean_squares / expected)).sum()
        scaled = weights * (df / expected**2)[:, None]
        return likelihood, weights.T @ scaled, scaled.T @ mean_squares

    return _maximise(evaluate, mean_squares @ df / df.sum(), len(weights.T))


def reml_of_scores(model: Incidence, scores: np.ndarray) -> np.ndarray:
    """Returns the REML estimates (t,) of the terms of a model from scores (n,) in any design."""
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
        return likelihood, trace_products(model, P), q

    return _maximise(evaluate, start, len(model.codes))


def _maximise(evaluate: Evaluate, size: float, terms: int) -> np.ndarray:
    """Returns the maximiser, starting from equal components that sum to `size`."""
    if size <= 0.0:
        return np.zeros(terms)
    sigma = np.full(terms, size / terms)
    likelihood, F, q = evaluate(sigma)
    for _ in range(_ITERATIONS):
        step = _solve_non_negative(F, q) - sigma
        for _ in range(_HALVINGS):
            new_likelihood, *after = evaluate(sigma + step)
            if new_likelihood >= likelihood - 1e-12 * abs(likelihood):
                break
            step /= 2
        else:
            return sigma
        gain = new_likelihood - likelihood
        sigma, likelihood = sigma + step, new_likelihood
        F, q = after
        if gain < _TOLERANCE and np.abs(step).max() < 1e-7 * size:
            break
    return sigma


def _solve_non_negative(F: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Returns the x >= 0 that minimises x'Fx / 2 - q'x, for positive definite F (t, t)."""
    scale = 1 / np.sqrt(np.diag(F))
    factor = np.linalg.cholesky(F * np.outer(scale, scale) + 1e-10 * np.eye(len(F)))
    x: np.ndarray = scale * nnls(factor.T, np.linalg.solve(factor, q * scale), maxiter=1000)[0]
    return x
