"""Writes report.html and tables/ of comparison folders."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from study.analysis import html
from study.analysis.comparison.analysis import Analysis, TaskAnalysis
from study.analysis.comparison.page import pictures, plots
from study.analysis.comparison.page.figures import figures
from study.analysis.comparison.page.tables import STEMS, Record, as_csv, tables
from study.analysis.comparison.results import STATES
from study.analysis.comparison.sentences.answers import answers
from study.analysis.comparison.sentences.tasks import over_tasks
from study.analysis.figure import Figure
from study.analysis.text import NOTHING, shown

REPORT, TABLES, FIGURES = "report.html", "tables", "figures"
HERE = Path(__file__).parent
SCRIPTS = (*html.CHARTS, HERE / "comparison.js")
MAX_RANK_PLOTS = 6
"""Largest number of configurations with a plot of their ranks."""


def write_analysis(analysis: Analysis) -> list[Path]:
    """Writes tables/*.csv and report.html into every folder; returns the files, pages last.

    Tables without rows are not written; those of an earlier analysis are removed. Files are
    replaced atomically.

    Raises:
        InputError: a file cannot be written.
    """
    written: list[Path] = []
    pages: list[Path] = []
    for task in analysis.tasks:
        folder, rows = task.comparison.folder, tables(task, analysis)
        for stem in STEMS:
            path = folder / TABLES / f"{stem}.csv"
            if stem in rows:
                html.write(path, as_csv(rows[stem]))
                written.append(path)
            else:
                html.remove(path)
        charts = figures(task)
        for chart in charts:
            html.write(folder / FIGURES / f"{chart.name}.csv", chart.csv())
        html.write(folder / REPORT, render(task, analysis, charts))
        pages.append(folder / REPORT)
    return written + pages


def render(task: TaskAnalysis, analysis: Analysis, charts: Sequence[Figure]) -> str:
    """Returns the HTML of one task's page; all text from the folder is escaped."""
    states = Counter(run.state for run in task.comparison.runs)
    several = len(analysis.tasks) > 1
    content: dict[str, Any] = {
        "name": task.name,
        "folder": task.comparison.folder,
        "metric": task.metric,
        "rows": task.rows,
        "here": "seeds and splits of this table" if task.redrawn else "seeds on this test set",
        "counts": [(state, states[state]) for state in STATES],
        "collapsed": sum(len(summary.collapsed) for summary in task.summaries),
        "answers": answers(task),
        "over_tasks": over_tasks(analysis) if several else None,
        "tasks": [other.name for other in analysis.tasks],
        "tables": {stem: _sheet(records) for stem, records in tables(task, analysis).items()},
        "figures": {chart.name: chart for chart in charts},
        **_pictures(task, analysis),
    }
    data = {"figures": {chart.name: chart.as_json() for chart in charts}}
    return html.page(HERE / "comparison.html.jinja", content, SCRIPTS, data)


def _pictures(task: TaskAnalysis, analysis: Analysis) -> dict[str, Any]:
    """Returns the figures as SVG; None for those without data."""
    strips, differences = pictures.strips(task), pictures.differences(task)
    shares, disagreement = pictures.shares(task), pictures.disagreement(task)
    ranking = analysis.ranking
    return {
        "scores": plots.scores(strips, task.metric) if strips.rows else None,
        "forest": plots.forest(differences, task.metric) if differences else None,
        "components": plots.components(shares) if shares else None,
        "disagreement": plots.disagreement(disagreement) if disagreement else None,
        "ranks": [(p.configuration, plots.ranks(p)) for p in task.patterns[:MAX_RANK_PLOTS]],
        "critical_difference": plots.critical_difference(ranking) if ranking else None,
    }


def _sheet(records: Sequence[Record]) -> dict[str, Any]:
    """Returns columns, which of them are numeric, and rows; empty columns are left out."""
    columns = [name for name in records[0] if any(r[name] not in (None, "") for r in records)]
    numbers = [
        all(isinstance(r[name], int | float) for r in records if r[name] not in (None, ""))
        for name in columns
    ]
    rows = [[_text(record[name]) for name in columns] for record in records]
    return {"columns": columns, "numbers": numbers, "rows": rows}


def _text(value: Any) -> str:
    if isinstance(value, float) and 0 < abs(value) < 0.01:
        return f"{value:.2g}"
    return NOTHING if value is None else shown(value)
