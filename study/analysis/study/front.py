"""The Pareto front of a study with several objectives."""

from dataclasses import dataclass

from study.analysis.study.panels import Panel, Point
from study.analysis.study.reading import StudyData
from study.analysis.study.trial_table import parameter_columns
from study.analysis.text import shown
from study.storage.record import TrialRecord


@dataclass(frozen=True)
class ParetoFront:
    """The trials on the front, best by the first objective first, and the data of the picture."""

    objectives: list[str]
    columns: list[str]
    """The objectives' metrics, then the settings."""
    rows: list[tuple[int, list[str]]]
    """(trial, its cells)."""
    panels: list[Panel]
    """The first objective against each of the others."""


def pareto_front(study: StudyData) -> ParetoFront | None:
    """Returns the front; None if there is only one objective."""
    goals = study.spec.goals
    first, *others = goals.objectives
    if not others:
        return None
    trials = study.record.front(goals)
    columns = parameter_columns(study)
    rows = []
    for trial in trials:
        settings = {**trial.settings, **trial.params}
        cells = [shown(trial.metrics.get(o.metric)) for o in goals.objectives]
        rows.append((trial.number, cells + [shown(settings.get(name)) for name in columns]))
    numbers = {trial.number for trial in trials}
    return ParetoFront(
        objectives=[str(objective) for objective in goals.objectives],
        columns=[o.metric for o in goals.objectives] + columns,
        rows=rows,
        panels=[_panel(study.trials, first.metric, o.metric, numbers) for o in others],
    )


def _panel(trials: list[TrialRecord], y: str, x: str, front: set[int]) -> Panel:
    measured = [t for t in trials if t.state != "failed" and None not in (_of(t, x), _of(t, y))]
    points = [Point(t.number, t.state, t.metrics[x], t.metrics[y]) for t in measured]
    values = [point.x for point in points] or [0.0]
    return Panel(
        name=x,
        nuisance=False,
        log=False,
        bounds=(min(values), max(values)),
        choices=(),
        whole=False,
        points=points,
        failed=[],
        front=[(point.x, point.y) for point in points if point.trial in front],
    )


def _of(trial: TrialRecord, metric: str) -> float | None:
    return trial.metrics.get(metric)
