"""The charts of the study's page: what is measured -> tables of numbers, one module a subject.

    axes.py        the searched settings: their ranges, and where a value lies
    surrogate.py   the expected score over the settings: a Gaussian process
    settings.py    score against each setting, pairs of settings, parallel coordinates
    importance.py  how much each setting matters, with intervals
    learning.py    learning curves
    timeline.py    trials over time, the best so far, what early stopping saved
    method.py      the winner's budget, kept and rank over the mask events
    triplets.py    every triplet at every mask event, importance scores, final ranks
    tradeoffs.py   the score against parameters and time
    classes.py     the winner's errors by class, and its calibration
    race.py        the race of the finalists
    seeds.py       the comparison over many seeds beside the study

A chart that a study has nothing for is left out. With `live`, while the study runs, those that
cost more than some milliseconds are left out as well: all fits and bootstraps, and the triplets.
"""

from study.analysis.figure import Figure
from study.analysis.study.figures.classes import class_figures
from study.analysis.study.figures.importance import importance_figure
from study.analysis.study.figures.learning import learning_curves
from study.analysis.study.figures.method import budget, ranks_over_events
from study.analysis.study.figures.race import race_figure
from study.analysis.study.figures.seeds import seed_figures
from study.analysis.study.figures.settings import settings_figures
from study.analysis.study.figures.timeline import best_so_far, spending, timeline
from study.analysis.study.figures.tradeoffs import tradeoffs
from study.analysis.study.figures.triplets import triplet_figures
from study.analysis.study.reading import StudyData


def figures(study: StudyData, live: bool) -> list[Figure]:
    """Returns the charts of the page in no particular order; the templates place them."""
    charts = [
        *settings_figures(study, live),
        learning_curves(study),
        timeline(study),
        best_so_far(study),
        spending(study),
        budget(study),
        ranks_over_events(study),
        tradeoffs(study),
        race_figure(study),
        *class_figures(study),
    ]
    if not live:
        charts += [importance_figure(study), *triplet_figures(study), *seed_figures(study)]
    return [chart for chart in charts if chart is not None]
