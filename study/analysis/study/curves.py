"""Learning curves of the trials, rungs, and the best score so far."""

from collections.abc import Sequence
from dataclasses import dataclass

from study.analysis.study.reading import StudyData
from study.storage.events import State
from study.storage.record import TrialRecord

Points = list[tuple[float, float]]


@dataclass(frozen=True)
class Curve:
    """One trial's dev score against the step; reports without a finite score are left out."""

    trial: int
    state: State
    points: Points


@dataclass(frozen=True)
class Rung:
    """A report at which the scheduler compared trials and could stop them."""

    report: int
    x: float
    """Its position on the x axis of the learning curves."""
    reached: int
    """Number of trials that reached it."""
    stopped: int
    """Number of trials stopped at it."""
    cutoff: float | None
    """The cutoff score of the last decision; None if there was no other score to compare with."""


@dataclass(frozen=True)
class LearningCurves:
    """The data of the picture of the learning curves."""

    curves: list[Curve]
    rungs: list[Rung]
    x_label: str
    """`step`, or `step / total_steps` if trials differ in their number of steps."""


@dataclass(frozen=True)
class BestSoFar:
    """Scores of complete trials by trial number, and the running best."""

    scores: Points
    best: Points
    """Extends to the last trial, complete or not."""


def learning_curves(study: StudyData) -> LearningCurves:
    """Returns one curve for each trial that reported a score, and the rungs."""
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
    """Returns the reports at which, by the journal, the scheduler compared scores or stopped."""
    compared = {
        decision.report
        for trial in trials
        for decision in trial.decisions
        if decision.cutoff is not None or decision.decision == "stop"
    }
    return [_rung(trials, report, in_steps) for report in sorted(compared)]


def best_so_far(study: StudyData) -> BestSoFar:
    """Returns the scores of complete trials and their running best, by trial number.

    Trials that violate a constraint have a score, but are not counted as best.
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
        if decision.report == report
    ]
    x = 0.0
    for trial, decision in made:
        step = trial.reports[decision.report - 1].step
        x = step if in_steps else step / trial.total_steps
    in_time = sorted(made, key=lambda pair: pair[1].time)
    cutoffs = [d.cutoff for _, d in in_time if d.cutoff is not None]
    return Rung(
        report=report,
        x=x,
        reached=len(made),
        stopped=sum(decision.decision == "stop" for _, decision in made),
        cutoff=cutoffs[-1] if cutoffs else None,
    )
