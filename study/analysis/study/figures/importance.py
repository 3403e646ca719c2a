"""How much each setting matters: shares of the score's variance, with a test against chance.

A forest of extremely randomized trees predicts the score from the settings of the complete trials.
The share of a setting is its part of the variance that the splits of the trees explain. With few
trials the shares of settings that do nothing are large, too: so the forest is also fitted to
scores in a random order, and a setting matters if its share is larger than the largest share of
all settings in at least 95 % of these fits. So in at most 5 % of studies in which no setting
matters one is said to (permutation test of the maximum, Westfall and Young 1993). The interval of
a share is that of forests fitted to bootstrap samples of the trials.
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
SAMPLES, PERMUTATIONS, TREES = 40, 79, 20
CLEAR, WEAK = 0.05, 0.3
"""The p-values up to which a setting matters, or may."""


@dataclass(frozen=True)
class Importance:
    """The share of one setting, its mean and 95 % interval over bootstrap samples."""

    setting: str
    share: float
    low: float
    high: float
    p_value: float
    """Of a share this large for any setting, if none matters."""
    chance: float
    """What 5 % of the largest shares exceed if none matters."""

    @property
    def word(self) -> str:
        """Whether it can be told from noise."""
        if self.p_value <= CLEAR:
            return "matters"
        return "may matter" if self.p_value <= WEAK else "noise"


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
    shares = _forest(x, y, 0)
    rng = np.random.default_rng(0)
    rows = [rng.integers(len(y), size=len(y)) for _ in range(SAMPLES)]
    drawn = np.array([_forest(x[own], y[own], n) for n, own in enumerate(rows)])
    largest = np.array([_forest(x, rng.permutation(y), n).max() for n in range(PERMUTATIONS)])
    found = [
        Importance(
            setting=axis.name,
            share=float(share),
            low=float(min(share, np.quantile(own, 0.025))),
            high=float(max(share, np.quantile(own, 0.975))),
            p_value=(1 + int((largest >= share).sum())) / (PERMUTATIONS + 1),
            chance=float(np.quantile(largest, 0.95)),
        )
        for axis, share, own in zip(varied, shares, drawn.T, strict=True)
    ]
    return sorted(found, key=lambda one: -one.share)


def _forest(x: np.ndarray, y: np.ndarray, seed: int) -> np.ndarray:
    """Returns the shares (settings,) of a forest; zeros if the scores do not vary."""
    from sklearn.ensemble import ExtraTreesRegressor

    forest = ExtraTreesRegressor(TREES, min_samples_leaf=2, random_state=seed)
    shares: np.ndarray = forest.fit(x, y).feature_importances_
    return shares


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
            "p_value": [one.p_value for one in found],
            "verdict": [one.word for one in found],
        },
        heading="How much does each setting matter?",
        alt=f"share of the variance of {study.spec.objective} that each setting explains: "
        + ", ".join(f"{one.setting} {one.share:.2f} ({one.word})" for one in found),
        caption=f"Share of the variance that trees explain by each setting, with the 95 % "
        f"interval over {SAMPLES} bootstrap samples of {part}the {count} complete trials. "
        "Dashed: the largest share of any setting exceeds it in 5 % of cases if none matters. "
        + (f"Above it: {', '.join(clear)}. " if clear else "No parameter stands out. ")
        + (f"Not told from noise: {', '.join(noise)}." if noise else ""),
        options={"chance": found[0].chance},
    )


def why_no_importance(study: StudyData) -> str:
    """Returns a sentence if there is no estimate; else empty."""
    of = axes(study.spec)
    found = importances(study.trials, of) if len(points(study.trials, of)) < NEEDED else ""
    return found if isinstance(found, str) else ""
