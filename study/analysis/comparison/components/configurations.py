"""Variance components of the configurations of a folder, from the runs with crossed seeds.

Near the limits of a metric, components are those on Fisher's z or the logit scale (scale.py).
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from study.analysis.comparison.components.components import Components, variance_components
from study.analysis.comparison.components.sample_size import (
    RunsNeeded,
    runs_for_share,
)
from study.analysis.comparison.design import Design, read_design
from study.analysis.comparison.results import ComparisonResults, RunResult
from study.analysis.comparison.scale import Scale, scale_of
from study.spec.comparison.schema import FACTORS

SHOWN = 6
"""With more configurations than this only the first has separate components."""
POOLED = "all configurations with a mask"
"""In place of a label: the configurations with a random mask, pooled."""


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
    comparison: ComparisonResults,
    metric: str,
    rows: int | None,
    rng: np.random.Generator,
    collapsed: Collection[RunResult] = (),
) -> list[ConfigurationComponents]:
    """Returns the components of all masked configurations pooled, then of each configuration.

    Configurations with fewer than two scores are left out. Collapsed runs count as missing: one of
    them among few runs would be most of the variance, of which nothing could be said.

    Args:
        comparison: the runs.
        metric: a column of results.csv.
        rows: number of rows of the split that was scored; None if not known.
        rng: draws the intervals.
        collapsed: runs whose scores are left out.
    """
    runs = comparison.crossed
    if not runs:
        return []
    lost = {run.number for run in collapsed}
    scores = np.array(
        [np.nan if run.number in lost else run.values.get(metric, np.nan) for run in runs]
    )
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
