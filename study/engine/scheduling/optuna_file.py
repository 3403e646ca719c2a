"""The trials of a study in optuna.journal, which optuna-dashboard reads during a study.

A trial has the study's number, names, start and end there. Nothing else reads the file; it is
rewritten from the record at every start.
"""

import warnings
from datetime import UTC, datetime
from typing import Any

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.storages.journal._storage import JournalOperation
from optuna.trial import TrialState

from study.engine.scheduling.optuna_study import frozen_trial, new_study
from study.spec import StudySpec, method_label
from study.spec.space import distributions
from study.storage.events import (
    Event,
    Report,
    TrialCreated,
    TrialEnded,
    TrialWarning,
    WinnerEvaluated,
)
from study.storage.folder import StudyFolder
from study.storage.ledger import StudyLedger
from study.storage.record import StudyRecord, TrialRecord
from study.storage.result.words import STATE_WORDS


class OptunaJournal:
    """Keeps optuna.journal up to date; a listener of the ledger.

    An error of the file system is only a warning.
    """

    def __init__(self, ledger: StudyLedger) -> None:
        """Writes all trials of the record into a new file.

        Raises:
            OSError: it cannot be written.
        """
        self._ledger, self._goals = ledger, ledger.goals
        self._space = distributions(ledger.spec)
        self._broken = False
        # Includes locks of a killed driver, for which Optuna would wait half a minute.
        for file in ledger.folder.path.glob(f"{ledger.folder.optuna.name}*"):
            file.unlink()
        self._storage = open_storage(ledger.folder)
        self._study = _new_study(ledger, self._storage)
        self._note("Trials have the same numbers as in trials.csv, report.html and MLflow.")
        for trial in ledger.record.trials.values():
            self._create(trial)
            self._note_end(trial)
        if ledger.record.winner is not None:
            self._note_winner(ledger.record.winner)

    def __call__(self, event: Event, record: StudyRecord) -> None:
        """Writes what an event changes."""
        if self._broken:
            return
        try:
            self._write(event, record)
        except OSError as error:
            self._broken = True
            text = f"optuna.journal lacks events from now on ({error}); --resume rewrites it"
            number = getattr(event, "trial", 0)
            self._ledger.append(TrialWarning(trial=number, text=text))

    def _write(self, event: Event, record: StudyRecord) -> None:
        match event:
            case TrialCreated():
                self._create(record.trials[event.trial])
            case Report():
                self._report(event)
            case TrialEnded():
                self._end(record.trials[event.trial])
            case WinnerEvaluated():
                self._note_winner(event)

    def _create(self, trial: TrialRecord) -> None:
        # Not `Study.add_trial`, which is for trials that have ended.
        frozen = frozen_trial(trial, self._space, self._goals)
        self._storage.create_new_trial(self._study._study_id, template_trial=frozen)

    def _report(self, report: Report) -> None:
        value = report.metrics.get(self._ledger.metric)
        if value is not None and len(self._goals.objectives) == 1:
            self._storage.set_trial_intermediate_value(report.trial, report.step, value)

    def _end(self, trial: TrialRecord) -> None:
        ended = frozen_trial(trial, self._space, self._goals)
        if trial.reason:
            self._storage.set_trial_user_attr(trial.number, "reason", trial.reason)
        for key, value in ended.system_attrs.items():
            if key not in trial.optuna.get("trial", {}):  # Constraints.
                self._storage.set_trial_system_attr(trial.number, key, value)
        self._note_end(trial)
        self._set_state(trial, ended.state, ended.values)

    def _set_state(
        self, trial: TrialRecord, state: TrialState, values: list[float] | None
    ) -> None:
        """As `JournalStorage.set_trial_state_values`, with the trial's own time of its end."""
        time = datetime.fromtimestamp(trial.ended or 0, UTC).isoformat(timespec="microseconds")
        self._storage._write_log(
            JournalOperation.SET_TRIAL_STATE_VALUES,
            {
                "trial_id": trial.number,
                "state": state,
                "values": values,
                "datetime_complete": time,
            },
        )
        self._storage._sync_with_backend()

    def _note_end(self, trial: TrialRecord) -> None:
        if trial.reason:
            self._note(f"**{STATE_WORDS[trial.state]}**: {trial.reason}", trial.number)

    def _note_winner(self, winner: WinnerEvaluated) -> None:
        text = "**winner** of the study"
        if winner.race:
            text += f", chosen among {len(winner.race.candidates)} finalists with fresh seeds"
        self._note(text, winner.trial)

    def _note(self, text: str, trial: int | None = None) -> None:
        """Writes a note as optuna-dashboard stores it, in attributes of the study."""
        start = "dashboard:" if trial is None else f"dashboard:{trial}:"
        for key, value in (("note_str:0", text), ("note_ver", 1)):
            self._storage.set_study_system_attr(self._study._study_id, start + key, value)


def _new_study(ledger: StudyLedger, storage: JournalStorage) -> optuna.Study:
    """Returns a study without trials, with the names of the objectives and a note."""
    name = ledger.folder.path.name
    study = new_study(ledger.goals, storage=storage, study_name=name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        study.set_metric_names([one.metric for one in ledger.goals.objectives])
    for key, value in _attributes_of_study(ledger.spec).items():
        storage.set_study_user_attr(study._study_id, key, value)
    return study


def _attributes_of_study(spec: StudySpec) -> dict[str, Any]:
    return {
        "backbone": spec.backbone.name,
        "task": spec.task.label,
        "method": method_label(spec.adapter),
    }


def open_storage(folder: StudyFolder) -> JournalStorage:
    """Returns Optuna's storage on the folder's optuna.journal."""
    file = str(folder.optuna)
    # Optuna's default lock is a symbolic link, which not every file system supports.
    return JournalStorage(JournalFileBackend(file, JournalFileOpenLock(file)))
