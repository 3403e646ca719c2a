"""95 % intervals of components and shares, from draws of expected mean squares.

A component's interval is that between quantiles of its draws, cut at zero. Both limits may be
zero: the mean squares are then such as a component of zero shows once in forty designs, and any
other component more rarely.

A share needs more: the total adds terms of which some rest on two degrees of freedom, and the
quantiles of such a sum are too high. So the quantiles are calibrated (Beran 1987): scores are
simulated from components that were drawn, where the true shares are known; the levels at which the
quantiles of those scores' draws hold the true share in 95 % are then used, where they are wider
than the nominal ones.

    b  draws      s  strata      t  terms
"""

import numpy as np

from study.analysis.seeds.strata import Strata

CONFIDENCE = 0.95
_LEVELS = np.array([(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
_SIMULATED = 300
"""Simulated sets of scores."""
_DRAWS = 1000
"""Draws for each."""


def component_limits(strata: Strata, expected: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """Returns the limits of components, (2, t).

    Args:
        strata: those of the design.
        expected: draws of expected mean squares (b, s).
        sigma: the estimates (t), which the limits hold.
    """
    drawn = np.maximum(strata.solver @ expected.T, 0.0)
    return _holding(sigma, np.quantile(drawn, _LEVELS, axis=1))


def share_limits(
    strata: Strata, expected: np.ndarray, sigma: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Returns the limits of shares, (2, t); arguments as above. Not all of `sigma` are zero."""
    levels = _calibrated(strata, expected, rng)
    drawn = np.sort(_shares(strata, expected.T), axis=1)
    places = levels * (drawn.shape[1] - 1)
    low, high = np.floor(places[0]).astype(int), np.ceil(places[1]).astype(int)
    terms = np.arange(len(drawn))
    return _holding(sigma / sigma.sum(), np.stack([drawn[terms, low], drawn[terms, high]]))


def _holding(estimates: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """Returns limits (2, t) widened where they do not hold the estimates (t)."""
    return np.stack([np.minimum(limits[0], estimates), np.maximum(limits[1], estimates)])


def _calibrated(strata: Strata, expected: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Returns the levels of the quantiles, (2, t)."""
    chosen = expected[np.linspace(0, len(expected) - 1, _SIMULATED).astype(int)]
    components = np.maximum(strata.solver @ chosen.T, 0.0)
    true = (components / components.sum(axis=0))[..., None]
    df = strata.df[:, None]
    simulated = strata.weights @ components * rng.chisquare(df, (len(df), _SIMULATED))
    chi = rng.chisquare(df, (len(df), _DRAWS))
    drawn = _shares(strata, simulated[..., None] / chi[:, None])
    at_most = np.count_nonzero(drawn <= true + 1e-9, axis=2) / _DRAWS
    below = np.count_nonzero(drawn < true - 1e-9, axis=2) / _DRAWS
    low, high = _LEVELS
    levels = np.stack([np.quantile(at_most, low, axis=1), np.quantile(below, high, axis=1)])
    # Beyond the first and the last of the draws a quantile says nothing.
    wider = np.clip(levels, 1 / _DRAWS, 1 - 1 / _DRAWS)
    return np.stack([np.minimum(low, wider[0]), np.maximum(high, wider[1])])


def _shares(strata: Strata, expected: np.ndarray) -> np.ndarray:
    """Returns shares (t, ...) in [0, 1] from expected mean squares (s, ...).

    The total is that of components as they are, negative ones too: cut at zero, it is too large.
    """
    components = np.tensordot(strata.solver, expected, axes=1)
    components /= np.maximum(components.sum(axis=0), 1e-300)
    return np.clip(components, 0.0, 1.0, out=components)
