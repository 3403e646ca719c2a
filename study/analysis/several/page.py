"""The page of several studies."""

from collections.abc import Sequence
from pathlib import Path

from study.analysis import html
from study.analysis.figure import Figure
from study.analysis.several import comparing
from study.analysis.study.reading import StudyData

HERE = Path(__file__).parent


def write_several(studies: Sequence[StudyData], page: Path) -> Path:
    """Writes the page of several studies, and returns its path.

    Raises:
        InputError: it cannot be written.
    """
    html.write(page, render(studies, page))
    return page


def render(studies: Sequence[StudyData], page: Path) -> str:
    """Returns the page as HTML; all text from the studies is escaped. `page` is its place."""
    figures = {figure.name: figure for figure in _figures(studies)}
    names, settings = comparing.settings_table(studies)
    content = {
        "title": f"{len(studies)} studies",
        "metric": comparing.metric_name(studies),
        "lines": comparing.lines(studies, page),
        "differences": comparing.differences(studies),
        "names": names,
        "settings": settings,
        "figures": figures,
    }
    data = {
        "objective": studies[0].spec.objective,
        "figures": {name: figure.as_json() for name, figure in figures.items()},
    }
    scripts = (*html.CHARTS, HERE / "several.js")
    return html.page(HERE / "several.html.jinja", content, scripts, data)


def _figures(studies: Sequence[StudyData]) -> list[Figure]:
    scores, ranges = comparing.scores(studies), comparing.ranges(studies)
    metric = comparing.metric_name(studies)
    charts = [
        Figure(
            name="scores",
            columns=scores,
            heading="Which study is better?",
            alt=f"{metric} of every study's winner on test and dev with intervals",
            caption="Dot: mean. Thick: 95 % interval over seeds. Thin: 95 % interval from the "
            "number of rows of the split, which studies of the same data share. Where thick "
            "intervals overlap, seeds alone may explain the difference.",
        ),
        Figure(
            name="ranges",
            columns=ranges,
            heading="Do the studies agree on the settings?",
            alt="for each setting and study: the winner's value, the range of values as good, and "
            "the range that was tried",
            caption="Dot: the winner. Thick: from the least to the largest value among trials "
            "that cannot be told from it. Thin: values that were tried.",
        ),
    ]
    return [chart for chart in charts if chart.columns["study"]]
