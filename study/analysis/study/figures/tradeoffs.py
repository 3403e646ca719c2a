"""The chart of the trade-offs: the score against what a trial costs, and the paper's points."""

from collections.abc import Sequence
from typing import Any

from study.analysis.figure import Figure
from study.analysis.study.page_data import shown_trials
from study.analysis.study.reading import StudyData
from study.paper import reference
from study.storage.record import TrialRecord
from study.storage.result.words import STATE_WORDS

COSTS = {
    "trainable_parameters": "trainable parameters",
    "kept_parameters": "kept parameters",
    "train_seconds": "seconds of training",
}
"""Metrics that cost something, smaller is better, with their names for people."""


def tradeoffs(study: StudyData) -> Figure | None:
    """Returns the chart; None if no trial has a score and a cost."""
    costs = COSTS | {
        goal.metric: goal.metric
        for goal in study.spec.goals.objectives[1:]
        if goal.metric not in COSTS
    }
    trials = [t for t in shown_trials(study) if t.value is not None and t.state != "failed"]
    used = {name: text for name, text in costs.items() if _varied(trials, name)}
    if not used:
        return None
    larger = {goal.metric for goal in study.spec.goals.objectives[1:] if goal.maximize}
    fronts = {name: front(study, name, name in larger) for name in used}
    columns: dict[str, list[Any]] = {
        "trial": [trial.number for trial in trials],
        "state": [STATE_WORDS[trial.state] for trial in trials],
        "score": [trial.value for trial in trials],
    }
    columns |= {name: [trial.metrics.get(name) for trial in trials] for name in used}
    published = paper_points(study)
    note = (
        " Diamonds: the paper's test scores of this task, each with its own backbone; the scores "
    )
    note += "of the trials are on dev." if published else ""
    return Figure(
        name="tradeoffs",
        columns=columns,
        heading="What does a better score cost?",
        alt=f"{study.spec.objective} against {', '.join(used.values())}, with the Pareto front",
        caption="Line: the Pareto front of the complete trials, those that no other beats in "
        "both. Each point is one run: a point of the front that is ahead by less than the spread "
        "over seeds is not better. Times depend on what else the machine did."
        + (note if published else ""),
        options={"costs": used, "fronts": fronts, "paper": published, "larger": sorted(larger)},
    )


def _varied(trials: Sequence[TrialRecord], name: str) -> bool:
    known = [t.metrics[name] for t in trials if t.metrics.get(name) is not None]
    return len(known) > 0


def front(study: StudyData, cost: str, larger: bool = False) -> list[int]:
    """Returns the complete trials that no other beats in score and cost, by cost.

    Args:
        study: the study.
        cost: a metric.
        larger: whether a larger value of it is better.
    """
    sign, of_cost = (-1 if study.maximize else 1), (-1 if larger else 1)
    eligible = [
        (of_cost * trial.metrics[cost], sign * float(trial.value or 0), trial.number)
        for trial in study.record.eligible(study.spec.goals.constraints)
        if trial.metrics.get(cost) is not None
    ]
    found, best = [], float("inf")
    for _, score, number in sorted(eligible):
        if score < best:
            found.append(number)
            best = score
    return found


def paper_points(study: StudyData) -> list[dict[str, Any]]:
    """Returns the paper's scores of the study's task, by number of trainable parameters.

    Empty unless the task is one of the paper's thirteen and the metric that of its table.
    """
    task, metric = study.spec.task.name or "", study.spec.search.metric
    names = {preset: name for name, preset in reference.BACKBONES.items()}
    found = []
    for preset, name in names.items():
        for label, method in reference.METHODS.items():
            score = reference.score(metric, preset, method, task)
            count = reference.trainable_parameters(preset, method)
            if score is not None and count is not None:
                found.append(
                    {
                        "name": f"{name}, {label}",
                        "score": score,
                        "trainable_parameters": count,
                        "own": preset == study.spec.backbone.name,
                    }
                )
    return found
