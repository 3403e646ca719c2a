"""Simulated comparisons, many at once: differences of pairs, and predictions on a test set.

s  data sets      n  pairs      m  rows of the test set
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

Noise = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]
COLLAPSE, COLLAPSED = 0.1, -15.0
"""Probability of a collapsed run, and its score in sd of a run."""


def normal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Normal scores of variance 1."""
    return rng.normal(size=shape)


def heavy(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Student's t with three degrees of freedom, of variance 1."""
    scores: np.ndarray = rng.standard_t(3, shape) / 3**0.5
    return scores


def collapsing(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Normal scores, one run in ten collapsed."""
    return np.where(rng.random(shape) < COLLAPSE, COLLAPSED, rng.normal(size=shape))


NOISES: dict[str, Noise] = {"normal": normal, "t3": heavy, "collapse": collapsing}


def differences(
    noise: Noise, sets: int, pairs: int, effect: float, rng: np.random.Generator
) -> Float[np.ndarray, "s n"]:
    """Returns differences of runs with independent scores; `effect` in sd of a difference."""
    a, b = noise(rng, (2, sets, pairs))
    found: Float[np.ndarray, "s n"] = a - b + effect * 2**0.5
    return found


@dataclass(frozen=True)
class Predictions:
    """Predicted classes of two methods on one test set, of equal expected score."""

    labels: Int[np.ndarray, " m"]
    right: tuple[Bool[np.ndarray, "n m"], Bool[np.ndarray, "n m"]]
    """Whether each run of a, and of b, is right on each row."""

    def probabilities(self, method: int, run: int) -> Float[np.ndarray, "m 2"]:
        """Returns 0 or 1 for the classes of each row."""
        predicted = np.where(self.right[method][run], self.labels, 1 - self.labels)
        return np.eye(2)[predicted]

    def mcc(self, method: int) -> Float[np.ndarray, " n"]:
        """Returns the MCC of every run."""
        predicted = np.where(self.right[method], self.labels, 1 - self.labels)
        t, g = self.labels.mean(), predicted.mean(axis=1)
        both = self.right[method].mean(axis=1) - (t * g + (1 - t) * (1 - g))
        score: Float[np.ndarray, " n"] = both / np.sqrt(4 * t * (1 - t) * g * (1 - g))
        return score


def predictions(rows: int, pairs: int, by_method: float, rng: np.random.Generator) -> Predictions:
    """Returns predictions of n runs of two methods with the same expected score.

    Every row is more or less difficult for all runs, and for each method by a normal amount of sd
    `by_method`: so on this test set one method is luckier than the other. Runs differ in skill.
    """
    difficulty, found = 1.5 * rng.normal(size=rows), []
    for _ in range(2):
        own = difficulty + by_method * rng.normal(size=rows)
        skill = 1.5 + 0.3 * rng.normal(size=(pairs, 1))
        found.append(skill + own + rng.normal(size=(pairs, rows)) > 0)
    return Predictions(np.arange(rows) % 2, (found[0], found[1]))
