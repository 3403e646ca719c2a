"""Number of runs needed to decide a difference, or to estimate a share of the variance.

The mean over a crossed design of m mask, i init and d data seeds has the variance

    Var(m, i, d) = mask / m + init / i + data / d + mask:init / (m i) + ... + residual / (m i d)

and the half-width of its interval is proportional to its square root. All designs that contain the
present one are tried, up to a number of runs, and the one with the fewest runs is returned. The
variance components are estimates, and so is the result.

A crossed design separates the sources of variance, but is expensive for deciding a difference: the
mean of n runs, all with new seeds, has the variance total / n. Their number is given as well.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import norm

from study.analysis.comparison.components.components import Components
from study.analysis.comparison.components.strata import expectations, strata_of
from study.analysis.comparison.components.terms import CONFIGURATION, TERMS
from study.spec.comparison.schema import FACTORS

MAX_RUNS = 1000
"""Largest design that is tried, in runs."""
POWER = 0.8
POINTS = 0.15
"""Wanted half-width of a share, as a fraction."""
Z = float(norm.ppf(0.975))


@dataclass(frozen=True)
class RunsNeeded:
    """The crossed design with the fewest runs that decides a question."""

    mask: int = 0
    """Seeds in all, the present ones included; 1 if no configuration has a random mask."""
    init: int = 0
    data: int = 0
    runs: int = 0
    """Runs in all."""
    further: int = 0
    """Runs in addition to the present design; 0 if the question is decided."""
    independent: int = 0
    """For a difference: the number of runs of each configuration that would decide it if every
    pair had its own three seeds; 0 if it is decided, or unknown."""
    reason: str = ""
    """Why no crossed design decides it; its numbers are 0 in this case."""


def runs_for_difference(
    components: Components,
    difference: float,
    half_width: float,
    masked: int = 1,
    unmasked: int = 1,
    power: float = POWER,
    max_runs: int = MAX_RUNS,
    critical: float = Z,
) -> RunsNeeded:
    """Returns the smallest design in which the interval of a difference excludes zero.

    Args:
        components: of the paired differences, as `variance_components` of a design with one
            configuration whose score is the difference of two at the same seeds.
        difference: its estimate now, assumed to be the true value.
        half_width: of its interval now.
        masked: how many of the two configurations have a random mask: m i d runs each.
        unmasked: how many have none: i d runs each.
        power: probability that the new interval excludes zero; 0.5 is enough if the new estimate
            equals the present one.
        max_runs: largest number of runs.
        critical: half-width of an interval in standard errors: 1.96 at 95 %, larger if several
            questions are corrected together.
    """
    designs = _larger_designs(components, masked, unmasked, max_runs)
    if abs(difference) > half_width:
        return _smallest(designs, designs["runs"] > 0, max_runs)
    if unknown := _unknown(components):
        return RunsNeeded(reason=unknown)
    if not difference or not components.total:
        return RunsNeeded(reason="no difference" if components.total else "the scores do not vary")
    variances = _variance(components, designs)
    # The present design comes first. The factor by which its standard error has to shrink:
    shrinkage = difference / half_width / (1 + norm.ppf(power) / critical)
    target = variances[0] * shrinkage**2
    independent = math.ceil(components.total / target)
    smallest = _smallest(designs, variances <= target, max_runs)
    return replace(smallest, independent=independent)


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
    masked = components.counts[CONFIGURATION]
    designs = _larger_designs(components, masked, 0, max_runs)
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


def _variance(components: Components, seeds: Mapping[str, np.ndarray]) -> np.ndarray:
    """Returns the variance of the mean of all scores, (n,), in n designs."""
    variance = np.zeros(1)
    for part in components.components:
        levels = [seeds[axis] for axis in FACTORS if axis in TERMS[part.name]]
        variance = variance + (part.estimate or 0.0) / np.prod(levels, axis=0)
    return variance


def _larger_designs(
    components: Components, masked: int, unmasked: int, max_runs: int
) -> dict[str, np.ndarray]:
    """Returns the designs that contain the present one, by number of runs: seeds and runs."""
    m, i, d = _levels(components).values()
    most = max_runs if components.counts["mask"] else m
    designs = [
        ((masked * mask + unmasked) * init * data, mask, init, data)
        for init in range(i, max_runs + 1)
        for data in range(d, max_runs // init + 1)
        for mask in range(m, min(most, max_runs // (init * data)) + 1)
    ]
    now = ((masked * m + unmasked) * i * d, m, i, d)
    columns = np.array(sorted({now, *(row for row in designs if row[0] <= max_runs)})).T
    return dict(zip(("runs", *FACTORS), columns, strict=True))


def _smallest(designs: Mapping[str, np.ndarray], enough: np.ndarray, max_runs: int) -> RunsNeeded:
    if not enough.any():
        return RunsNeeded(reason=f"more than {max_runs:,} runs")
    at = int(enough.argmax())
    mask, init, data, runs = (int(designs[name][at]) for name in (*FACTORS, "runs"))
    return RunsNeeded(mask, init, data, runs, runs - int(designs["runs"][0]))
