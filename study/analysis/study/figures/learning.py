"""The chart of the learning curves."""

from study.analysis.figure import Figure
from study.analysis.study.curves import LearningCurves
from study.analysis.study.curves import learning_curves as curves_of
from study.analysis.study.page_data import shown_trials
from study.analysis.study.reading import StudyData
from study.storage.result.words import STATE_WORDS

POINTS = 40
"""Largest number of points of a curve."""


def learning_curves(study: StudyData) -> Figure | None:
    """Returns the score of every trial against the step; None before the first report."""
    learned = curves_of(study)
    numbers = {trial.number for trial in shown_trials(study)}
    points = [
        (curve.trial, STATE_WORDS[curve.state], x, y)
        for curve in learned.curves
        if curve.trial in numbers
        for x, y in thinned(curve.points)
    ]
    if not points:
        return None
    trial, state, x, score = zip(*points, strict=True)
    objective, audited = study.spec.objective, _audited(study, learned)
    beyond = " Dotted: what stopped trials reached that trained to the end for the audit."
    return Figure(
        name="learning_curves",
        columns={"trial": trial, "state": state, "x": x, "score": score},
        heading="Who led when, and who was stopped?",
        alt=f"{objective} of every trial against the step, the best trial emphasised",
        caption=f"{objective} at each report. Dashed: rungs, at which trials were compared and "
        "stopped. A circle ends a trial that was stopped early, a cross one that failed. Where "
        f"curves cross after a rung, the order at the rung was not the final one."
        f"{beyond if audited else ''}",
        options={
            "x": learned.x_label,
            "rungs": [{"x": rung.x, "report": rung.report} for rung in learned.rungs],
            "audited": audited,
        },
    )


def _audited(study: StudyData, learned: LearningCurves) -> list[dict[str, float]]:
    """Returns the way of each audited trial from its stop to its end."""
    ends = {trial.number: trial for trial in study.result.trials if trial.audited is not None}
    by_share = learned.x_label != "step"
    return [
        {
            "trial": curve.trial,
            "x1": curve.points[-1][0],
            "y1": curve.points[-1][1],
            "x2": 1.0 if by_share else float(ends[curve.trial].total_steps),
            "y2": float(ends[curve.trial].audited or 0.0),
        }
        for curve in learned.curves
        if curve.trial in ends and curve.points
    ]


def thinned(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Returns at most `POINTS` of the points of a curve, evenly spaced, the last always."""
    if len(points) <= POINTS:
        return points
    step = (len(points) - 1) / (POINTS - 1)
    return [points[round(place * step)] for place in range(POINTS)]
