"""Whose luck a score is: the variance components of a folder's configurations, and what is open.

Components are of the scores on a scale without limits where they come near them (scale.py).
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from study.analysis.comparison.components.components import Components, variance_components
from study.analysis.comparison.components.further import (
    CHANCE,
    Plan,
    Z,
    runs_for_difference,
    runs_for_share,
)
from study.analysis.comparison.design import NO_MASK, Design, read_design
from study.analysis.comparison.reading import Comparison
from study.analysis.comparison.scale import Scale, scale_of
from study.analysis.comparison.scores.crossed import LEVEL
from study.analysis.comparison.scores.paired import Pair

SHOWN = 6
"""Of more configurations than these the first alone has components of its own."""
POOLED = "all that a mask touches"


@dataclass(frozen=True)
class Luck:
    """The variance components of one configuration's scores, or of several pooled."""

    configuration: str
    """A label or POOLED."""
    components: Components
    scale: Scale
    crossed: bool
    """Whether seeds change one at a time, so that a factor's luck can be told from another's."""
    planned: bool
    """The same of all rows of results.csv, whether they have ended or not."""
    rows: int
    plan: Plan | None
    """What would tell the mask's share within 15 points; None where no mask touches anything."""

    @property
    def estimable(self) -> bool:
        """Whether any factor on its own has an estimate."""
        factors = (self.components[name] for name in ("mask", "init", "data"))
        return self.crossed and any(factor.estimate is not None for factor in factors)


def lucks(
    comparison: Comparison, metric: str, rows: int | None, rng: np.random.Generator
) -> list[Luck]:
    """Returns the components of every configuration with two scores, and pooled ones first."""
    runs = comparison.runs
    scores = np.array([run.values.get(metric, np.nan) for run in runs])
    scale = scale_of(metric, scores, rows or 1000)
    keys = np.array([run.key for run in runs])
    labels = [run.configuration for run in runs]
    design = read_design(labels, keys[:, 0], keys[:, 1], keys[:, 2], scale.forward(scores))
    masked = design.masked()
    several = masked.counts["configuration"] > 1
    found = [_luck(POOLED, masked, scale, rng)] if several else []
    shown = [str(label) for label in design.configurations]
    for label in shown if len(shown) <= SHOWN else shown[:1]:
        own = design.of(label)
        if len(own.scored) > 1:
            found.append(_luck(label, own, scale, rng))
    return found


def further_runs(pair: Pair, rng: np.random.Generator) -> Plan | None:
    """Returns what would settle an open difference, after correction.

    None where the present runs cannot say, or more of them are still to end.
    """
    low, high = pair.difference.low, pair.difference.high
    if low is None or high is None or low == high or pair.pending:
        return None
    mean, half = pair.difference.mean, (high - low) / 2
    # In standard errors: where the difference is, by its interval and its p-value, and is to be.
    now = abs(mean) / half * Z
    if pair.p_two_sided is not None:
        now = min(now, float(norm.isf(pair.p_two_sided / 2)))
    if now <= 0:
        return Plan(reason="failed runs decide it" if pair.charged else "no difference")
    critical = float(norm.isf((1 - LEVEL) / 2 / pair.tests))
    half = abs(mean) * critical / now
    keys = np.array(list(pair.differences))
    masked = keys[:, 0] != NO_MASK
    design = read_design(
        ["difference"] * len(keys), keys[:, 0], keys[:, 1], keys[:, 2],
        list(pair.differences.values()),
    )  # fmt: skip
    if not design.crossed:
        reason = "the seeds never change one at a time"
        narrower = now / (critical + norm.ppf(CHANCE))
        return Plan(fresh=math.ceil(len(keys) / narrower**2), reason=reason)
    found = variance_components(design, rng, draws=200)
    count = pair.masked if masked.all() else 0
    return runs_for_difference(found, mean, half, count, 2 - count, critical=critical)


def _luck(label: str, design: Design, scale: Scale, rng: np.random.Generator) -> Luck:
    found = variance_components(design, rng)
    plan = runs_for_share(found) if found.counts["mask"] else None
    return Luck(label, found, scale, design.crossed, design.planned, len(design.cells), plan)
