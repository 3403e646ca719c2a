"""Whose luck a score is: the variance components of a folder's configurations, and what is open.

Components are of the scores on a scale without limits where they come near them (scale.py).
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from study.analysis.seeds.components import Components, variance_components
from study.analysis.seeds.design import NO_MASK, Design, read_design
from study.analysis.seeds.further import CHANCE, Plan, runs_for_difference, runs_for_share
from study.analysis.seeds.paired import Pair
from study.analysis.seeds.reading import Comparison
from study.analysis.seeds.scale import Scale, scale_of

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
    """Returns what would settle a difference; None where the present runs cannot say."""
    low, high = pair.difference.low, pair.difference.high
    if low is None or high is None or low == high:
        return None
    keys = np.array(list(pair.differences))
    masked = keys[:, 0] != NO_MASK
    design = read_design(
        ["difference"] * len(keys), keys[:, 0], keys[:, 1], keys[:, 2],
        list(pair.differences.values()),
    )  # fmt: skip
    half = (high - low) / 2
    if not design.crossed:
        return _fresh(design.scores, pair.difference.mean, half)
    found = variance_components(design, rng, draws=200)
    count = pair.masked if masked.all() else 0
    return runs_for_difference(found, pair.difference.mean, half, count, 2 - count)


def _fresh(differences: np.ndarray, mean: float, half: float) -> Plan:
    """How many runs with three fresh seeds each settle a difference, as `runs_for_difference`."""
    reason = "the seeds never change one at a time"
    if not mean or abs(mean) > half:
        return Plan(reason=reason if not mean else "")
    narrower = abs(mean) / half / (1 + norm.ppf(CHANCE) / norm.ppf(0.975))
    return Plan(fresh=math.ceil(len(differences) / narrower**2), reason=reason)


def _luck(label: str, design: Design, scale: Scale, rng: np.random.Generator) -> Luck:
    found = variance_components(design, rng)
    plan = runs_for_share(found) if found.counts["mask"] else None
    return Luck(label, found, scale, design.crossed, design.planned, len(design.cells), plan)
