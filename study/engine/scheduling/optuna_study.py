"""A study's record as Optuna sees it: in memory for the samplers, in a file for its dashboard.

Both are made of the record alone. They differ in one thing: a trial that ran out of memory is
FAIL in the file, as it is in the record, and PRUNED in memory. Samplers ignore failed trials
altogether, so that they would try the same region again and again; one that was stopped and broke
a constraint they rank behind all that did not, and so turn away from what does not fit.
"""

from collections.abc import Mapping

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import NSGAIISampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import FrozenTrial, TrialState

from study.spec.goals import Goals
from study.storage.events import EarlierTrial
from study.storage.folder import StudyFolder
from study.storage.ledger import StudyLedger
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

    Before them stand the results of an earlier study, if the record began with some.
    """
    study = optuna.create_study(directions=directions(goals))
    for earlier in earlier_trials(record):
        study.add_trial(_frozen_earlier(earlier, space, goals))
    for trial in record.trials.values():
        study.add_trial(frozen_trial(trial, space, goals, steering=True))
        for key, value in trial.optuna.get("study", {}).items():
            study._storage.set_study_system_attr(study._study_id, key, value)
    return study


def earlier_trials(record: StudyRecord) -> list[EarlierTrial]:
    """Returns the trials that the record took over from an earlier study."""
    return list(record.warm_start.results) if record.warm_start else []


def _frozen_earlier(earlier: EarlierTrial, space: Space, goals: Goals) -> FrozenTrial:
    steps = (
        {int(step): value for step, value in earlier.steps} if len(goals.objectives) == 1 else {}
    )
    return optuna.trial.create_trial(
        state=STATES[earlier.state],
        values=earlier.values,
        params=dict(earlier.params),
        distributions={name: space[name] for name in earlier.params},
        # The genetic algorithm breeds from what belongs to a generation.
        system_attrs={NSGAIISampler._get_generation_key(): 0},
        intermediate_values=steps if len(goals.objectives) == 1 else {},
        constraints=dict(earlier.violations),
    )


def tell(study: optuna.Study, asked: optuna.Trial, trial: TrialRecord, goals: Goals) -> None:
    """Tells the in-memory study how a trial of it has ended.

    Of one taken up again by a resumed driver, what it reported before is known already.
    """
    known = study._storage.get_trial(asked._trial_id).intermediate_values
    for step, value in intermediate_values(trial, goals).items():
        if step not in known:
            asked.report(value, step)
    for metric, violation in trial.violations(goals.constraints).items():
        asked.set_constraint(metric, violation)
    study.tell(asked, final_values(trial, goals), state(trial, goals, steering=True))


def frozen_trial(
    trial: TrialRecord, space: Space, goals: Goals, *, steering: bool = False
) -> FrozenTrial:
    """Returns Optuna's view of a recorded trial; `steering`: the view of the samplers."""
    told, steps = state(trial, goals, steering=steering), intermediate_values(trial, goals)
    values = final_values(trial, goals)
    if told is TrialState.PRUNED and steps:
        values = [steps[max(steps)]]  # As `Study.tell` does.
    return optuna.trial.create_trial(
        state=told,
        values=values,
        params=trial.params,
        distributions=dict(space),
        user_attrs={"reason": trial.reason, **trial.settings},
        system_attrs=dict(trial.optuna.get("trial", {})),
        intermediate_values=steps,
        constraints=trial.violations(goals.constraints),
    )


def directions(goals: Goals) -> list[str]:
    """Returns the direction of every objective by Optuna's name."""
    return ["maximize" if objective.maximize else "minimize" for objective in goals.objectives]


def state(trial: TrialRecord, goals: Goals, *, steering: bool) -> TrialState:
    """Returns Optuna's state of a trial."""
    if trial.out_of_memory and steering:
        return TrialState.PRUNED
    if trial.state == "complete" and final_values(trial, goals) is None:
        return TrialState.FAIL  # An objective other than the score is not finite.
    return STATES[trial.state]


def final_values(trial: TrialRecord, goals: Goals) -> list[float] | None:
    """Returns the objectives of a complete trial, None for any other."""
    return goals.values(trial.metrics) if trial.state == "complete" else None


def intermediate_values(trial: TrialRecord, goals: Goals) -> dict[int, float]:
    """Returns the score by step, without reports that are not finite.

    Optuna knows no intermediate values where there are several objectives: `Trial.report` refuses
    them, and its TPE fails on a stopped trial that has some.
    """
    return trial.values if len(goals.objectives) == 1 else {}


class Mirror:
    """Ended trials as an Optuna journal file, which optuna-dashboard reads while the study runs.

    Written from the record alone and rewritten at every start, so it can never hold anything
    that the study does not. The study does not need it.
    """

    def __init__(self, ledger: StudyLedger, space: Space) -> None:
        self._space, self._goals = space, ledger.goals
        # With the locks of a driver that was killed, for which Optuna would wait half a minute.
        for file in ledger.folder.path.glob(f"{ledger.folder.optuna.name}*"):
            file.unlink()
        self._study = optuna.create_study(
            storage=open_storage(ledger.folder),
            study_name=ledger.folder.path.name,
            directions=directions(ledger.goals),
        )
        for trial in ledger.record.in_state("complete", "pruned", "failed"):
            self.add(trial)

    def add(self, trial: TrialRecord) -> None:
        """Appends an ended trial."""
        self._study.add_trial(frozen_trial(trial, self._space, self._goals))


def open_storage(folder: StudyFolder) -> JournalStorage:
    """Returns Optuna's storage on the folder's optuna.journal."""
    file = str(folder.optuna)
    # Optuna's own choice is a symbolic link, which not every file system knows.
    return JournalStorage(JournalFileBackend(file, JournalFileOpenLock(file)))
