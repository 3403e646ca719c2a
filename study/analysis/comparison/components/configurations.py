"""Variance components of the configurations of a folder; runs needed to decide a pair.

Near the limits of a metric, components are those on Fisher's z or the logit scale (scale.py).
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from study.analysis.comparison.components.components import Components, variance_components
from study.analysis.comparison.components.sample_size import (
    POWER,
    RunsNeeded,
    Z,
    runs_for_difference,
    runs_for_share,
)
from study.analysis.comparison.design import NO_MASK, Design, read_design
from study.analysis.comparison.results import ComparisonResults
from study.analysis.comparison.scale import Scale, scale_of
from study.analysis.comparison.scores.crossed import LEVEL
from study.analysis.comparison.scores.paired import Pair
from study.spec.comparison.schema import FACTORS

SHOWN = 6
"""With more configurations than this only the first has separate components."""
POOLED = "all configurations with a mask"
"""In place of a label: the configurations with a random mask, pooled."""
_DRAWS = 200
"""Draws of the intervals of the components of a difference, which are not reported."""


@dataclass(frozen=True)
class ConfigurationComponents:
    """The variance components of the scores of one configuration, or of several pooled."""

    configuration: str
    """A label or POOLED."""
    components: Components
    scale: Scale
    crossed: bool
    """Whether the scored runs are crossed, which is needed to separate the factors."""
    planned_crossed: bool
    """Whether all rows of results.csv are crossed, finished or not."""
    rows: int
    """Number of rows of results.csv."""
    runs_needed: RunsNeeded | None
    """To estimate the share of the mask within 15 percentage points; None without a mask."""

    @property
    def estimable(self) -> bool:
        """Whether at least one of mask, init and data has an estimate."""
        factors = (self.components[name] for name in FACTORS)
        return self.crossed and any(factor.estimate is not None for factor in factors)


def components_by_configuration(
    comparison: ComparisonResults, metric: str, rows: int | None, rng: np.random.Generator
) -> list[ConfigurationComponents]:
    """Returns the components of all masked configurations pooled, then of each configuration.

    Configurations with fewer than two scores are left out.

    Args:
        comparison: the runs.
        metric: a column of results.csv.
        rows: number of rows of the split that was scored; None if not known.
        rng: draws the intervals.
    """
    runs = comparison.runs
    scores = np.array([run.values.get(metric, np.nan) for run in runs])
    scale = scale_of(metric, scores, rows or 1000)
    keys = np.array([run.key for run in runs])
    labels = [run.configuration for run in runs]
    design = read_design(labels, keys[:, 0], keys[:, 1], keys[:, 2], scale.forward(scores))
    masked = design.masked()
    several = masked.counts["configuration"] > 1
    estimates = [_components_of(POOLED, masked, scale, rng)] if several else []
    shown = [str(label) for label in design.configurations]
    for label in shown if len(shown) <= SHOWN else shown[:1]:
        own = design.of(label)
        if len(own.scored) > 1:
            estimates.append(_components_of(label, own, scale, rng))
    return estimates


def runs_to_decide(pair: Pair, rng: np.random.Generator) -> RunsNeeded | None:
    """Returns the number of runs that would decide an undecided pair at the corrected level.

    None if the present runs give no interval, or if some of them have not ended.
    """
    low, high = pair.difference.low, pair.difference.high
    if low is None or high is None or low == high or pair.pending:
        return None
    mean, half = pair.difference.mean, (high - low) / 2
    # The difference in standard errors, by its interval and its p-value, and its critical value.
    now = abs(mean) / half * Z
    if pair.p_two_sided is not None:
        now = min(now, float(norm.isf(pair.p_two_sided / 2)))
    if now <= 0:
        return RunsNeeded(
            reason="failed runs decide it" if pair.imputed_difference else "no difference"
        )
    critical = float(norm.isf((1 - LEVEL) / 2 / pair.tests))
    half = abs(mean) * critical / now
    keys = np.array(list(pair.differences))
    masked = keys[:, 0] != NO_MASK
    design = read_design(
        ["difference"] * len(keys), keys[:, 0], keys[:, 1], keys[:, 2],
        list(pair.differences.values()),
    )  # fmt: skip
    if not design.crossed:
        shrinkage = now / (critical + norm.ppf(POWER))
        return RunsNeeded(
            independent=math.ceil(len(keys) / shrinkage**2), reason="the seeds are not crossed"
        )
    components = variance_components(design, rng, draws=_DRAWS)
    count = pair.masked if masked.all() else 0
    return runs_for_difference(components, mean, half, count, 2 - count, critical=critical)


def _components_of(
    label: str, design: Design, scale: Scale, rng: np.random.Generator
) -> ConfigurationComponents:
    components = variance_components(design, rng)
    return ConfigurationComponents(
        configuration=label,
        components=components,
        scale=scale,
        crossed=design.crossed,
        planned_crossed=design.planned_crossed,
        rows=len(design.cells),
        runs_needed=runs_for_share(components) if components.counts["mask"] else None,
    )
