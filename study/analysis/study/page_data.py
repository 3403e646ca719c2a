"""What the scripts of the page know of the study: its trials, and the numbers of the charts."""

from collections.abc import Sequence
from typing import Any

from study.analysis.figure import Figure
from study.analysis.study.answer import section_of
from study.analysis.study.certainty import domains
from study.analysis.study.reading import StudyData
from study.analysis.study.trial_table import in_order, parameter_columns
from study.storage.commands import retrain
from study.storage.record import TrialRecord
from study.storage.result.words import STATE_WORDS

MOST = 1000
"""Largest number of trials on a page."""


def shown_trials(study: StudyData) -> list[TrialRecord]:
    """Returns the trials of the page by number: all, or if there are more than `MOST` a part.

    A part is the first half of `MOST` in the order of the table (the best first), those of the
    race, and of the others each k-th by number.
    """
    if len(study.trials) <= MOST:
        return study.trials
    best = {trial.number for trial in in_order(study)[: MOST // 2]}
    others = [trial.number for trial in study.trials if trial.number not in best]
    step = -(-len(others) // (MOST - MOST // 2))
    numbers = best | set(others[::step])
    return [trial for trial in study.trials if trial.number in numbers]


def page_data(study: StudyData, figures: Sequence[Figure]) -> dict[str, Any]:
    """Returns the page's data; `shell/README.md` names its parts."""
    trials = shown_trials(study)
    return {
        "name": study.name,
        "objective": study.spec.objective,
        "maximize": study.maximize,
        "winner": study.leader.number if study.leader else None,
        "as_good": list(study.result.as_good or ()),
        "domains": domains(study),
        "trials": {
            "trial": [trial.number for trial in trials],
            "state": [STATE_WORDS[trial.state] for trial in trials],
            "score": [trial.value for trial in trials],
            "reason": [trial.reason for trial in trials],
            "steps": [trial.reports[-1].step if trial.reports else 0 for trial in trials],
            "total_steps": [trial.total_steps for trial in trials],
            "crashes": [trial.crashes for trial in trials],
        },
        "seeds": {
            stream: [trial.seeds.get(stream) for trial in trials]
            for stream in dict.fromkeys(stream for trial in trials for stream in trial.seeds)
        },
        "sections": {leaf: section_of(study, leaf) for leaf in study.spec.domains},
        "rerun": retrain(study.folder.path),
        "settings": {
            name: [{**trial.settings, **trial.params}.get(name) for trial in trials]
            for name in parameter_columns(study)
        },
        "figures": {figure.name: figure.as_json() for figure in figures},
    }
