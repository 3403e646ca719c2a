"""The record of a study as an Optuna study: in memory for samplers, in a file for the dashboard.

Both are computed from the record; optuna_file.py writes the file. They differ for trials that ran
out of memory: these are FAIL in the file, as in the record, but PRUNED in memory. Samplers ignore
failed trials and would suggest the same region again; a pruned trial that violates a constraint is
ranked behind all others, so that samplers avoid its region.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import NSGAIISampler
from optuna.trial import FrozenTrial, TrialState

from study.spec.goals import Goals
from study.storage.events import EarlierTrial
from study.storage.record import StudyRecord, TrialRecord

STATES = {
    "running": TrialState.RUNNING,
    "complete": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}
Space = Mapping[str, BaseDistribution]


def rebuild_study(record: StudyRecord, space: Space, goals: Goals) -> optuna.Study:
    """Returns an in-memory study with every trial of the record, running ones included.

    The results of an earlier study that the record started with precede them.
    """
    study = new_study(goals)
    for earlier in earlier_trials(record):
        study.add_trial(_frozen_earlier(earlier, space, goals))
    for trial in record.trials.values():
        study.add_trial(frozen_trial(trial, space, goals, for_sampler=True))
        for key, value in trial.optuna.get("study", {}).items():
            study._storage.set_study_system_attr(study._study_id, key, value)
    return study


def new_study(goals: Goals, **where: Any) -> optuna.Study:
    """Returns a new study, without Optuna's own line about it.

    Args:
        goals: its directions.
        where: `storage` and `study_name`; in memory without them.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(directions=directions(goals), **where)


def earlier_trials(record: StudyRecord) -> list[EarlierTrial]:
    """Returns the trials of an earlier study that the record started with."""
    return list(record.warm_start.results) if record.warm_start else []


def _frozen_earlier(earlier: EarlierTrial, space: Space, goals: Goals) -> FrozenTrial:
    steps = {int(step): value for step, value in earlier.steps}
    return optuna.trial.create_trial(
        state=STATES[earlier.state],
        values=earlier.values,
        params=dict(earlier.params),
        distributions={name: space[name] for name in earlier.params},
        # The genetic algorithm selects parents among trials of a generation.
        system_attrs={NSGAIISampler._get_generation_key(): 0},
        intermediate_values=steps if len(goals.objectives) == 1 else {},
        constraints=dict(earlier.violations),
    )


def tell(
    study: optuna.Study, optuna_trial: optuna.Trial, trial: TrialRecord, goals: Goals
) -> None:
    """Tells the in-memory study the values and the state of a trial that has ended.

    The study contains the reports of earlier sessions already.
    """
    known = study._storage.get_trial(optuna_trial._trial_id).intermediate_values
    for step, value in intermediate_values(trial, goals).items():
        if step not in known:
            optuna_trial.report(value, step)
    for metric, violation in trial.violations(goals.constraints).items():
        optuna_trial.set_constraint(metric, violation)
    study.tell(optuna_trial, final_values(trial, goals), state(trial, goals, for_sampler=True))


def frozen_trial(
    trial: TrialRecord, space: Space, goals: Goals, *, for_sampler: bool = False
) -> FrozenTrial:
    """Returns a recorded trial for Optuna; `for_sampler`: with the state that samplers get."""
    optuna_state, steps = (
        state(trial, goals, for_sampler=for_sampler),
        intermediate_values(trial, goals),
    )
    values = final_values(trial, goals)
    if optuna_state is TrialState.PRUNED and steps:
        values = [steps[max(steps)]]  # As `Study.tell` does.
    frozen = optuna.trial.create_trial(
        state=optuna_state,
        values=values,
        params=trial.params,
        distributions=dict(space),
        user_attrs=attributes(trial),
        system_attrs=dict(trial.optuna.get("trial", {})),
        intermediate_values=steps,
        constraints=trial.violations(goals.constraints),
    )
    frozen.datetime_start = datetime.fromtimestamp(trial.created)
    ended = optuna_state.is_finished() and trial.ended is not None
    frozen.datetime_complete = datetime.fromtimestamp(trial.ended or 0) if ended else None
    return frozen


def attributes(trial: TrialRecord) -> dict[str, Any]:
    """Returns what Optuna has no field for: number, settings, seeds, and why the trial ended."""
    seeds = {f"seed_{name}": seed for name, seed in trial.seeds.items()}
    reason = {"reason": trial.reason} if trial.reason else {}
    return {"trial": trial.number, **trial.settings, **seeds, **reason}


def directions(goals: Goals) -> list[str]:
    """Returns Optuna's name of the direction of every objective."""
    return ["maximize" if objective.maximize else "minimize" for objective in goals.objectives]


def state(trial: TrialRecord, goals: Goals, *, for_sampler: bool) -> TrialState:
    """Returns the state of a trial in Optuna; see the head of this file for `for_sampler`."""
    if trial.out_of_memory and for_sampler:
        return TrialState.PRUNED
    if trial.state == "complete" and final_values(trial, goals) is None:
        return TrialState.FAIL  # An objective other than the score is not finite.
    return STATES[trial.state]


def final_values(trial: TrialRecord, goals: Goals) -> list[float] | None:
    """Returns the objectives of a complete trial, None for any other."""
    return goals.values(trial.metrics) if trial.state == "complete" else None


def intermediate_values(trial: TrialRecord, goals: Goals) -> dict[int, float]:
    """Returns the score by step, without reports that are not finite.

    Empty with several objectives, for which Optuna has no intermediate values: `Trial.report`
    raises, and TPE fails on a pruned trial with some.
    """
    return trial.values if len(goals.objectives) == 1 else {}
