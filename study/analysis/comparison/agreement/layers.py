"""How far runs agree on the rank of each layer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Float, Int


@dataclass(frozen=True)
class LayerAgreement:
    """The rank of one layer in several runs."""

    ranks: list[int]
    """In the order of the runs."""
    mean: float
    sd: float
    agreement: float
    """Mean over pairs of runs of the smaller rank over the larger one: 1 if all are equal."""


def layer_agreement(
    runs: Sequence[Mapping[str, int]],
) -> tuple[dict[str, LayerAgreement], float, float]:
    """Returns the agreement on each layer, its mean, and the mean of random orders of the layers.

    The latter compares the rank of every layer in one run with that of every layer in another.

    Args:
        runs: the rank of every layer, in at least two runs with the same layers.
    """
    names = list(runs[0])
    table = np.array([[run[name] for name in names] for run in runs])
    pairs = list(combinations(range(len(runs)), 2))
    same = np.mean([_ratio(table[a], table[b]) for a, b in pairs], axis=0)
    crossed = [_ratio(table[a][:, None], table[b][None, :]).mean() for a, b in pairs]
    layers = {
        name: LayerAgreement(
            ranks=table[:, place].tolist(),
            mean=float(table[:, place].mean()),
            sd=float(table[:, place].std(ddof=1)),
            agreement=float(same[place]),
        )
        for place, name in enumerate(names)
    }
    return layers, float(same.mean()), float(np.mean(crossed))


def _ratio(a: Int[np.ndarray, "..."], b: Int[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    larger = np.maximum(a, b)
    return np.where(larger > 0, np.minimum(a, b) / np.maximum(larger, 1), 1.0)
