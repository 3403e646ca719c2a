"""Prediction churn: the share of examples whose predicted class differs between two runs.

Two runs with equal scores may classify different examples correctly. With accuracies a and b the
share of examples with different classes is at least |a - b|. With independent errors it is
1 - a b - (1 - a)(1 - b) / (classes - 1), for two classes a (1 - b) + b (1 - a).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from study.analysis.comparison.agreement.stability import pairs_differing_in
from study.analysis.comparison.outputs import Outputs
from study.analysis.comparison.results import ComparisonResults, SeedKey
from study.spec.comparison.schema import FACTORS

EVERYTHING = "all seeds"


@dataclass(frozen=True)
class Disagreement:
    """Churn between runs of a configuration that differ in the seed of one factor, or of all.

    The fields are the columns of disagreement.csv.
    """

    configuration: str
    differ_in: str
    """mask, init, data or EVERYTHING."""
    pairs: int
    mean: float
    """Mean over pairs of the share of examples whose predicted class differs."""
    low: float
    high: float
    """Smallest and largest share of a pair."""
    least: float | None
    """Lower bound that the accuracies imply; None without labels."""
    independent: float | None
    """Expected share if errors were independent; None without labels."""
    unsettled: float
    """Share of examples with more than one predicted class among the runs that differ only in this
    factor, mean over such groups of runs."""


def disagreements(comparison: ComparisonResults, outputs: Outputs) -> list[Disagreement]:
    """Returns the churn of every configuration, for each factor with at least two seeds.

    None where data seeds have drawn the splits, so that runs do not predict the same examples.
    """
    churn: list[Disagreement] = []
    if outputs.share is not None:
        return churn
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
            churn.append(_disagreement(label, factor, rows, differs, stacked, outputs.labels))
    return churn


def _pairs(keys: list[SeedKey]) -> dict[str, list[tuple[SeedKey, SeedKey]]]:
    """Returns the pairs of runs that differ in one factor only, and those that differ in all."""
    masked = len({mask for mask, _, _ in keys}) > 1
    varied = [n for n, factor in enumerate(FACTORS) if len({key[n] for key in keys}) > 1]
    everything = [
        (one, other)
        for place, one in enumerate(keys)
        for other in keys[place + 1 :]
        if all(one[n] != other[n] for n in varied)
    ]
    by_factor = {factor: pairs_differing_in(keys, factor) for factor in FACTORS}
    if len(varied) > 1 or not masked:
        by_factor[EVERYTHING] = everything
    return {factor: pairs for factor, pairs in by_factor.items() if pairs}


def _differences(predicted: Int[np.ndarray, "runs rows"]) -> Float[np.ndarray, "runs runs"]:
    """Returns the share of rows on which two runs predict different classes."""
    equal = np.zeros((len(predicted), len(predicted)))
    for value in np.unique(predicted):
        same = (predicted == value).astype(np.float32)
        equal += same @ same.T
    shares: Float[np.ndarray, "runs runs"] = 1 - equal / predicted.shape[1]
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
    """Returns the share of rows on which connected runs do not all agree, mean over groups."""
    groups: list[set[int]] = []
    for one, other in pairs.tolist():
        joined = [group for group in groups if one in group or other in group]
        groups = [group for group in groups if group not in joined]
        groups.append(set().union({one, other}, *joined))
    shares = [np.ptp(predicted[sorted(group)], axis=0).astype(bool).mean() for group in groups]
    return float(np.mean(shares))
