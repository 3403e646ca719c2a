"""report.html and tables/ of comparison folders."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from study.analysis import html
from study.analysis.comparison.analysis import Analysis, TaskAnalysis
from study.analysis.comparison.page import pictures, plots
from study.analysis.comparison.page.tables import STEMS, Record, as_csv, tables
from study.analysis.comparison.reading import STATES
from study.analysis.comparison.sentences.answers import answers
from study.analysis.comparison.sentences.tasks import over_tasks
from study.analysis.text import NOTHING, shown

REPORT, TABLES = "report.html", "tables"
PATTERNS = 6
"""The most configurations whose ranks are drawn."""


def write_analysis(analysis: Analysis) -> list[Path]:
    """Writes tables/*.csv and report.html into every folder; returns the files, pages last.

    A table that has no rows is not written, and one of an earlier analysis is removed. No file is
    ever half written.

    Raises:
        InputError: a file cannot be written.
    """
    written: list[Path] = []
    pages: list[Path] = []
    for task in analysis.tasks:
        folder, found = task.comparison.folder, tables(task, analysis)
        for stem in STEMS:
            path = folder / TABLES / f"{stem}.csv"
            if stem in found:
                html.write(path, as_csv(found[stem]))
                written.append(path)
            else:
                html.remove(path)
        html.write(folder / REPORT, render(task, analysis))
        pages.append(folder / REPORT)
    return written + pages


def render(task: TaskAnalysis, analysis: Analysis) -> str:
    """Returns the page of one task as text. Everything from the folder is escaped."""
    found, states = tables(task, analysis), Counter(run.state for run in task.comparison.runs)
    several = len(analysis.tasks) > 1
    content: dict[str, Any] = {
        "name": task.name,
        "folder": task.comparison.folder,
        "metric": task.metric,
        "rows": task.rows,
        "counts": [(state, states[state]) for state in STATES],
        "collapsed": sum(len(summary.collapsed) for summary in task.summaries),
        "answers": answers(task),
        "over_tasks": over_tasks(analysis) if several else None,
        "tasks": [other.name for other in analysis.tasks],
        "tables": {stem: _sheet(records) for stem, records in found.items()},
        **_pictures(task, analysis),
    }
    return html.page(Path(__file__).parent / "seeds.html.jinja", content)


def _pictures(task: TaskAnalysis, analysis: Analysis) -> dict[str, Any]:
    """The pictures; None where there is nothing to draw."""
    strips, differences = pictures.strips(task), pictures.differences(task)
    shares, disagreement = pictures.shares(task), pictures.disagreement(task)
    ranking = analysis.ranking
    return {
        "scores": plots.scores(strips, task.metric) if strips.rows else None,
        "forest": plots.forest(differences, task.metric) if differences else None,
        "components": plots.components(shares) if shares else None,
        "disagreement": plots.disagreement(disagreement) if disagreement else None,
        "ranks": [(p.configuration, plots.ranks(p)) for p in task.patterns[:PATTERNS]],
        "critical_difference": plots.critical_difference(ranking) if ranking else None,
    }


def _sheet(records: Sequence[Record]) -> dict[str, Any]:
    """The header and rows of a table, its columns of numbers, and no column that is all empty."""
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
