"""report.html of a finished or unfinished study: one self-contained page."""

from pathlib import Path
from typing import Any

from study.analysis import html
from study.analysis.figure import Figure
from study.analysis.study import (
    allocation,
    allocation_plots,
    answer,
    curves,
    failures,
    overview,
    panels,
    plots,
    trial_table,
    winner,
)
from study.analysis.study.certainty import certainty
from study.analysis.study.data_table import data_table
from study.analysis.study.figures import figures
from study.analysis.study.finalists import finalists
from study.analysis.study.front import pareto_front
from study.analysis.study.importance import importances
from study.analysis.study.page_data import page_data, shown_trials
from study.analysis.study.reading import StudyData, read_study
from study.storage.commands import compare_seeds, predict, reproduce, shown
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


def _content(study: StudyData, charts: list[Figure], live: bool) -> dict[str, Any]:
    learned = curves.learning_curves(study)
    return {
        "name": study.name,
        "folder": shown(study.folder.path),
        "answer": answer.answer(study),
        "certainty": certainty(study),
        "cost": answer.cost(study),
        "health": study.result.health,
        "commands": [
            ("Train it again", reproduce(study.folder.path)),
            ("Export it to predict", predict(study.folder.path)),
            ("Compare many seeds", compare_seeds(study.folder.path)),
        ],
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
        "winner": winner.winner(study),
        "phase": study.result.phase,
        "why_no_winner": study.record.why_no_winner(study.spec.goals),
        "rungs": learned.rungs,
        "all_trials": len(study.trials),
        "table": trial_table.trial_table(study, shown_trials(study)),
        "about": overview.times(study) + overview.durations(study) + overview.machines(study),
        "versions": overview.versions(study),
        "licences": html.LICENCES,
        "versions_of_study": bool(study.created_with),
        "figures": {chart.name: chart for chart in charts},
        **_pictures(study, live),
        **_pictures_of_winner(study, live),
    }


def _pictures(study: StudyData, live: bool) -> dict[str, Any]:
    """Returns the pictures of all trials; falsy where there is nothing to show."""
    metric = study.spec.objective
    leader = study.leader.number if study.leader else None
    score_panels, best = panels.panels(study), curves.best_so_far(study)
    drawable = not live and any(panel.points or panel.failed for panel in score_panels)
    roles = {panel.name: " (nuisance)" * panel.nuisance for panel in score_panels}
    front, race = pareto_front(study), finalists(study)
    shares = "No estimate while the study runs." if live else importances(study)
    if isinstance(shares, dict):
        shares = {name + roles[name]: share for name, share in shares.items()}
    return {
        "parameters": drawable and plots.parameters(score_panels, metric, leader),
        "front": None if live else front,
        "front_picture": front and not live and plots.parameters(front.panels, metric, leader),
        "finalists": race,
        "race": race and plots.race(race.candidates, metric),
        "best_so_far": not live and best.scores and plots.best_so_far(best, metric),
        "importances": plots.importances(shares) if isinstance(shares, dict) else None,
        "no_importances": shares if isinstance(shares, str) else "",
    }


def _pictures_of_winner(study: StudyData, live: bool) -> dict[str, Any]:
    series = study.leader and allocation.allocation(study.spec, study.leader, study.trace)
    ranks = allocation.rank_map(study.trace)
    return {
        "allocation": series and not live and allocation_plots.allocation(series),
        "ranks": ranks and not live and allocation_plots.ranks(ranks),
        "rank_map": ranks,
    }
