"""How many more seeds settle what is open: a difference, or the share of the mask.

In a crossed design with m mask, i init and d data seeds the mean of the scores varies by

    Var(m, i, d) = mask/m + init/i + data/d + mask:init/(m i) + ... + residual/(m i d)

and an interval narrows as its root does. All designs that contain the present one are tried, up to
a number of runs, and the one with the fewest runs is returned. The components are estimates, so
the answer is one too.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from study.analysis.seeds.components import Components
from study.analysis.seeds.design import FACTORS
from study.analysis.seeds.terms import CONFIGURATION, RESIDUAL, TERMS

BOUND = 1000
"""Runs in all, beyond which no design is tried."""
CHANCE = 0.8
POINTS = 0.15
_Z = float(norm.ppf(0.975))


@dataclass(frozen=True)
class Plan:
    """The cheapest crossed design that settles a question; with a reason, there is none."""

    mask: int = 0
    """Seeds in all, those that are there included; 0 where no mask touches anything."""
    init: int = 0
    data: int = 0
    runs: int = 0
    """In all."""
    further: int = 0
    """Runs that are not made yet; 0: the question is settled."""
    reason: str = ""
    """Why there is no design: every number is then 0."""


def runs_for_difference(
    components: Components,
    difference: float,
    half_width: float,
    masked: int = 1,
    plain: int = 1,
    chance: float = CHANCE,
    bound: int = BOUND,
) -> Plan:
    """Returns the cheapest design in which the interval of a difference excludes zero.

    Args:
        components: of the differences themselves: `variance_components` of a design with a
            configuration whose score is the difference of two at the same seeds.
        difference: its estimate now, taken for the truth.
        half_width: of its 95 % interval now.
        masked: of the two that are compared, how many a mask touches: m i d runs each.
        plain: how many none touches: i d runs each.
        chance: with which the new interval is to exclude zero; 0.5 asks for one that would do
            so if the new estimate were the old one.
        bound: largest number of runs.
    """
    if abs(difference) > half_width:
        return _settled(components, masked, plain)
    if unknown := _unknown(components):
        return Plan(reason=unknown)
    if not components.total:
        return Plan(reason="the differences do not vary")
    designs = _designs(components, masked, plain, bound)
    now = _variance(components, {axis: np.array([n]) for axis, n in _levels(components).items()})
    shrunk = half_width * np.sqrt(_variance(components, designs) / now)
    enough = abs(difference) >= shrunk * (1 + norm.ppf(chance) / _Z)
    return _cheapest(components, designs, enough, bound)


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
    enough = share_error(components, designs, term) * _Z <= points
    return _cheapest(components, designs, enough, bound)


def share_error(
    components: Components, designs: Mapping[str, np.ndarray], term: str = "mask"
) -> np.ndarray:
    """Returns the standard error of an estimated share, (n,), in n crossed designs.

    Args:
        components: taken for the truth.
        designs: seeds by mask, init and data, (n,) each, at least 2.
        term: whose share.
    """
    sigma = {c.name: c.estimate for c in components.components if c.estimate is not None}
    raise NotImplementedError
