"""Scores of a crossed design with known variance components, many data sets at once."""

from collections.abc import Mapping
from itertools import product

import numpy as np

FACTORS = ("mask", "init", "data")
DEFAULT = (5, 3, 3)
SEEDS = np.array(list(product(*map(range, DEFAULT))))

RUNS = {"init:data": 1.0, "mask:init:data": 1.0}
"""Exchangeable runs: each run with p = 0 is paired with the five masks of its cell."""
SCENARIOS: dict[str, Mapping[str, float]] = {
    "exchangeable": RUNS,
    "single runs only": {"mask:init:data": 1.0},
    "mask effect 0.5": {**RUNS, "mask": 0.5},
    "mask effect 1": {**RUNS, "mask": 1.0},
    "mask effect 2": {**RUNS, "mask": 2.0},
    "mask 1, with init and data 0.5": {**RUNS, "mask": 1, "mask:init": 0.5, "mask:data": 0.5},
    "init effect 0.5": {**RUNS, "init": 0.5},
    "init effect 1": {**RUNS, "init": 1.0},
    "init effect 3": {**RUNS, "init": 3.0},
    "init, data 0.5": {**RUNS, "init": 0.5, "data": 0.5},
    "mask, init, data 0.5": {**RUNS, "mask": 0.5, "init": 0.5, "data": 0.5},
    "mask, init, data 1": {**RUNS, "mask": 1, "init": 1, "data": 1},
}
"""Standard deviations of the effects on a difference, relative to that of one run."""


def simulated(
    rng: np.random.Generator,
    sd: Mapping[str, float],
    count: int,
    levels: tuple[int, ...] = DEFAULT,
) -> np.ndarray:
    """Returns scores of mean zero, (count, runs), the runs in the order of `SEEDS`."""
    found = np.zeros((count, *levels))
    for term, size in sd.items():
        shape = [n if f in term.split(":") else 1 for f, n in zip(FACTORS, levels, strict=True)]
        found += size * rng.standard_normal((count, *shape))
    return found.reshape(count, -1)
