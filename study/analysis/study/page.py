"""report.html of a finished or unfinished study: one self-contained page."""

from pathlib import Path
from typing import Any

from study.analysis import html
from study.analysis.figure import Figure
from study.analysis.study import (
    answer,
    curves,
    failures,
    overview,
    trial_table,
    winner,
)
from study.analysis.study.certainty import certainty
from study.analysis.study.classes import classes
from study.analysis.study.data_table import data_table
from study.analysis.study.figures import figures
from study.analysis.study.figures.importance import why_no_importance
from study.analysis.study.figures.triplets import why_no_triplets
from study.analysis.study.finalists import finalists
from study.analysis.study.front import pareto_front
from study.analysis.study.mask_probe import mask_costs
from study.analysis.study.page_data import page_data, shown_trials
from study.analysis.study.reading import StudyData, read_study
from study.storage.commands import (
    compare_seeds,
    export,
    predict,
    random_weights,
    reproduce,
    shown,
)
from study.storage.result.stopping_words import stopping_lines
from study.storage.stored import StoredStudy

HERE = Path(__file__).parent
FIGURES = "figures"
"""The folder beside the report with the numbers of its charts."""


def write_report(stored: StoredStudy) -> Path:
    """Writes the folder's report.html and figures/*.csv atomically; returns the page's path.

    Raises:
        InputError: the folder is not a study folder, a file in it cannot be read, or a file
            cannot be written.
    """
    study = read_study(stored)
    charts = figures(study, live=False)
    for chart in charts:
        html.write(study.folder.path / FIGURES / f"{chart.name}.csv", chart.csv())
    html.write(study.folder.report, _rendered(study, charts, live=False))
    return study.folder.report


def write_live_report(stored: StoredStudy) -> None:
    """Writes the report.html of a study that runs, without what takes longer than its numbers.

    Raises:
        InputError: as `write_report`.
    """
    study = read_study(stored)
    html.write(study.folder.report, render(study, live=True))


def render(study: StudyData, live: bool = False) -> str:
    """Returns the page as HTML; all text from the study is escaped.

    Args:
        study: the study.
        live: whether to leave out charts that take longer than some milliseconds.
    """
    return _rendered(study, figures(study, live), live)


def _rendered(study: StudyData, charts: list[Figure], live: bool) -> str:
    scripts = (*html.CHARTS, *sorted((HERE / "sections").glob("*.js")))
    data = page_data(study, charts)
    return html.page(HERE / "report.html.jinja", _content(study, charts, live), scripts, data)


def _commands(study: StudyData) -> list[tuple[str, str]]:
    """Returns what to do with the winner: a title and a command line each."""
    folder = study.folder.path
    commands = [
        ("Train it again", reproduce(folder)),
        ("Predict with it", predict(folder)),
        ("Export it", export(folder)),
        ("Compare many seeds", compare_seeds(folder)),
    ]
    if study.spec.backbone.weights == "pretrained":
        title = "What pre-training gives: the same search with random weights"
        commands.append((title, random_weights(folder)))
    return commands


def _content(study: StudyData, charts: list[Figure], live: bool) -> dict[str, Any]:
    learned = curves.learning_curves(study)
    return {
        "name": study.name,
        "folder": shown(study.folder.path),
        "answer": answer.answer(study),
        "certainty": certainty(study),
        "classes": classes(study),
        "cost": answer.cost(study),
        "health": study.result.health,
        "commands": _commands(study),
        "spec": study.spec,
        "spec_text": study.spec_text,
        "objective": study.spec.objective,
        "status": answer.status(study),
        "settings": overview.settings(study.spec) + overview.warm_start(study),
        "data": data_table(study),
        "searched": overview.searched(study.spec),
        "counts": overview.counts(study),
        "failures": failures.failures(study),
        "warnings": failures.warnings(study),
        "parameters": winner.parameters(study),
        "triplets": winner.triplets(study),
        "mask_costs": mask_costs(study),
        "phase": study.result.phase,
        "why_no_winner": study.record.why_no_winner(study.spec.goals),
        "rungs": learned.rungs,
        "stopping": stopping_lines(study.result, study.spec.scheduler.audit),
        "all_trials": len(study.trials),
        "table": trial_table.trial_table(study, shown_trials(study)),
        "about": overview.times(study) + overview.durations(study) + overview.machines(study),
        "versions": overview.versions(study),
        "licences": html.LICENCES,
        "versions_of_study": bool(study.created_with),
        "figures": {chart.name: chart for chart in charts},
        "front": pareto_front(study),
        "finalists": finalists(study),
        "seeds_name": f"{study.folder.path.name}-seeds",
        "no_importance": "" if live else why_no_importance(study),
        "no_triplets": why_no_triplets(study, charts, live),
    }
