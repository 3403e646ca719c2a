"""Which trials run on although early stopping ended them.

After the search a random part of the stopped trials (`scheduler.audit`) trains to its end. What
they reach measures what early stopping costs. The search is that of a study without it: the
sampler, the rungs, the choice of the winner and all tables of scores know them as stopped.
"""

import random

from study.spec import StudySpec
from study.spec.rungs import first_rung
from study.spec.space import planned_trials
from study.storage.record import StudyRecord, TrialRecord


def is_chosen(trial: int, spec: StudySpec) -> bool:
    """Whether a trial runs on if it is stopped: a function of the study's seed and its number."""
    draw = random.Random(f"audit, seed {spec.search.seed}, trial {trial}")
    return draw.random() < spec.scheduler.audit


def chosen(record: StudyRecord, spec: StudySpec) -> list[TrialRecord]:
    """Returns the stopped trials that are chosen, by number."""
    return [trial for trial in record.in_state("pruned") if is_chosen(trial.number, spec)]


def awaiting(record: StudyRecord, spec: StudySpec) -> list[TrialRecord]:
    """Returns those of `chosen` that have not yet been trained to their end."""
    return [trial for trial in chosen(record, spec) if trial.audited is None]


def steps_to_come(record: StudyRecord, spec: StudySpec, stops: float) -> list[float]:
    """Returns the optimizer steps that each trial will train after its stop, as far as expected.

    `stops` is the probability that a trial that has not ended is stopped.
    """
    steps = [
        float(trial.total_steps - (trial.reports[-1].step if trial.reports else 0))
        for trial in awaiting(record, spec)
    ]
    open_trials = planned_trials(spec) - len(record.in_state("complete", "pruned", "failed"))
    more = round(spec.scheduler.audit * max(0, open_trials) * stops)
    rest = 1 - first_rung(spec) / int(spec.training.reports)
    totals = [trial.total_steps for trial in record.trials.values()]
    return steps + [rest * sum(totals) / len(totals)] * (more if totals else 0)
