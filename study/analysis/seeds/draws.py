"""Components that the scores admit, at random: the draws from which the intervals are read.

With a complete grid these are generalized pivotal quantities (Weerahandi 1993): a mean square is
its expectation lambda times a chi-square over df, so

    lambda* = mean square * df / chi-square(df)

is what lambda may have been, and the components follow from lambda* as from mean squares. The
limits of lambda are exact, with three seeds as with thirty; those of resampled scores are not.

With missing scores the grid is completed first: given lambda, the missing scores are normal, given
all others; given the complete grid, lambda is drawn as above. Repeated in turn, in many chains
side by side that start from the estimate, the two draws settle in the distribution of both
(Tanner & Wong 1987). Without missing scores nothing is left of this but the line above.
Intervals then hold the truth in 92 to 97 % of designs with a tenth of the scores missing, in 90 to
94 % with a third (tests/benchmarks/bench_seeds.py).

    b  draws      s  strata      u  missing scores
"""

from dataclasses import dataclass

import numpy as np

from study.analysis.seeds.strata import AXES, Pattern, Strata, part

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
