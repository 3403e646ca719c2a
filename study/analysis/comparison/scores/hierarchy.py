"""Two configurations over several tasks: a hierarchical model of their differences.

    symbol     meaning                                                            shape
    d          mean difference a - b on each comparison, on its test set           (cells,)
    s          its standard error over seeds                                       (cells,)
    tau        sd over test sets of d                                              (cells,)
    g          group of each comparison: one task, or tasks that share sequences   (cells,)
    delta      true difference of each comparison, over seeds and test sets        (cells,)
    mu         mean difference over groups like these
    omega      sd of the true difference between groups
    kappa      sd between the comparisons of a group, such as its backbones
    c          level of a group on its test rows: mu, its own deviation, and the error of the rows

    d = c_g + kappa v + s w    c_g = mu + omega y + tau_g z    delta = mu + omega y + kappa v

with independent standard normal v, w, y, z. mu is flat, omega and kappa are half-Cauchy(A), where
A is twice the larger of the sd of d and the median error. The posterior of omega and kappa is
computed on a grid; given them everything is normal (Gelman 2006). Comparisons of one group are no
independent evidence on tasks: they share their data, so that the error of their test rows is taken
to be common, and a group counts once. A comparison that differs by chance is drawn towards the
others.

s is estimated from few pairs of runs: it is multiplied by the quotient of the 97.5 % quantiles of
Student's and the normal distribution. The reported probabilities are not corrected for looks or
for several pairs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.special import ndtr, ndtri, stdtrit

GRID, DRAWS = 60, 4000


@dataclass(frozen=True)
class Belief:
    """What is believed of a difference a - b; probabilities are about the better direction."""

    mean: float
    low: float
    """Limits of the 95 % interval."""
    high: float
    better: float
    """Probability that a is better by more than the rope."""
    equal: float
    worse: float


@dataclass(frozen=True)
class OverTasks:
    """Two configurations over all tasks."""

    a: str
    b: str
    groups: int
    """The number of groups of comparisons; what is said of all tasks counts each once."""
    overall: Belief
    """Of mu, the mean difference over groups like these."""
    tasks: dict[str, Belief]
    """Of delta, by comparison."""


@dataclass(frozen=True)
class Cells:
    """The comparisons of two configurations, one per task and backbone."""

    d: Float[np.ndarray, " cells"]
    s: Float[np.ndarray, " cells"]
    """Above 0."""
    freedom: Int[np.ndarray, " cells"]
    """Degrees of freedom of `s`, at least 1."""
    tau: Float[np.ndarray, " cells"]
    """0 where it is not known."""
    groups: Sequence[str]

    @property
    def error(self) -> Float[np.ndarray, " cells"]:
        """`s`, wider for few degrees of freedom."""
        wider = stdtrit(self.freedom, 0.975) / float(ndtri(0.975))
        error: Float[np.ndarray, " cells"] = self.s * wider
        return error


def over_tasks(
    cells: Cells, rope: float, sign: int, rng: np.random.Generator
) -> tuple[Belief, list[Belief]]:
    """Returns what is believed of mu, and of delta of each comparison.

    Args:
        cells: the comparisons.
        rope: half-width of the region in which a difference does not matter.
        sign: 1 if a higher score is better, -1 if a lower one is.
        rng: draws from the posterior, for the limits.
    """
    d, s = cells.d, cells.error
    names = list(dict.fromkeys(cells.groups))
    own, common = np.array([names.index(group) for group in cells.groups]), 0.0
    if len(names) == 1:
        # Nothing is known of other groups: mu is that of comparisons like those of this group,
        # whose test rows move all of them together.
        names, own, common = [*map(str, range(len(d)))], np.arange(len(d)), cells.tau.mean()
    member = np.equal.outer(own, np.arange(len(names))).astype(float)
    tau = np.zeros(len(names)) if common else (cells.tau @ member) / member.sum(axis=0)
    scale = 2 * max(float(d.std()), float(np.median(np.hypot(s, cells.tau))))
    omega, kappa, steps = _grid(scale, within=len(names) < len(d))
    # Given omega and kappa: (grid, cells) and (grid, groups).
    inner = kappa[:, None] ** 2 + s**2
    precision = (1 / inner) @ member
    level = ((d / inner) @ member) / precision
    outer = omega[:, None] ** 2 + tau**2
    total = 1 / precision + outer
    variance = 1 / (1 / total).sum(axis=1)
    centre = variance * (level / total).sum(axis=1)
    logs = -0.5 * (np.log(inner) + (d - level[:, own]) ** 2 / inner).sum(axis=1)
    logs -= 0.5 * (np.log(precision) + np.log(total)).sum(axis=1)
    logs -= 0.5 * ((level - centre[:, None]) ** 2 / total).sum(axis=1)
    logs += 0.5 * np.log(variance)
    logs -= np.log1p((omega / scale) ** 2) + np.log1p((kappa / scale) ** 2)
    weights = np.exp(logs - logs.max()) * steps
    weights /= weights.sum()
    chosen = rng.choice(len(weights), DRAWS, p=weights)
    error = np.sqrt(variance + common**2)
    overall = _belief(centre, error, weights, chosen, rope, sign, rng)
    beliefs = []
    for cell, group in enumerate(own):
        between, known = outer[:, group], precision[:, group]
        of_level = 1 / (known + 1 / between)
        # The part of the level that is no error of the test rows; the part of the cell's own.
        real = omega**2 / between
        kept = kappa**2 / inner[:, cell]
        through = (real - kept) * of_level
        of_mu = 1 - real + through / between
        mean = kept * d[cell] + through * known * level[:, group] + of_mu * centre
        spread = real * tau[group] ** 2 + kept * s[cell] ** 2
        spread += (real - kept) ** 2 * of_level + of_mu**2 * variance + common**2
        beliefs.append(_belief(mean, np.sqrt(spread), weights, chosen, rope, sign, rng))
    return overall, beliefs


def _grid(
    scale: float, within: bool
) -> tuple[Float[np.ndarray, " grid"], Float[np.ndarray, " grid"], Float[np.ndarray, " grid"]]:
    """Returns omega, kappa and the share of the plane that each point stands for.

    kappa is 0 if every comparison is a group of its own (`within` is False).
    """
    line = scale * np.concatenate([[0.001], np.geomspace(0.01, 30, GRID - 1)])
    width = np.gradient(line)
    if not within:
        return line, np.zeros(GRID), width
    omega, kappa = np.meshgrid(line, line, indexing="ij")
    return omega.ravel(), kappa.ravel(), np.outer(width, width).ravel()


def _belief(
    mean: Float[np.ndarray, " grid"],
    spread: Float[np.ndarray, " grid"],
    weights: Float[np.ndarray, " grid"],
    chosen: np.ndarray,
    rope: float,
    sign: int,
    rng: np.random.Generator,
) -> Belief:
    """Returns the belief of a mixture of normals."""
    safe = np.maximum(spread, 1e-12)
    above = float(weights @ ndtr((mean - rope) / safe))
    below = float(weights @ ndtr((-mean - rope) / safe))
    better, worse = (above, below) if sign > 0 else (below, above)
    draws = mean[chosen] + safe[chosen] * rng.normal(size=DRAWS)
    low, high = np.quantile(draws, [0.025, 0.975])
    equal = max(0.0, 1 - above - below)
    return Belief(float(weights @ mean), float(low), float(high), better, equal, worse)


def common_pairs(pairs: Sequence[Sequence[tuple[str, str]]]) -> list[tuple[str, str]]:
    """Returns the pairs of labels that all tasks have, in the order of the first task."""
    first, *others = pairs
    return [one for one in first if all(one in other for other in others)]
