"""95 % intervals of components and shares, from draws of expected mean squares.

A component's interval is that between quantiles of its draws, cut at zero. A share needs more: the
total adds terms of which some rest on two degrees of freedom, and the quantiles of such a sum are
too high. So the quantiles are calibrated (Beran 1987): scores are simulated from components that
were drawn, where the true shares are known; the levels at which the quantiles of those scores'
draws hold the true share in 95 % are then used, where they are wider than the nominal ones.

    b  draws      s  strata      t  terms
"""

import numpy as np

from study.analysis.seeds.strata import Strata

CONFIDENCE = 0.95
_LEVELS = np.array([(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
_SIMULATED = 250
"""Simulated sets of scores."""
_DRAWS = 400
"""Draws for each."""


def component_limits(strata: Strata, expected: np.ndarray) -> np.ndarray:
    """Returns the limits of components, (2, t), from expected mean squares (b, s)."""
    drawn = np.maximum(expected @ strata.solver.T, 0.0)
    limits: np.ndarray = np.quantile(drawn, _LEVELS, axis=0)
    return limits


def share_limits(strata: Strata, expected: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Returns the limits of shares, (2, t), from expected mean squares (b, s)."""
    levels = _calibrated(strata, expected, rng)
    drawn = np.sort(_shares(strata, expected), axis=0)
    places = np.clip(levels * (len(drawn) - 1), 0, len(drawn) - 1)
    low, high = np.floor(places[0]).astype(int), np.ceil(places[1]).astype(int)
    terms = np.arange(drawn.shape[1])
    return np.stack([drawn[low, terms], drawn[high, terms]])


def _calibrated(strata: Strata, expected: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Returns the levels of the quantiles, (2, t)."""
    chosen = expected[np.linspace(0, len(expected) - 1, _SIMULATED).astype(int)]
    components = np.maximum(chosen @ strata.solver.T, 0.0)
    true = components / components.sum(axis=1, keepdims=True)
    df = strata.df
    simulated = components @ strata.weights.T * rng.chisquare(df, (_SIMULATED, len(df)))
    drawn = _shares(strata, simulated[:, None] / rng.chisquare(df, (_DRAWS, len(df))))
    below = (drawn < true[:, None] - 1e-9).mean(axis=1)
    at_most = (drawn <= true[:, None] + 1e-9).mean(axis=1)
    low, high = _LEVELS
    levels = np.stack([np.quantile(at_most, low, axis=0), np.quantile(below, high, axis=0)])
    # Beyond the first and the last of the draws a quantile says nothing.
    wider = np.clip(levels, 1 / _DRAWS, 1 - 1 / _DRAWS)
    return np.stack([np.minimum(low, wider[0]), np.maximum(high, wider[1])])


def _shares(strata: Strata, expected: np.ndarray) -> np.ndarray:
    """Returns shares (..., t) in [0, 1] from expected mean squares (..., s).

    The total is that of components as they are, negative ones too: cut at zero, it is too large.
    """
    components = expected @ strata.solver.T
    total = components.sum(axis=-1, keepdims=True)
    shares: np.ndarray = np.clip(components / np.maximum(total, 1e-300), 0.0, 1.0)
    return shares
