"""Variance components of scores: the variance due to mask, init and data seeds.

For one configuration, or pooled over several. Components are variances, estimated by REML
(reml.py); the share of a component is its fraction of the sum of all. Intervals are simulated at
95 % (intervals.py). A component that the design cannot separate is not estimated; its `reason`
names the components that include it.

ANOVA estimates are unbiased; REML equals them if none is negative. REML estimates are truncated at
zero: biased upwards for a component near zero, almost unbiased for a large one.

Assumption: effects are normal. A collapsed run violates it; with one among few runs the components
mostly describe that run.
"""

from dataclasses import dataclass

import numpy as np

from study.analysis.comparison.components.intervals import (
    MOST_MISSING,
    component_limits,
    draw_complete,
    draw_incomplete,
    incomplete_grid,
    share_limits,
)
from study.analysis.comparison.components.reml import reml_of_scores, reml_of_strata
from study.analysis.comparison.components.strata import grid_indices, strata_of
from study.analysis.comparison.components.terms import (
    CONFIGURATION,
    RESIDUAL,
    TERMS,
    estimable,
    incidence,
    term_names,
)
from study.analysis.comparison.design import Design, SeedCombination
from study.spec.comparison.schema import FACTORS

DRAWS = 10_000


@dataclass(frozen=True)
class Component:
    """A variance component with its share of the total and 95 % limits of both."""

    name: str
    estimate: float | None = None
    """Variance in squared units of the score, at least 0; None if not estimable."""
    low: float | None = None
    high: float | None = None
    share: float | None = None
    """In [0, 1]; None without an estimate, or if the scores do not vary."""
    share_low: float | None = None
    share_high: float | None = None
    reason: str = ""
    """Why the estimate or the limits are None, or both limits are zero; else empty."""


@dataclass(frozen=True)
class Components:
    """The variance components of one configuration, or of several together."""

    components: list[Component]
    """In the order of `study.analysis.comparison.components.terms.TERMS`."""
    counts: dict[str, int]
    """Number of configurations, mask, init and data seeds with scores."""
    runs: int
    """Number of runs with a score."""
    missing: list[SeedCombination]
    """Runs without a score."""

    def __getitem__(self, name: str) -> Component:
        return next(one for one in self.components if one.name == name)

    @property
    def total(self) -> float:
        """The sum of the estimated components: the variance of one run within a configuration."""
        return sum(one.estimate or 0.0 for one in self.components)


@dataclass(frozen=True)
class _Estimates:
    """REML estimates of t terms, (t,), and 95 % limits, (2, t); these are None if unknown."""

    terms: list[str]
    sigma: np.ndarray
    limits: np.ndarray | None
    share_limits: np.ndarray | None
    reason: str = ""


def variance_components(
    design: Design, rng: np.random.Generator, draws: int = DRAWS
) -> Components:
    """Returns the variance components of the scores of a design, pooled over its configurations.

    Args:
        design: configurations that all have a random mask, or all have none.
        rng: generator for the simulated intervals.
        draws: number of simulated draws. With 10,000, limits from different generators differ by
            a few percentage points for a share, and by about 5 % for the variance due to a factor
            with three seeds.

    Raises:
        ValueError: some configurations have a random mask and others do not.
    """
    masks = design.counts["mask"]
    if masks and design.masked().counts[CONFIGURATION] < design.counts[CONFIGURATION]:
        raise ValueError(
            "pooled configurations must all have a random mask or all have none, but got both; "
            "use design.masked()"
        )
    terms, confounded = estimable(design)
    none = _Estimates([], np.zeros(0), None, None)
    estimates = _estimate(design, terms, rng, draws) if terms else none
    return Components(
        [
            _component(name, estimates)
            if name in terms
            else Component(name, reason=_reason(name, confounded[name], design.counts))
            for name in term_names(design)
        ],
        design.counts,
        len(design.scored),
        design.missing,
    )


def _estimate(
    design: Design, terms: list[str], rng: np.random.Generator, draws: int
) -> _Estimates:
    model = incidence(design).only(terms)
    index = grid_indices(model.columns, terms)
    shape = tuple(int(last) + 1 for last in index.max(axis=0))
    gaps = int(np.prod(shape)) - len(index)
    strata = strata_of(shape, terms)
    scores = design.scores
    within = scores - model.means.T @ (model.means @ scores / model.means.sum(axis=1))
    spread = float(np.std(within))
    if spread <= 1e-12 * np.abs(scores).max():
        zeros = np.zeros((2, len(terms)))
        return _Estimates(terms, zeros[0], zeros, None, "the scores do not vary")
    # Unit variance, so that tolerances are the same for every metric.
    scaled = within / spread
    if strata is not None and not gaps:
        grid = np.zeros(shape)
        grid[tuple(index.T)] = scaled
        squares = strata.mean_squares(grid)
        sigma = reml_of_strata(strata, squares)
        expected = draw_complete(strata, squares, draws, rng)
    else:
        sigma = reml_of_scores(model, scaled)
        if strata is None or gaps > MOST_MISSING:
            why = "no interval: too few seeds are common to the runs"
            return _Estimates(terms, sigma * spread**2, None, None, why)
        start = np.maximum(strata.weights @ sigma, 1e-6)
        grid_with_gaps = incomplete_grid(strata, index, scaled)
        expected = draw_incomplete(strata, grid_with_gaps, start, draws, rng)
    limits = component_limits(strata, expected, sigma)
    shares = share_limits(strata, expected, sigma, rng)
    return _Estimates(terms, sigma * spread**2, limits * spread**2, shares)


def _component(name: str, estimates: _Estimates) -> Component:
    at = estimates.terms.index(name)
    total = estimates.sigma.sum()
    low, high = (None, None) if estimates.limits is None else estimates.limits[:, at].tolist()
    share_low, share_high = (
        (None, None) if estimates.share_limits is None else estimates.share_limits[:, at].tolist()
    )
    estimate = float(estimates.sigma[at])
    share = estimate / float(total) if total > 0 else None
    rare = "consistent with no effect" if high == 0 else ""
    why = estimates.reason or rare
    return Component(name, estimate, low, high, share, share_low, share_high, why)


def _reason(name: str, included_in: list[str], counts: dict[str, int]) -> str:
    """Returns why a term cannot be estimated, as the end of a sentence."""
    if "mask" in TERMS[name] and name != RESIDUAL and not counts["mask"]:
        return "no random mask"
    single = [axis for axis in FACTORS if counts[axis] == 1]
    named = [axis for axis in single if axis in TERMS[name]]
    because = " and ".join(f"one {axis} seed" for axis in named or single)
    if not counts[CONFIGURATION]:
        return "no run has a score"
    if included_in:
        return f"{because or 'too few seeds'}: included in {' and '.join(included_in)}"
    if name == RESIDUAL:
        return "one run per configuration"
    return f"{because or 'too few seeds'}: the same in every score"
