"""95 % intervals of variance components and of their shares, from simulated mean squares.

Expected mean squares are drawn as MS df / chi-square(df) (generalised pivotal quantities). Mean
squares of effects with heavy tails vary more than those of normal ones, and a few seeds do not
show which they are: the logarithms of the draws are spread by `HEAVY` around their median. The
interval of a component lies between the 2.5 % and 97.5 % quantiles of its draws, truncated at
zero. Both limits may be zero: the observed mean squares then occur in at most 1 of 40 designs
whose component is zero, and more rarely for any other component.

Plain quantiles of shares are biased upwards, as the total includes terms with as few as two
degrees of freedom. Their levels are calibrated by a nested simulation (prepivoting, Beran 1987):
mean squares are simulated from drawn components, for which the true shares are known, and the
levels are used at which the quantiles contain the true share in 95 % of the simulations, if these
are wider than the nominal levels.

With missing scores, a Gibbs sampler draws missing scores and expected mean squares in turn.

    symbol     meaning                                   shape
    b, s, t    number of draws, strata, terms
    u          number of missing scores
    expected   draws of expected mean squares            (b, s)
    sigma      estimated variance components             (t,)
"""

from dataclasses import dataclass

import numpy as np

from study.analysis.comparison.components.strata import AXES, Pattern, Strata, contrast_part

CONFIDENCE = 0.95
HEAVY = 1.2
"""With it 94 to 99 % of the intervals of shares hold with 5 x 3 x 3 seeds and normal effects, and
93 to 100 % with effects that have Student's distribution with 3 degrees of freedom; without it 91
to 99 % and 87 to 99 %."""
_LEVELS = np.array([(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
_SIMULATED = 300
"""Simulated designs of the calibration."""
_DRAWS = 1000
"""Draws for each of them."""


def component_limits(strata: Strata, expected: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """Returns the limits of components, (2, t).

    Args:
        strata: of the design.
        expected: draws of expected mean squares (b, s).
        sigma: the estimates (t,), which the limits are made to include.
    """
    drawn = np.maximum(strata.solver @ _spread(expected.T), 0.0)
    return _including(sigma, np.quantile(drawn, _LEVELS, axis=1))


def share_limits(
    strata: Strata, expected: np.ndarray, sigma: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Returns the limits of shares, (2, t), in [0, 1].

    Arguments as in `component_limits`; at least one of `sigma` must be positive.
    """
    levels = _calibrated(strata, expected, rng)
    drawn = np.sort(_shares(strata, _spread(expected.T)), axis=1)
    places = levels * (drawn.shape[1] - 1)
    low, high = np.floor(places[0]).astype(int), np.ceil(places[1]).astype(int)
    terms = np.arange(len(drawn))
    return _including(sigma / sigma.sum(), np.stack([drawn[terms, low], drawn[terms, high]]))


def _including(estimates: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """Returns limits (2, t), widened where they exclude the estimates (t,)."""
    return np.stack([np.minimum(limits[0], estimates), np.maximum(limits[1], estimates)])


def _calibrated(strata: Strata, expected: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Returns the calibrated quantile levels, (2, t)."""
    chosen = expected[np.linspace(0, len(expected) - 1, _SIMULATED).astype(int)]
    components = np.maximum(strata.solver @ chosen.T, 0.0)
    true = (components / components.sum(axis=0))[..., None]
    df = strata.df[:, None]
    simulated = strata.weights @ components * _spread(rng.chisquare(df, (len(df), _SIMULATED)))
    chi = _spread(rng.chisquare(df, (len(df), _DRAWS)))
    drawn = _shares(strata, simulated[..., None] / chi[:, None])
    at_most = np.count_nonzero(drawn <= true + 1e-9, axis=2) / _DRAWS
    below = np.count_nonzero(drawn < true - 1e-9, axis=2) / _DRAWS
    low, high = _LEVELS
    levels = np.stack([np.quantile(at_most, low, axis=1), np.quantile(below, high, axis=1)])
    # Quantiles beyond the most extreme draws do not exist.
    wider = np.clip(levels, 1 / _DRAWS, 1 - 1 / _DRAWS)
    return np.stack([np.minimum(low, wider[0]), np.maximum(high, wider[1])])


def _spread(draws: np.ndarray) -> np.ndarray:
    """Returns positive draws, (s, b), whose logarithms are further from their median."""
    logs = np.log(np.maximum(draws, 1e-300))
    middle = np.median(logs, axis=1, keepdims=True)
    return np.asarray(np.exp(middle + HEAVY * (logs - middle)))


def _shares(strata: Strata, expected: np.ndarray) -> np.ndarray:
    """Returns shares (t, ...) in [0, 1] from expected mean squares (s, ...).

    The total includes negative components; truncated at zero it would be too large.
    """
    components = np.tensordot(strata.solver, expected, axes=1)
    components /= np.maximum(components.sum(axis=0), 1e-300)
    return np.clip(components, 0.0, 1.0, out=components)


MOST_MISSING = 400
"""No interval is computed for more missing scores than this: it would take too long."""
_BURN_IN = 20
"""Burn-in of each chain."""
_MEMORY = 4_000_000
"""Largest size of the (chains, u, u) matrices."""
_WORK = 6e9
"""Largest number of operations; with many missing scores fewer draws are made."""


@dataclass(frozen=True)
class IncompleteGrid:
    """Sums of squares of a grid as a quadratic function of its u missing scores y:

    constant + 2 linear'y + y' quadratic y, for each stratum.
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
    """Returns draws of expected mean squares, (b, s), given the observed ones (s,)."""
    chi = rng.chisquare(strata.df, (draws, len(strata.df)))
    expected: np.ndarray = mean_squares * strata.df / chi
    return expected


def draw_incomplete(
    strata: Strata, grid: IncompleteGrid, start: np.ndarray, draws: int, rng: np.random.Generator
) -> np.ndarray:
    """Returns draws of expected mean squares, (b, s), from Gibbs chains started at `start` (s,).

    Fewer than `draws` if many scores are missing.
    """
    missing = grid.linear.shape[1]
    draws = int(min(draws, max(500, _WORK / missing**3)))
    chains = int(min(250, max(20, _MEMORY / missing**2)))
    expected = np.tile(start, (chains, 1))
    kept: list[np.ndarray] = []
    for turn in range(_BURN_IN + -(-draws // chains)):
        y = _missing_scores(grid, expected, rng)
        sums = grid.constant + 2 * y @ grid.linear.T
        sums += np.einsum("bi,sij,bj->bs", y, grid.quadratic, y, optimize=True)
        expected = np.maximum(sums, 1e-300) / rng.chisquare(strata.df, expected.shape)
        if turn >= _BURN_IN:
            kept.append(expected)
    return np.concatenate(kept)[:draws]


def incomplete_grid(strata: Strata, index: np.ndarray, scores: np.ndarray) -> IncompleteGrid:
    """Returns the grid with scores (n,) at the indices `index` (n, AXES)."""
    grid = np.full(strata.shape, np.nan)
    grid[tuple(index.T)] = scores
    gaps = np.argwhere(np.isnan(grid))
    known = np.nan_to_num(grid - np.nanmean(grid, axis=(1, 2, 3, 4), keepdims=True))
    seen = [
        np.sum([contrast_part(known, p) for p in patterns], axis=0) for patterns in strata.patterns
    ]
    return IncompleteGrid(
        constant=np.array([np.square(grid).sum() for grid in seen]),
        linear=np.array([grid[tuple(gaps.T)] for grid in seen]),
        quadratic=np.array(
            [
                np.sum([_projector(strata.shape, gaps, p) for p in patterns], axis=0)
                for patterns in strata.patterns
            ]
        ),
    )


def _missing_scores(
    grid: IncompleteGrid, expected: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Draws missing scores (b, u) given the observed ones and expected mean squares (b, s)."""
    precision = np.tensordot(1 / expected, grid.quadratic, axes=1)
    precision += 1e-12 * np.einsum("bii->b", precision)[:, None, None] * np.eye(len(precision[0]))
    noise = rng.standard_normal(precision.shape[:2])
    shift = np.einsum("bij,bj->bi", np.linalg.cholesky(precision), noise)
    return np.linalg.solve(precision, (shift - (1 / expected) @ grid.linear)[..., None])[..., 0]


def _projector(shape: tuple[int, ...], cells: np.ndarray, pattern: Pattern) -> np.ndarray:
    """Returns the projector on the contrasts of a pattern, (u, u), at `cells` (u, AXES)."""
    projector = np.ones((len(cells), len(cells)))
    for axis, along in zip(range(len(AXES)), pattern, strict=True):
        mean = 1 / shape[axis]
        same = np.equal.outer(cells[:, axis], cells[:, axis])
        projector *= same - mean if along else mean
    return projector
