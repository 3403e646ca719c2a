"""How much each setting matters: shares of the score's variance, with intervals over bootstraps.

In every bootstrap sample of the complete trials a forest of extremely randomized trees predicts
the score from the settings, and from a shuffled copy of each, which cannot matter. The share of a
setting is its part of the variance that the splits of the trees explain. A setting is told from
noise if it has more than the best of the shuffled copies in most samples (as in Boruta, Kursa and
Rudnicki 2010).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from study.analysis.figure import Figure
from study.analysis.study.figures.axes import Axis, axes, points
from study.analysis.study.figures.surrogate import thinned
from study.analysis.study.reading import StudyData
from study.storage.record import TrialRecord

NEEDED = 10
"""Smallest number of complete trials for an estimate."""
MOST = 500
"""Largest number of trials of an estimate."""
SAMPLES, TREES = 80, 10
CLEAR, WEAK = 0.9, 0.5
"""The shares of samples above the shuffled copies from which a setting matters, or may."""


@dataclass(frozen=True)
class Importance:
    """The share of one setting, its mean and 95 % interval over bootstrap samples."""

    setting: str
    share: float
    low: float
    high: float
    above: float
    """In what share of the samples it is above all shuffled copies."""
    chance: float
    """The mean share of the best shuffled copy."""

    @property
    def word(self) -> str:
        """Whether it can be told from noise."""
        if self.above >= CLEAR:
            return "matters"
        return "may matter" if self.above >= WEAK else "noise"


def importances(trials: Sequence[TrialRecord], of: Sequence[Axis]) -> list[Importance] | str:
    """Returns the settings, the largest share first, or why there is no estimate.

    The same trials give the same numbers.
    """
    used = thinned(points(trials, of), MOST)
    if len(of) < 2:
        return "No estimate: fewer than two settings are searched."
    if len(used) < NEEDED:
        return (
            f"No estimate: at least {NEEDED} complete trials are needed, and this study has "
            f"{len(used)}."
        )
    varied = [axis for axis in of if len({trial.settings[axis.name] for trial in used}) > 1]
    if len(varied) < 2 or len({trial.value for trial in used}) == 1:
        return "No estimate: the complete trials differ too little."
    x = np.array([[axis.place(t.settings[axis.name]) for axis in varied] for t in used])
    y = np.array([float(trial.value or 0) for trial in used])
    shares = _shares(x, y)
    real, copies = shares[:, : len(varied)], shares[:, len(varied) :].max(axis=1)
    found = [
        Importance(
            setting=axis.name,
            share=float(own.mean()),
            low=float(np.quantile(own, 0.025)),
            high=float(np.quantile(own, 0.975)),
            above=float((own > copies).mean()),
            chance=float(copies.mean()),
        )
        for axis, own in zip(varied, real.T, strict=True)
    ]
    return sorted(found, key=lambda one: -one.share)


def _shares(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Returns the shares (samples, settings and their copies) of every bootstrap sample."""
    from sklearn.ensemble import ExtraTreesRegressor

    rng, rows = np.random.default_rng(0), []
    for sample in range(SAMPLES):
        chosen = rng.integers(len(y), size=len(y))
        copies = rng.permuted(x, axis=0)
        both = np.hstack([x, copies])[chosen]
        forest = ExtraTreesRegressor(TREES, min_samples_leaf=2, random_state=sample)
        rows.append(forest.fit(both, y[chosen]).feature_importances_)
    return np.array(rows)


def importance_figure(study: StudyData) -> Figure | None:
    """Returns the chart of the importances; None if there is no estimate."""
    found = importances(study.trials, axes(study.spec))
    if isinstance(found, str):
        return None
    words = {one.setting: one.word for one in found}
    clear = [name for name, word in words.items() if word == "matters"]
    noise = [name for name, word in words.items() if word == "noise"]
    count = len(points(study.trials, axes(study.spec)))
    part = f"{MOST} of " if count > MOST else ""
    return Figure(
        name="importance",
        columns={
            "setting": [one.setting for one in found],
            "share": [one.share for one in found],
            "low": [one.low for one in found],
            "high": [one.high for one in found],
            "above_chance": [one.above for one in found],
            "verdict": [one.word for one in found],
        },
        heading="How much does each setting matter?",
        alt=f"share of the variance of {study.spec.objective} that each setting explains: "
        + ", ".join(f"{one.setting} {one.share:.2f} ({one.word})" for one in found),
        caption=f"Share of the variance that trees explain by each setting, mean and 95 % "
        f"interval over {SAMPLES} bootstrap samples of {part}the {count} complete trials. "
        "Dashed: the best of the settings after shuffling, which cannot matter. "
        + (
            f"Clearly above it: {', '.join(clear)}. "
            if clear
            else "No setting is clearly above it. "
        )
        + (f"Not told from noise: {', '.join(noise)}." if noise else ""),
        options={"chance": found[0].chance},
    )


def why_no_importance(study: StudyData) -> str:
    """Returns a sentence if there is no estimate; else empty."""
    of = axes(study.spec)
    found = importances(study.trials, of) if len(points(study.trials, of)) < NEEDED else ""
    return found if isinstance(found, str) else ""
