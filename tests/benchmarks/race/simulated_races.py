"""Races between trials of simulated studies, many studies at once.

    s  studies      n  complete trials of a study      k  candidates      r  runs of a candidate

Every trial has a true score; a run has that score plus noise, whose sd over all trials is 1. So
all numbers are in noise sd. A study ends with the scores of n trials in the search, of which the
best k race as in study/storage/race.py.
"""

from dataclasses import dataclass

import numpy as np

from study.storage.race import rounds

SPREAD_OF_NOISE = 0.5
"""sd of the logarithm of a trial's noise sd, where trials differ in noise."""


@dataclass(frozen=True)
class Case:
    """How true scores and noise are distributed."""

    name: str
    skewed: bool = False
    """True scores have an exponential tail of bad trials and a plateau of good ones, as recorded
    ones have (tests/data/curves_*.csv); else they are normal."""
    unequal: bool = False
    """Some trials have more noise than others; else all have the same."""
    heavy: bool = False
    """Noise has Student's t distribution with 3 degrees of freedom; else it is normal."""


CASES = (
    Case("normal scores and noise"),
    Case("many good settings, few bad ones", skewed=True),
    Case("trials differ in noise", unequal=True),
    Case("outliers", heavy=True),
    Case("all three", skewed=True, unequal=True, heavy=True),
)


@dataclass(frozen=True, eq=False)
class Field:
    """The candidates of the studies, the best in the search first."""

    true: np.ndarray
    """True score, (s, k)."""
    search: np.ndarray
    """Score in the search, (s, k)."""
    fresh: np.ndarray
    """Scores with fresh seeds, (s, k, r)."""
    best: np.ndarray
    """The best true score of all trials of a study, (s)."""

    def regret(self, chosen: np.ndarray) -> np.ndarray:
        """Returns by how much the true scores of the chosen fall short of the best, (s) -> (s)."""
        return self.best - self.true[np.arange(len(chosen)), chosen]


def field(
    case: Case, spread: float, trials: int, count: int, studies: int, rng: np.random.Generator
) -> Field:
    """Returns the candidates of simulated studies.

    Args:
        case: the distributions.
        spread: sd of the true scores.
        trials: n, complete trials of a study.
        count: k, candidates.
        studies: s.
        rng: draws everything.
    """
    shape = (studies, trials)
    true = spread * (-rng.exponential(size=shape) if case.skewed else rng.normal(size=shape))
    sd = np.exp(SPREAD_OF_NOISE * rng.normal(size=shape)) if case.unequal else np.ones(shape)
    sd /= np.sqrt(np.mean(sd**2))
    search = true + sd * _noise(case, shape, rng)
    order = np.argsort(-search, axis=1)[:, :count]
    candidates, own = (np.take_along_axis(values, order, axis=1) for values in (true, sd))
    runs = sum(more for _, more in rounds(count))
    noise = _noise(case, (studies, count, runs), rng)
    return Field(
        candidates,
        np.take_along_axis(search, order, axis=1),
        candidates[:, :, None] + own[:, :, None] * noise,
        true.max(axis=1),
    )


def race(field: Field, weight: float) -> np.ndarray:
    """Returns the winners, (s), if a search score counts `weight` times a fresh score."""
    alive = np.tile(np.arange(field.search.shape[1]), (len(field.search), 1))
    rows, had, plan = np.arange(len(alive))[:, None], 0, rounds(alive.shape[1])
    sizes = [size for size, _ in plan[1:]] + [1]
    for (_, more), size in zip(plan, sizes, strict=True):
        had += more
        fresh = field.fresh[rows, alive, :had].sum(axis=2)
        scores = (weight * field.search[rows, alive] + fresh) / (weight + had)
        best = np.argsort(-scores, axis=1, kind="stable")[:, :size]
        alive = np.take_along_axis(alive, best, axis=1)
    winners: np.ndarray = alive[:, 0]
    return winners


def _noise(case: Case, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    return rng.standard_t(3, shape) / 3**0.5 if case.heavy else rng.normal(size=shape)
