"""The charts of the section "Which settings work?": effects, pairs of settings, all at once."""

from collections.abc import Sequence

from study.analysis.figure import Figure
from study.analysis.study.figures.axes import Axis, axes
from study.analysis.study.figures.surrogate import MOST, Effect, Surrogate, surrogate
from study.analysis.study.page_data import shown_trials
from study.analysis.study.reading import StudyData
from study.storage.result.words import STATE_WORDS

GRID, CELLS = 25, 14
"""Points of a curve; cells of a map along each axis."""
INTERVAL = 1.96
FEW = 5
"""Number of complete trials for each setting below which a fit is a rough guide at most."""
PAIRS = (("p", "bT"), ("b0", "bT"))
"""Pairs of settings that are shown first; then lr with every other."""


def settings_figures(study: StudyData, live: bool) -> list[Figure]:
    """Returns the charts of scores against settings; with `live` without fits."""
    of = axes(study.spec)
    if not of or not any(trial.value is not None for trial in study.trials):
        return []
    fitted = "the study is still running" if live else surrogate(study.trials, of)
    charts = [effects(study, of, fitted)]
    if isinstance(fitted, Surrogate) and (map_ := pairs(study, fitted)) is not None:
        charts.append(map_)
    return [*charts, parallel(study, of)]


def effects(study: StudyData, of: Sequence[Axis], fitted: Surrogate | str) -> Figure:
    """Returns the chart of the score against each setting; the trials are the page's own."""
    rows: list[tuple[str, float, float, float, float]] = []
    if isinstance(fitted, Surrogate):
        for axis in of:
            x = axis.values(GRID)
            effect = fitted.effect([{axis.name: value} for value in x])
            for value, mean, sd in zip(x, effect.mean, effect.sd, strict=True):
                half = INTERVAL * sd
                rows.append((axis.name, value, mean, mean - half, mean + half))
    names = ("setting", "x", "mean", "low", "high")
    return Figure(
        name="effects",
        columns={name: [row[place] for row in rows] for place, name in enumerate(names)},
        heading="How does the score change with each setting?",
        alt=f"{study.spec.objective} of every trial against each searched setting, with a curve",
        caption="Filled: complete trials. Hollow: trials stopped early, whose scores are of less "
        "training and not in the curve; of them, and of failed ones (crosses), most lie where the "
        "method does badly, so the curve is too flat there. " + _sureness(fitted),
        options={"axes": [axis.as_option() for axis in of]},
    )


def pairs(study: StudyData, fitted: Surrogate) -> Figure | None:
    """Returns maps of the expected score over pairs of settings; None without a pair."""
    of = {axis.name: axis for axis in fitted.axes}
    chosen = _pairs(of)
    rows: list[tuple[str, float, float, float, float]] = []
    for x, y in chosen:
        grid = [{x: a, y: b} for a in of[x].values(CELLS) for b in of[y].values(CELLS)]
        effect: Effect = fitted.effect(grid)
        for point, mean, sd in zip(grid, effect.mean, effect.sd, strict=True):
            if mean == mean:  # Not NaN: bT <= b0.
                rows.append((f"{x} × {y}", point[x], point[y], mean, sd))
    if not chosen:
        return None
    names = ("pair", "x", "y", "mean", "sd")
    return Figure(
        name="pairs",
        columns={name: [row[place] for row in rows] for place, name in enumerate(names)},
        heading="Which combinations work?",
        alt=f"expected {study.spec.objective} over two settings at a time, with the trials on top",
        caption=f"Expected {study.spec.objective}, averaged over the other settings of the "
        "complete trials. Faint cells are guesses: there are few trials near them. Dots: complete "
        "trials, hollow ones were stopped early. As sure as the curves above: it is one model.",
        options={
            "axes": {axis.name: axis.as_option() for axis in fitted.axes},
            "pairs": [{"name": f"{x} × {y}", "x": x, "y": y} for x, y in chosen],
        },
    )


def parallel(study: StudyData, of: Sequence[Axis]) -> Figure:
    """Returns the chart of all settings of a trial as one line."""
    trials = shown_trials(study)
    columns: dict[str, list[object]] = {
        "trial": [trial.number for trial in trials],
        "state": [STATE_WORDS[trial.state] for trial in trials],
        **{axis.name: [trial.settings.get(axis.name) for trial in trials] for axis in of},
        study.spec.objective: [trial.value for trial in trials],
    }
    return Figure(
        name="parallel",
        columns=columns,
        heading="Which trials have what in common?",
        alt=f"one line per trial through its settings and its {study.spec.objective}",
        caption="Drag along an axis to keep only the trials in that range, on the whole page; "
        "click an axis to take the range away. Dashed lines are trials that did not run to "
        "their end: their scores, if any, are of less training.",
        options={"axes": [axis.as_option() for axis in of]},
    )


def _pairs(of: dict[str, Axis]) -> list[tuple[str, str]]:
    names = list(of)
    first = [pair for pair in PAIRS if set(pair) <= set(names)]
    if "lr" in of:
        return first + [(name, "lr") for name in names if name != "lr"]
    others = [(x, y) for place, x in enumerate(names) for y in names[place + 1 :]]
    return [*first, *(pair for pair in others if pair not in first)][:10]


def _sureness(fitted: Surrogate | str) -> str:
    """Returns sentences on what the curve is and how well it predicts."""
    if isinstance(fitted, str):
        return f"No curve: {fitted}."
    share = fitted.predicted_share()
    text = (
        "Curve and band: a Gaussian process, with the 95 % interval of the expected score. "
        f"For a trial that was left out it explains {max(0.0, share):.0%} of the variance of the "
        f"{fitted.count} complete trials"
    )
    if fitted.count >= MOST:
        text += f" (a part of all, as there are more than {MOST})"
    if share < 0.2:
        return text + ": hardly more than their mean, so what it shows may be noise."
    if fitted.count < FEW * len(fitted.axes):
        return (
            text
            + f"; for {len(fitted.axes)} settings that is few, so it is a rough guide at most."
        )
    return text + (": a rough guide." if share < 0.6 else ": it can be relied on near trials.")
