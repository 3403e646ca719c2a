"""optuna.journal: the study's numbers, names and times, during a study and after a restart."""

import errno
import io
import json
from datetime import datetime
from typing import Any
from wsgiref.util import setup_testing_defaults

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from study.engine.scheduling.optuna_file import OptunaJournal, open_storage
from study.storage.events import Report, TrialWarning, WinnerEvaluated
from study.storage.ledger import StudyLedger
from tests.study.ledgers import OpenLedger, create

BOUND = 'constraints={peak_memory_gib: "<= 4"}'


def stored(ledger: StudyLedger) -> optuna.Study:
    """The study as another process reads it from the file."""
    storage = JournalStorage(JournalFileBackend(str(ledger.folder.optuna)))
    [name] = optuna.get_all_study_names(storage)
    return optuna.load_study(study_name=name, storage=storage)


def report(ledger: StudyLedger, number: int, value: float | None) -> None:
    metrics = {"dev_mcc": value, "train_loss": 0.5, "peak_memory_gib": 1.0}
    ledger.append(Report(trial=number, report=1, step=10, metrics=metrics))


def run(ledger: StudyLedger) -> None:
    """Runs four trials: the second ends first, the third is stopped, the last one is running."""
    create(ledger, 0)
    create(ledger, 1)
    report(ledger, 1, 0.25)
    ledger.end(ledger.record.trials[1], "complete", "")
    create(ledger, 2)
    report(ledger, 2, 0.125)
    ledger.end(ledger.record.trials[2], "pruned", "below the rung at report 1")
    report(ledger, 0, None)
    ledger.end(ledger.record.trials[0], "failed", "diverged: the loss is not finite")
    create(ledger, 3)
    report(ledger, 3, 0.5)


@pytest.fixture
def ledger(open_ledger: OpenLedger) -> StudyLedger:
    ledger = open_ledger(BOUND)
    ledger.listeners = [OptunaJournal(ledger)]
    return ledger


def test_a_trial_has_the_studys_number_state_and_times(ledger: StudyLedger) -> None:
    run(ledger)
    study = stored(ledger)
    assert study.metric_names == ["dev_mcc"]
    assert [trial.user_attrs["trial"] for trial in study.trials] == [0, 1, 2, 3]
    states = [TrialState.FAIL, TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING]
    assert [trial.state for trial in study.trials] == states
    for trial, record in zip(study.trials, ledger.record.trials.values(), strict=True):
        assert trial.datetime_start == datetime.fromtimestamp(record.created)
        ended = None if record.ended is None else datetime.fromtimestamp(record.ended)
        assert trial.datetime_complete == ended
    assert study.best_trial.number == 1
    assert study.best_trial.constraints == {"peak_memory_gib": -0.75}
    assert study.trials[3].intermediate_values == {10: 0.5}
    assert study.trials[2].user_attrs["reason"] == "below the rung at report 1"
    assert study.user_attrs["task"] == "promoters"


def test_a_restart_writes_the_same_file_again(
    ledger: StudyLedger, open_ledger: OpenLedger
) -> None:
    run(ledger)
    ledger.append(WinnerEvaluated(trial=1, dev={"dev_mcc": 0.25}, test={"test_mcc": 0.5}))
    before, attributes = stored(ledger).trials, notes(ledger)
    OptunaJournal(open_ledger(BOUND))
    assert stored(ledger).trials == before
    assert notes(ledger) == attributes


def notes(ledger: StudyLedger) -> dict[str, Any]:
    """The attributes of the study in which the dashboard stores notes and names."""
    study = stored(ledger)
    attributes: dict[str, Any] = study._storage.get_study_system_attrs(study._study_id)
    return attributes


def test_the_dashboard_answers_with_numbers_names_and_notes(ledger: StudyLedger) -> None:
    dashboard = pytest.importorskip("optuna_dashboard")
    run(ledger)
    ledger.append(WinnerEvaluated(trial=1, dev={"dev_mcc": 0.25}, test={"test_mcc": 0.5}))
    answer = ask(dashboard.wsgi(open_storage(ledger.folder)), "/api/studies/0")
    assert answer["name"] == "a study"
    assert answer["objective_names"] == ["dev_mcc"]
    assert "the same numbers" in answer["note"]["body"]
    assert [trial["note"]["body"] for trial in answer["trials"]] == [
        "**failed**: diverged: the loss is not finite",
        "**winner** of the study",
        "**stopped early**: below the rung at report 1",
        "",
    ]
    assert [trial["number"] for trial in answer["trials"]] == [0, 1, 2, 3]


def ask(application: Any, path: str) -> dict[str, Any]:
    """Returns what a WSGI application answers to GET."""
    environment: dict[str, Any] = {"PATH_INFO": path, "wsgi.input": io.BytesIO()}
    setup_testing_defaults(environment)
    status: list[str] = []
    body = b"".join(application(environment, lambda line, *others: status.append(line)))
    assert status[0].startswith("200"), body
    answer: dict[str, Any] = json.loads(body)
    return answer


def test_a_lock_of_a_killed_driver_is_removed(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    lock = ledger.folder.path / f"{ledger.folder.optuna.name}.lock"
    lock.symlink_to(ledger.folder.path / "gone")
    OptunaJournal(ledger)
    assert not lock.is_symlink()


def test_the_study_continues_without_the_file(
    ledger: StudyLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(JournalFileBackend, "append_logs", fail)
    run(ledger)
    assert [trial.state for trial in ledger.record.trials.values()] == [
        *("failed", "complete", "pruned", "running")
    ]
    [warning] = [e.text for e in ledger.journal.read() if isinstance(e, TrialWarning)]
    assert warning.startswith("optuna.journal lacks events from now on ([Errno 28] No space left")
