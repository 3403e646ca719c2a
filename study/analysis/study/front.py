"""The Pareto front of a study with several objectives."""

from dataclasses import dataclass

from study.analysis.study.reading import StudyData
from study.analysis.study.trial_table import parameter_columns
from study.analysis.text import shown


@dataclass(frozen=True)
class ParetoFront:
    """The trials on the front, best by the first objective first."""

    objectives: list[str]
    columns: list[str]
    """The objectives' metrics, then the settings."""
    rows: list[tuple[int, list[str]]]
    """(trial, its cells)."""


def pareto_front(study: StudyData) -> ParetoFront | None:
    """Returns the front; None if there is only one objective."""
    goals = study.spec.goals
    if len(goals.objectives) < 2:
        return None
    trials = study.record.front(goals)
    columns = parameter_columns(study)
    rows = []
    for trial in trials:
        settings = {**trial.settings, **trial.params}
        cells = [shown(trial.metrics.get(o.metric)) for o in goals.objectives]
        rows.append((trial.number, cells + [shown(settings.get(name)) for name in columns]))
    return ParetoFront(
        objectives=[str(objective) for objective in goals.objectives],
        columns=[o.metric for o in goals.objectives] + columns,
        rows=rows,
    )
