"""Number of crossed runs needed to estimate a share of the variance.

All crossed designs that contain the present one are tried, up to a number of runs, and the one
with the fewest runs is returned. The variance components are estimates, and so is the result.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from study.analysis.comparison.components.components import Components
from study.analysis.comparison.components.strata import expectations, strata_of
from study.analysis.comparison.components.terms import CONFIGURATION
from study.spec.comparison.schema import FACTORS

MAX_RUNS = 1000
"""Largest design that is tried, in runs."""
POINTS = 0.15
"""Wanted half-width of a share, as a fraction."""
Z = float(norm.ppf(0.975))


@dataclass(frozen=True)
class RunsNeeded:
    """The crossed design with the fewest runs that estimates a share well enough."""

    mask: int = 0
    """Seeds in all, the present ones included; 1 if no configuration has a random mask."""
    init: int = 0
    data: int = 0
    runs: int = 0
    """Runs in all."""
    further: int = 0
    """Runs in addition to the present design."""
    reason: str = ""
    """Why there is no such design; the numbers are 0 in this case."""


def runs_for_share(
    components: Components, points: float = POINTS, max_runs: int = MAX_RUNS, term: str = "mask"
) -> RunsNeeded:
    """Returns the smallest design that estimates a term's share of the variance within `points`.

    The 95 % half-width of the estimated share, by its large-sample standard error, is at most
    `points`.

    Args:
        components: of the configurations whose seeds are extended; all get the same number.
        points: as a fraction: 0.15 for 15 percentage points.
        max_runs: largest number of runs.
        term: the variance component whose share is estimated.
    """
    if components[term].estimate is None:
        return RunsNeeded(reason=f"{term} is unknown: {components[term].reason}")
    if unknown := _unknown(components):
        return RunsNeeded(reason=unknown)
    if not components.total:
        return RunsNeeded(reason="the scores do not vary")
    designs = _larger_designs(components, components.counts[CONFIGURATION], max_runs)
    return _smallest(designs, share_error(components, designs, term) * Z <= points, max_runs)


def share_error(
    components: Components, designs: Mapping[str, np.ndarray], term: str = "mask"
) -> np.ndarray:
    """Returns the standard error of an estimated share (delta method), (n,), in n crossed designs.

    Infinite if no crossed design separates these terms.

    Args:
        components: assumed to be the true values.
        designs: number of mask, init and data seeds, (n,) each, at least 2.
        term: the variance component whose share is estimated.
    """
    terms = [part.name for part in components.components if part.estimate is not None]
    shape = [components.counts[CONFIGURATION], *_levels(components).values(), 1]
    strata = strata_of(tuple(shape), terms)
    if strata is None:
        return np.full(len(designs["init"]), np.inf)
    larger: list[int | np.ndarray] = [shape[0], *(designs[axis] for axis in FACTORS), 1]
    df, weights = expectations(larger, strata.patterns, terms)
    sigma = np.array([components[name].estimate for name in terms])
    share = sigma[terms.index(term)] / sigma.sum()
    slope = (np.array([name == term for name in terms]) - share) / sigma.sum()
    # Gradient of the share by each mean square.
    gradient = np.linalg.solve(np.swapaxes(weights, -1, -2), slope[:, None])[..., 0]
    error: np.ndarray = np.sqrt((gradient**2 * 2 * (weights @ sigma) ** 2 / df).sum(axis=-1))
    return error


def _levels(components: Components) -> dict[str, int]:
    return {axis: max(1, components.counts[axis]) for axis in FACTORS}


def _unknown(components: Components) -> str:
    """Returns which factor has no estimate, without which no larger design can be judged."""
    for factor in FACTORS:
        if components.counts[factor] and components[factor].estimate is None:
            return f"{factor} is unknown: {components[factor].reason}"
    return ""


def _larger_designs(
    components: Components, configurations: int, max_runs: int
) -> dict[str, np.ndarray]:
    """Returns the designs that contain the present one, by number of runs: seeds and runs."""
    m, i, d = _levels(components).values()
    most = max_runs if components.counts["mask"] else m
    designs = [
        (configurations * mask * init * data, mask, init, data)
        for init in range(i, max_runs + 1)
        for data in range(d, max_runs // init + 1)
        for mask in range(m, min(most, max_runs // (init * data)) + 1)
    ]
    now = (configurations * m * i * d, m, i, d)
    columns = np.array(sorted({now, *(row for row in designs if row[0] <= max_runs)})).T
    return dict(zip(("runs", *FACTORS), columns, strict=True))


def _smallest(designs: Mapping[str, np.ndarray], enough: np.ndarray, max_runs: int) -> RunsNeeded:
    if not enough.any():
        return RunsNeeded(reason=f"more than {max_runs:,} runs")
    at = int(enough.argmax())
    mask, init, data, runs = (int(designs[name][at]) for name in (*FACTORS, "runs"))
    return RunsNeeded(mask, init, data, runs, runs - int(designs["runs"][0]))
