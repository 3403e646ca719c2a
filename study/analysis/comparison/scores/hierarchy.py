"""Two configurations over several tasks: a hierarchical model of their differences.

    symbol     meaning                                                            shape
    d          mean difference a - b on each task                                  (tasks,)
    s          its standard error over seeds and test sets                         (tasks,)
    delta      true difference on each task, normal around mu with sd omega        (tasks,)
    mu         mean difference over tasks like these
    omega      sd of the true difference between tasks

    d_t ~ N(delta_t, s_t^2)    delta_t ~ N(mu, omega^2)    mu flat    omega half-Cauchy(A)

A is the larger of the sd of d and the median of s. The posterior of omega is computed on a grid;
given omega, mu and delta are normal (Gelman 2006). A single task that differs by chance is drawn
towards the others, the more the larger its error. The reported probabilities are not corrected for
looks or for several pairs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.special import ndtr

GRID, DRAWS = 200, 4000


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
    overall: Belief
    """Of mu, the mean difference over tasks like these."""
    tasks: dict[str, Belief]
    """Of delta, by task."""


def over_tasks(
    d: Float[np.ndarray, " tasks"],
    s: Float[np.ndarray, " tasks"],
    rope: float,
    sign: int,
    rng: np.random.Generator,
) -> tuple[Belief, list[Belief]]:
    """Returns what is believed of mu, and of the difference on each task.

    Args:
        d: mean differences a - b.
        s: their standard errors, above 0.
        rope: half-width of the region in which a difference does not matter.
        sign: 1 if a higher score is better, -1 if a lower one is.
        rng: draws from the posterior, for the limits.
    """
    scale = max(float(d.std()), float(np.median(s)))
    omega = np.concatenate([[0.0], scale * np.geomspace(0.01, 30, GRID - 1)])
    total = omega[:, None] ** 2 + s**2
    variance = 1 / (1 / total).sum(axis=1)
    centre = variance * (d / total).sum(axis=1)
    logs = -0.5 * (np.log(total) + (d - centre[:, None]) ** 2 / total).sum(axis=1)
    logs += 0.5 * np.log(variance) - np.log1p((omega / scale) ** 2)
    # The grid is not even: each point stands for its share of the line.
    weights = np.exp(logs - logs.max()) * np.gradient(omega)
    weights /= weights.sum()
    chosen = rng.choice(GRID, DRAWS, p=weights)
    overall = _belief(centre, np.sqrt(variance), weights, chosen, rope, sign, rng)
    own = []
    for t in range(len(d)):
        kept = omega**2 / total[:, t]
        mean = centre + kept * (d[t] - centre)
        spread = np.sqrt(kept * s[t] ** 2 + (1 - kept) ** 2 * variance)
        own.append(_belief(mean, spread, weights, chosen, rope, sign, rng))
    return overall, own


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
