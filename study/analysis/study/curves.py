"""The score over time: within each trial, and over the trials of the study."""

from collections.abc import Sequence
from dataclasses import dataclass

from study.analysis.study.reading import StudyData
from study.storage.record import State, TrialRecord

Points = list[tuple[float, float]]


@dataclass(frozen=True)
class Curve:
    """One trial's dev score at its reports; reports without a finite score are left out."""

    trial: int
    state: State
    points: Points


@dataclass(frozen=True)
class Rung:
    """A report at which the scheduler decided who goes on."""

    report: int
    place: float
    """Where it lies on the x axis of the learning curves."""
    reached: int
    stopped: int
    cutoff: float | None
    """The score that the last decision compared with; None if it had nothing to compare with."""


@dataclass(frozen=True)
class LearningCurves:
    """What the figure of the learning curves shows."""

    curves: list[Curve]
    rungs: list[Rung]
    x_label: str
    """`step`, or the share of a trial's steps where trials differ in their number."""


@dataclass(frozen=True)
class BestSoFar:
    """Scores of complete trials by trial number, and the best among them up to each."""

    scores: Points
    best: Points
    """Goes on to the last trial, complete or not."""


def learning_curves(study: StudyData) -> LearningCurves:
    """Returns a curve per trial that reported a score, and the rungs."""
    totals = {trial.total_steps for trial in study.trials}
    shared = len(totals) <= 1
    curves = [
        Curve(trial.number, trial.state, _points(trial, shared))
        for trial in study.trials
        if trial.values
    ]
    label = "step" if shared else "step / total_steps"
    return LearningCurves(curves, rungs(study.trials, shared), label)


def rungs(trials: Sequence[TrialRecord], in_steps: bool = True) -> list[Rung]:
    """Returns the reports at which a score was compared with others', as the journal has them."""
    compared = {
        decision["report"]
        for trial in trials
        for decision in trial.decisions
        if decision["cutoff"] is not None or decision["decision"] == "stop"
    }
    return [_rung(trials, report, in_steps) for report in sorted(compared)]


def best_so_far(study: StudyData) -> BestSoFar:
    """Returns the scores of complete trials and their running best, by trial number.

    What breaks a constraint has a score, but is never the best.
    """
    scores: Points = [
        (trial.number, trial.value)
        for trial in study.trials
        if trial.state == "complete" and trial.value is not None
    ]
    better = max if study.maximize else min
    best: Points = []
    eligible = {trial.number for trial in study.record.eligible(study.spec.goals.constraints)}
    for number, score in scores:
        if number not in eligible:
            continue
        best.append((number, better(score, best[-1][1]) if best else score))
    if best:
        best.append((study.trials[-1].number, best[-1][1]))
    return BestSoFar(scores, best)


def _points(trial: TrialRecord, in_steps: bool) -> Points:
    scale = 1 if in_steps else trial.total_steps
    return [(step / scale, value) for step, value in sorted(trial.values.items())]


def _rung(trials: Sequence[TrialRecord], report: int, in_steps: bool) -> Rung:
    made = [
        (trial, decision)
        for trial in trials
        for decision in trial.decisions
        if decision["report"] == report
    ]
    place = 0.0
    for trial, decision in made:
        step = trial.reports[decision["report"] - 1]["step"]
        place = step if in_steps else step / trial.total_steps
    in_time = sorted(made, key=lambda pair: pair[1]["time"])
    cutoffs = [d["cutoff"] for _, d in in_time if d["cutoff"] is not None]
    return Rung(
        report=report,
        place=place,
        reached=len(made),
        stopped=sum(decision["decision"] == "stop" for _, decision in made),
        cutoff=cutoffs[-1] if cutoffs else None,
    )
