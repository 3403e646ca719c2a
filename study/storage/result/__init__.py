"""The result of a study: what terminal, page, trials.csv, status and MLflow show.

Map:

    fields.py     StudyResult and its parts
    building.py   a result from a folder, or from records and spec
    racing.py     the race so far: scores that choose and confirm, estimates
    as_good.py    which trials cannot be told from the winner
    health.py     lights: what a reader must know before believing the answer
    allocation.py lights on schedule, mask and rank
    collapse.py   runs that predict one class, which are counted apart
    estimates.py  scores over seeds: mean, sd, interquartile mean, interval
    stopping.py   what early stopping saved and cost
    stopping_words.py  the same in sentences
    sampling.py   the error of a score that comes from the size of the test set
    words.py      the words for the states of trials and studies
"""

from study.storage.result.building import read_result, study_result
from study.storage.result.estimates import Estimate
from study.storage.result.fields import Headline, Light, RaceView, StudyResult, TrialResult

__all__ = (
    "Estimate",
    "Headline",
    "Light",
    "RaceView",
    "StudyResult",
    "TrialResult",
    "read_result",
    "study_result",
)
