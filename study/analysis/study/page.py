"""report.html of a finished or unfinished study: one self-contained page."""

from pathlib import Path
from typing import Any

from study.analysis import html
from study.analysis.study import (
    allocation,
    allocation_plots,
    curves,
    overview,
    panels,
    plots,
    trial_table,
    winner,
)
from study.analysis.study.data_table import data_table
from study.analysis.study.finalists import finalists
from study.analysis.study.front import pareto_front
from study.analysis.study.importance import importances
from study.analysis.study.reading import StudyData, read_study
from study.storage.commands import reproduce, shown
from study.storage.stored import StoredStudy


def write_report(stored: StoredStudy) -> Path:
    """Writes the folder's report.html atomically and returns its path.

    Raises:
        InputError: the folder is not a study folder, a file in it cannot be read, or report.html
            cannot be written.
    """
    html.write(stored.folder.report, render(read_study(stored)))
    return stored.folder.report


def render(study: StudyData) -> str:
    """Returns the page as HTML; all text from the study is escaped."""
    return html.page(Path(__file__).parent / "report.html.jinja", _content(study))


def _content(study: StudyData) -> dict[str, Any]:
    learned = curves.learning_curves(study)
    return {
        "name": study.name,
        "folder": shown(study.folder.path),
        "again": reproduce(study.folder.path),
        "spec": study.spec,
        "spec_text": study.spec_text,
        "objective": study.spec.objective,
        "status": overview.status(study),
        "settings": overview.settings(study.spec) + overview.warm_start(study),
        "data": data_table(study),
        "searched": overview.searched(study.spec),
        "counts": overview.counts(study),
        "failures": overview.failures(study),
        "winner": winner.winner(study),
        "why_no_winner": study.record.why_no_winner(study.spec.goals),
        "rungs": learned.rungs,
        "table": trial_table.trial_table(study),
        "about": overview.times(study) + overview.versions(study),
        "versions_of_study": bool(study.created_with),
        **_pictures(study, learned),
        **_pictures_of_winner(study),
    }


def _pictures(study: StudyData, learned: curves.LearningCurves) -> dict[str, Any]:
    """Returns the pictures of all trials; falsy where there is nothing to show."""
    metric = study.spec.objective
    leader = study.leader.number if study.leader else None
    score_panels, best = panels.panels(study), curves.best_so_far(study)
    drawable = any(panel.points or panel.failed for panel in score_panels)
    roles = {panel.name: " (nuisance)" * panel.nuisance for panel in score_panels}
    front, shares, race = pareto_front(study), importances(study), finalists(study)
    if isinstance(shares, dict):
        shares = {name + roles[name]: share for name, share in shares.items()}
    return {
        "learning_curves": learned.curves and plots.learning_curves(learned, metric, leader),
        "parameters": drawable and plots.parameters(score_panels, metric, leader),
        "front": front,
        "front_picture": front and plots.parameters(front.panels, metric, leader),
        "finalists": race,
        "race": race and plots.race(race.candidates, metric),
        "best_so_far": best.scores and plots.best_so_far(best, metric),
        "importances": plots.importances(shares) if isinstance(shares, dict) else None,
        "no_importances": shares if isinstance(shares, str) else "",
    }


def _pictures_of_winner(study: StudyData) -> dict[str, Any]:
    series = study.leader and allocation.allocation(study.spec, study.leader, study.trace)
    ranks = allocation.rank_map(study.trace)
    return {
        "allocation": series and allocation_plots.allocation(series),
        "ranks": ranks and allocation_plots.ranks(ranks),
        "rank_map": ranks,
    }
