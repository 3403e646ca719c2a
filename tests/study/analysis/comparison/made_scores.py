"""Scores with known effects, computed from a dictionary of effects by kind and seeds."""

from itertools import product

import numpy as np

from study.analysis.comparison.design import Design, read_design

KINDS = {
    "mask": 1.0, "init": 0.8, "data": 0.5, "mask:init": 0.3, "mask:data": 0.3, "init:data": 0.3,
    "residual": 0.4,
}  # fmt: skip


def made_design(
    rng: np.random.Generator,
    counts: tuple[int, int, int, int] = (1, 5, 3, 3),
    sizes: dict[str, float] | None = None,
    without: tuple[int, ...] = (),
) -> Design:
    """A crossed design of configurations, mask, init and data; runs `without` have no score."""
    rows = list(product(*(range(count) for count in counts)))
    scores = []
    effects: dict[tuple[object, ...], float] = {}
    for c, m, i, d in rows:
        score = 10.0 * c
        for kind, size in (KINDS if sizes is None else sizes).items():
            seeds = {"configuration": c, "mask": m, "init": i, "data": d, "residual": (m, i, d)}
            key = [kind, *(seeds[name] for name in kind.split(":"))]
            if "mask" in kind or kind == "residual":
                key.append(("of", c))
            score += size**0.5 * effects.setdefault(tuple(key), rng.normal())
        scores.append(score)
    scores = [np.nan if at in without else score for at, score in enumerate(scores)]
    columns = np.array(rows).T
    return read_design([f"c{c}" for c in columns[0]], *columns[1:], scores)


def changed(design: Design, scores: np.ndarray) -> Design:
    """The same runs with other scores."""
    return Design(design.cells, scores)
