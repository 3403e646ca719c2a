"""Per-example disagreement: for how many examples another seed predicts another class (churn).

Two runs of equal score need not answer alike. Between their accuracies a and b the share of
examples on which their classes differ is at least |a - b|; if their errors had nothing to do with
each other it would be a (1 - b) + b (1 - a), less where both can be wrong in the same way.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from study.analysis.comparison.agreement.stability import pairs_differing_in
from study.analysis.comparison.design import FACTORS
from study.analysis.comparison.outputs import Outputs
from study.analysis.comparison.reading import Comparison, Key

EVERYTHING = "all seeds"


@dataclass(frozen=True)
class Disagreement:
    """Of pairs of runs of a configuration whose seeds differ in one factor alone, or in all."""

    configuration: str
    differ_in: str
    """mask, init, data or EVERYTHING."""
    pairs: int
    mean: float
    """The share of examples whose predicted class differs."""
    low: float
    high: float
    """Of the pair with the least and with the most."""
    least: float | None
    """What the scores allow at least; None without labels."""
    independent: float | None
    """What it would be if the errors were independent."""
    unsettled: float
    """The share of examples that are not predicted alike by all runs that the factor connects."""


def disagreements(comparison: Comparison, outputs: Outputs) -> list[Disagreement]:
    """Returns those of every configuration, for each factor that has two seeds."""
    found = []
    for label, runs in comparison.configurations.items():
        predicted = {
            key: out.predicted
            for key, out in outputs.of(runs).items()
            if out.predicted is not None
        }
        if len(predicted) < 2 or len({len(p) for p in predicted.values()}) > 1:
            continue
        keys = sorted(predicted)
        stacked = np.stack([predicted[key] for key in keys])
        differs, place = _differences(stacked), {key: row for row, key in enumerate(keys)}
        for factor, pairs in _pairs(keys).items():
            rows = np.array([[place[one], place[other]] for one, other in pairs])
            found.append(_disagreement(label, factor, rows, differs, stacked, outputs.labels))
    return found


def _pairs(keys: list[Key]) -> dict[str, list[tuple[Key, Key]]]:
    """Pairs by what they differ in; a mask seed that is not there differs from none."""
    masked = len({mask for mask, _, _ in keys}) > 1
    varied = [n for n, factor in enumerate(FACTORS) if len({key[n] for key in keys}) > 1]
    everything = [
        (one, other)
        for place, one in enumerate(keys)
        for other in keys[place + 1 :]
        if all(one[n] != other[n] for n in varied)
    ]
    found = {factor: pairs_differing_in(keys, factor) for factor in FACTORS}
    if len(varied) > 1 or not masked:
        found[EVERYTHING] = everything
    return {factor: pairs for factor, pairs in found.items() if pairs}


def _differences(predicted: Int[np.ndarray, "runs rows"]) -> Float[np.ndarray, "runs runs"]:
    """The share of rows on which two runs predict different classes."""
    alike = np.zeros((len(predicted), len(predicted)))
    for value in np.unique(predicted):
        same = (predicted == value).astype(np.float32)
        alike += same @ same.T
    shares: Float[np.ndarray, "runs runs"] = 1 - alike / predicted.shape[1]
    return shares


def _disagreement(
    label: str,
    factor: str,
    pairs: Int[np.ndarray, "pairs two"],
    differs: Float[np.ndarray, "runs runs"],
    predicted: Int[np.ndarray, "runs rows"],
    labels: Int[np.ndarray, " rows"] | None,
) -> Disagreement:
    shares = differs[pairs[:, 0], pairs[:, 1]]
    least = independent = None
    if labels is not None:
        right = (predicted == labels).mean(axis=1)
        a, b = right[pairs[:, 0]], right[pairs[:, 1]]
        classes = max(2, len(np.unique(labels)))
        least = float(np.abs(a - b).mean())
        independent = float((1 - a * b - (1 - a) * (1 - b) / (classes - 1)).mean())
    return Disagreement(
        label, factor, len(pairs), float(shares.mean()), float(shares.min()), float(shares.max()),
        least, independent, _unsettled(predicted, pairs),
    )  # fmt: skip


def _unsettled(
    predicted: Int[np.ndarray, "runs rows"], pairs: Int[np.ndarray, "pairs two"]
) -> float:
    """Mean over groups of connected runs of the share of rows that they do not all agree on."""
    groups: list[set[int]] = []
    for one, other in pairs.tolist():
        joined = [group for group in groups if one in group or other in group]
        groups = [group for group in groups if group not in joined]
        groups.append(set().union({one, other}, *joined))
    shares = [np.ptp(predicted[sorted(group)], axis=0).astype(bool).mean() for group in groups]
    return float(np.mean(shares))
