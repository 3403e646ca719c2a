"""Variance components: how much of the spread of scores is the luck of mask, init and data.

Of one configuration, or pooled over several. Components are variances, estimated by REML; a share
is a component over the sum of all. Intervals are parametric-bootstrap intervals at 95 %. What a
design cannot tell apart is not guessed: such a component says where its variance is counted.

Estimates of the analysis of variance, which REML equals where none of them is negative, are
unbiased. REML's are cut at zero: on average too high for a component that is near zero, by up to
what chance makes of it in this design, and hardly biased for one that is far from it.

Effects are taken to be normal. A run that collapsed is not: with one among few, the components say
little more than that it did.
"""

from dataclasses import dataclass

import numpy as np

from study.analysis.comparison.components.intervals import (
    MOST_MISSING,
    component_limits,
    draw_complete,
    draw_incomplete,
    incomplete,
    share_limits,
)
from study.analysis.comparison.components.reml import reml_of_scores, reml_of_strata
from study.analysis.comparison.components.strata import place, strata_of
from study.analysis.comparison.components.terms import (
    CONFIGURATION,
    RESIDUAL,
    TERMS,
    estimable,
    incidence,
    term_names,
)
from study.analysis.comparison.design import FACTORS, Cell, Design

DRAWS = 10_000


@dataclass(frozen=True)
class Component:
    """A variance component with its share of the total; limits are those of 95 % intervals."""

    name: str
    estimate: float | None = None
    """A variance, at least 0; None if it cannot be estimated."""
    low: float | None = None
    high: float | None = None
    share: float | None = None
    """In [0, 1]; None if there is no estimate, or no variance at all."""
    share_low: float | None = None
    share_high: float | None = None
    reason: str = ""
    """Why the estimate or the limits are None, or both limits zero; else empty."""


@dataclass(frozen=True)
class Components:
    """The variance components of one configuration, or of several together."""

    components: list[Component]
    """In the order of `study.analysis.comparison.components.terms.TERMS`."""
    counts: dict[str, int]
    """How many configurations, mask, init and data seeds have scores."""
    runs: int
    """With a score."""
    missing: list[Cell]
    """Runs without one."""

    def __getitem__(self, name: str) -> Component:
        return next(found for found in self.components if found.name == name)

    @property
    def total(self) -> float:
        """The variance of a run's score within its configuration, of all that is estimated."""
        return sum(found.estimate or 0.0 for found in self.components)


@dataclass(frozen=True)
class _Found:
    """What was estimated, by term (t); limits (2, t), None without intervals."""

    terms: list[str]
    sigma: np.ndarray
    limits: np.ndarray | None
    share_limits: np.ndarray | None
    reason: str = ""


def variance_components(
    design: Design, rng: np.random.Generator, draws: int = DRAWS
) -> Components:
    """Returns the components of a design's scores, pooled over its configurations.

    Args:
        design: configurations that a mask touches, or such that none does; not both.
        rng: draws the intervals.
        draws: how many. With 10,000 the limits vary from one generator to another by a few points
            for a share, by about 5 % for a component that rests on three seeds.

    Raises:
        ValueError: a mask touches some configurations and not others.
    """
    masks = design.counts["mask"]
    if masks and design.masked().counts[CONFIGURATION] < design.counts[CONFIGURATION]:
        raise ValueError("only configurations that a mask touches can be pooled: design.masked()")
    terms, hidden = estimable(design)
    found = _estimate(design, terms, rng, draws) if terms else _Found([], np.zeros(0), None, None)
    return Components(
        [
            _component(name, found)
            if name in terms
            else Component(name, reason=_reason(name, hidden[name], design.counts))
            for name in term_names(design)
        ],
        design.counts,
        len(design.scored),
        design.missing,
    )


def _estimate(design: Design, terms: list[str], rng: np.random.Generator, draws: int) -> _Found:
    model = incidence(design).only(terms)
    index = place(model.columns, terms)
    shape = tuple(int(last) + 1 for last in index.max(axis=0))
    gaps = int(np.prod(shape)) - len(index)
    strata = strata_of(shape, terms)
    scores = design.scores
    within = scores - model.means.T @ (model.means @ scores / model.means.sum(axis=1))
    spread = float(np.std(within))
    if spread <= 1e-12 * np.abs(scores).max():
        zeros = np.zeros((2, len(terms)))
        return _Found(terms, zeros[0], zeros, None, "the scores do not vary")
    # A unit variance: rounding and floors are then the same for every metric.
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
            return _Found(terms, sigma * spread**2, None, None, why)
        start = np.maximum(strata.weights @ sigma, 1e-6)
        expected = draw_incomplete(strata, incomplete(strata, index, scaled), start, draws, rng)
    limits = component_limits(strata, expected, sigma)
    shares = share_limits(strata, expected, sigma, rng)
    return _Found(terms, sigma * spread**2, limits * spread**2, shares)


def _component(name: str, found: _Found) -> Component:
    at = found.terms.index(name)
    total = found.sigma.sum()
    low, high = (None, None) if found.limits is None else found.limits[:, at].tolist()
    share_low, share_high = (
        (None, None) if found.share_limits is None else found.share_limits[:, at].tolist()
    )
    estimate = float(found.sigma[at])
    share = estimate / float(total) if total > 0 else None
    rare = "smaller than chance alone makes it in 39 of 40 designs" if high == 0 else ""
    why = found.reason or rare
    return Component(name, estimate, low, high, share, share_low, share_high, why)


def _reason(name: str, hiding: list[str], counts: dict[str, int]) -> str:
    """Says why a term cannot be estimated, as the end of a sentence about it."""
    if "mask" in TERMS[name] and name != RESIDUAL and not counts["mask"]:
        return "no mask touches the configuration"
    single = [axis for axis in FACTORS if counts[axis] == 1]
    named = [axis for axis in single if axis in TERMS[name]]
    because = " and ".join(f"one {axis} seed" for axis in named or single)
    if not counts[CONFIGURATION]:
        return "no run has a score"
    if hiding:
        return f"{because or 'too few seeds'}: counted in {' and '.join(hiding)}"
    if name == RESIDUAL:
        return "one run a configuration"
    return f"{because or 'too few seeds'}: the same in every score"
