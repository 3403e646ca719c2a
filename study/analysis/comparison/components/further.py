"""How many more seeds settle what is open: a difference, or the share of the mask.

In a crossed design with m mask, i init and d data seeds the mean of the scores varies by

    Var(m, i, d) = mask/m + init/i + data/d + mask:init/(m i) + ... + residual/(m i d)

and an interval narrows as its root does. All designs that contain the present one are tried, up to
a number of runs, and the one with the fewest runs is returned. The components are estimates, so
the answer is one too.

A crossed design tells whose luck it is. It is a dear way to settle a difference: n runs that share
no seed have a mean that varies by total/n alone. So the number of these is told as well.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import norm

from study.analysis.comparison.components.components import Components
from study.analysis.comparison.components.strata import expectations, strata_of
from study.analysis.comparison.components.terms import CONFIGURATION, TERMS
from study.analysis.comparison.design import FACTORS

BOUND = 1000
"""Runs in all, beyond which no design is tried."""
CHANCE = 0.8
POINTS = 0.15
Z = float(norm.ppf(0.975))


@dataclass(frozen=True)
class Plan:
    """The cheapest crossed design that settles a question; with a reason, there is none."""

    mask: int = 0
    """Seeds in all, those that are there included; 1 mask where none touches anything."""
    init: int = 0
    data: int = 0
    runs: int = 0
    """In all."""
    further: int = 0
    """Runs that are not made yet; 0: the question is settled."""
    fresh: int = 0
    """Of a difference: runs of each configuration that alone would settle it, were they made with
    three fresh seeds each, the same for both; 0 if it is settled or nothing is known."""
    reason: str = ""
    """Why there is no crossed design: its numbers are then 0."""


def runs_for_difference(
    components: Components,
    difference: float,
    half_width: float,
    masked: int = 1,
    plain: int = 1,
    chance: float = CHANCE,
    bound: int = BOUND,
    critical: float = Z,
) -> Plan:
    """Returns the cheapest design in which the interval of a difference excludes zero.

    Args:
        components: of the differences themselves: `variance_components` of a design with a
            configuration whose score is the difference of two at the same seeds.
        difference: its estimate now, taken for the truth.
        half_width: of its interval now.
        masked: of the two that are compared, how many a mask touches: m i d runs each.
        plain: how many none touches: i d runs each.
        chance: with which the new interval is to exclude zero; 0.5 asks for one that would do
            so if the new estimate were the old one.
        bound: largest number of runs.
        critical: of the interval, in standard errors; that of 95 %, or more where several
            questions are asked at once.
    """
    designs = _designs(components, masked, plain, bound)
    if abs(difference) > half_width:
        return _cheapest(designs, designs["runs"] > 0, bound)
    if unknown := _unknown(components):
        return Plan(reason=unknown)
    if not difference or not components.total:
        return Plan(reason="no difference" if components.total else "the scores do not vary")
    variances = _variance(components, designs)
    # The present design is the first one. What its interval has to shrink by, as a variance:
    shrunk = difference / half_width / (1 + norm.ppf(chance) / critical)
    wanted = variances[0] * shrunk**2
    fresh = math.ceil(components.total / wanted)
    return replace(_cheapest(designs, variances <= wanted, bound), fresh=fresh)


def runs_for_share(
    components: Components, points: float = POINTS, bound: int = BOUND, term: str = "mask"
) -> Plan:
    """Returns the cheapest design that tells a term's share of the variance within `points`.

    The estimated share is then within so much of the true one with a chance of 95 %, by the
    large-sample error of its estimate.

    Args:
        components: of the configurations whose seeds are to be extended; all get the same.
        points: as a fraction: 0.15 for 15 points.
        bound: largest number of runs.
        term: whose share.
    """
    if components[term].estimate is None:
        return Plan(reason=f"{term} is unknown: {components[term].reason}")
    if unknown := _unknown(components):
        return Plan(reason=unknown)
    if not components.total:
        return Plan(reason="the scores do not vary")
    masked = components.counts[CONFIGURATION]
    designs = _designs(components, masked, 0, bound)
    return _cheapest(designs, share_error(components, designs, term) * Z <= points, bound)


def share_error(
    components: Components, designs: Mapping[str, np.ndarray], term: str = "mask"
) -> np.ndarray:
    """Returns the standard error of an estimated share, (n,), in n crossed designs.

    Infinite if no crossed design can tell these terms apart.

    Args:
        components: taken for the truth.
        designs: seeds by mask, init and data, (n,) each, at least 2.
        term: whose share.
    """
    terms = [found.name for found in components.components if found.estimate is not None]
    shape = [components.counts[CONFIGURATION], *_levels(components).values(), 1]
    strata = strata_of(tuple(shape), terms)
    if strata is None:
        return np.full(len(designs["init"]), np.inf)
    larger: list[int | np.ndarray] = [shape[0], *(designs[axis] for axis in FACTORS), 1]
    df, weights = expectations(larger, strata.patterns, terms)
    sigma = np.array([components[name].estimate for name in terms])
    share = sigma[terms.index(term)] / sigma.sum()
    slope = (np.array([name == term for name in terms]) - share) / sigma.sum()
    # Of each mean square the share moves by `slope` times the components that it moves.
    moved = np.linalg.solve(np.swapaxes(weights, -1, -2), slope[:, None])[..., 0]
    error: np.ndarray = np.sqrt((moved**2 * 2 * (weights @ sigma) ** 2 / df).sum(axis=-1))
    return error


def _levels(components: Components) -> dict[str, int]:
    return {axis: max(1, components.counts[axis]) for axis in FACTORS}


def _unknown(components: Components) -> str:
    """Says which factor has no estimate: without it no larger design can be judged."""
    for factor in FACTORS:
        if components.counts[factor] and components[factor].estimate is None:
            return f"{factor} is unknown: {components[factor].reason}"
    return ""


def _variance(components: Components, seeds: Mapping[str, np.ndarray]) -> np.ndarray:
    """Returns the variance of the mean of all scores, (n,), in n designs."""
    found = np.zeros(1)
    for part in components.components:
        levels = [seeds[axis] for axis in FACTORS if axis in TERMS[part.name]]
        found = found + (part.estimate or 0.0) / np.prod(levels, axis=0)
    return found


def _designs(components: Components, masked: int, plain: int, bound: int) -> dict[str, np.ndarray]:
    """Returns the designs that contain the present one, the fewest runs first: seeds and runs."""
    m, i, d = _levels(components).values()
    most = bound if components.counts["mask"] else m
    found = [
        ((masked * mask + plain) * init * data, mask, init, data)
        for init in range(i, bound + 1)
        for data in range(d, bound // init + 1)
        for mask in range(m, min(most, bound // (init * data)) + 1)
    ]
    now = ((masked * m + plain) * i * d, m, i, d)
    columns = np.array(sorted({now, *(row for row in found if row[0] <= bound)})).T
    return dict(zip(("runs", *FACTORS), columns, strict=True))


def _cheapest(designs: Mapping[str, np.ndarray], enough: np.ndarray, bound: int) -> Plan:
    if not enough.any():
        return Plan(reason=f"more than {bound:,} runs")
    at = int(enough.argmax())
    mask, init, data, runs = (int(designs[name][at]) for name in (*FACTORS, "runs"))
    return Plan(mask, init, data, runs, runs - int(designs["runs"][0]))
