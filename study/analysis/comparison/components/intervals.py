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

from dataclasses import dataclass

import numpy as np

from study.analysis.comparison.components.strata import AXES, Pattern, Strata, part

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


MOST_MISSING = 400
"""Of more missing scores than this no draws are made: it would take too long."""
_SETTLE = 20
"""Rounds of each chain before its first draw is kept."""
_MEMORY = 4_000_000
"""Numbers in the (chains, u, u) matrices."""
_WORK = 6e9
"""Operations; with many missing scores fewer draws are made."""


@dataclass(frozen=True)
class Incomplete:
    """A grid with u missing scores, as the sums of squares depend on them.

    With these scores y (u), a stratum's sum of squares is constant + 2 linear'y + y' quadratic y.
    """

    constant: np.ndarray
    """(s,)"""
    linear: np.ndarray
    """(s, u)"""
    quadratic: np.ndarray
    """(s, u, u)"""


def draw_complete(
    strata: Strata, mean_squares: np.ndarray, draws: int, rng: np.random.Generator
) -> np.ndarray:
    """Returns expected mean squares, (b, s), that the observed ones (s) admit."""
    chi = rng.chisquare(strata.df, (draws, len(strata.df)))
    expected: np.ndarray = mean_squares * strata.df / chi
    return expected


def draw_incomplete(
    strata: Strata, grid: Incomplete, start: np.ndarray, draws: int, rng: np.random.Generator
) -> np.ndarray:
    """Returns expected mean squares, (b, s), from chains that begin at `start` (s)."""
    missing = grid.linear.shape[1]
    draws = int(min(draws, max(500, _WORK / missing**3)))
    chains = int(min(250, max(20, _MEMORY / missing**2)))
    expected = np.tile(start, (chains, 1))
    kept: list[np.ndarray] = []
    for turn in range(_SETTLE + -(-draws // chains)):
        y = _missing_scores(grid, expected, rng)
        sums = grid.constant + 2 * y @ grid.linear.T
        sums += np.einsum("bi,sij,bj->bs", y, grid.quadratic, y, optimize=True)
        expected = np.maximum(sums, 1e-300) / rng.chisquare(strata.df, expected.shape)
        if turn >= _SETTLE:
            kept.append(expected)
    return np.concatenate(kept)[:draws]


def incomplete(strata: Strata, index: np.ndarray, scores: np.ndarray) -> Incomplete:
    """Returns the grid of scores (n) that stand at `index` (n, AXES) of it."""
    grid = np.full(strata.shape, np.nan)
    grid[tuple(index.T)] = scores
    gaps = np.argwhere(np.isnan(grid))
    known = np.nan_to_num(grid - np.nanmean(grid, axis=(1, 2, 3, 4), keepdims=True))
    seen = [np.sum([part(known, p) for p in found], axis=0) for found in strata.patterns]
    return Incomplete(
        constant=np.array([np.square(grid).sum() for grid in seen]),
        linear=np.array([grid[tuple(gaps.T)] for grid in seen]),
        quadratic=np.array(
            [
                np.sum([_between(strata.shape, gaps, p) for p in found], axis=0)
                for found in strata.patterns
            ]
        ),
    )


def _missing_scores(
    grid: Incomplete, expected: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Returns missing scores (b, u), given all others and expected mean squares (b, s)."""
    precision = np.tensordot(1 / expected, grid.quadratic, axes=1)
    precision += 1e-12 * np.einsum("bii->b", precision)[:, None, None] * np.eye(len(precision[0]))
    noise = rng.standard_normal(precision.shape[:2])
    pull = np.einsum("bij,bj->bi", np.linalg.cholesky(precision), noise)
    return np.linalg.solve(precision, (pull - (1 / expected) @ grid.linear)[..., None])[..., 0]


def _between(shape: tuple[int, ...], cells: np.ndarray, pattern: Pattern) -> np.ndarray:
    """Returns the projector to contrasts of a pattern, (u, u), at `cells` (u, AXES)."""
    found = np.ones((len(cells), len(cells)))
    for axis, along in zip(range(len(AXES)), pattern, strict=True):
        mean = 1 / shape[axis]
        same = np.equal.outer(cells[:, axis], cells[:, axis])
        found *= same - mean if along else mean
    return found
