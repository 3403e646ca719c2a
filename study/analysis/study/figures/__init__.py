"""The charts of the study's page: what is measured -> tables of numbers, one module a subject.

    learning.py  learning curves

A chart that a study has nothing for is left out. With `live`, while the study runs, those that
cost more than some milliseconds are left out as well.
"""

from study.analysis.figure import Figure
from study.analysis.study.figures.learning import learning_curves
from study.analysis.study.reading import StudyData


def figures(study: StudyData, live: bool) -> list[Figure]:
    """Returns the charts of the page in no particular order; the templates place them."""
    charts = [learning_curves(study)]
    return [chart for chart in charts if chart is not None]
