"""Crashes in the journal, and when they end a trial."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import ray
from ray.core.generated.common_pb2 import ActorDiedErrorContext
from ray.exceptions import ActorDiedError, OutOfMemoryError, RayTaskError

from study.engine.scheduling import outcomes
from study.engine.scheduling.outcomes import error_summary, record_crash
from study.storage.events import TrialWarning
from study.storage.ledger import StudyLedger
from tests.study.ledgers import OpenLedger, create


def crashed_trial(tmp_path: Path, error: BaseException | None, text: str = "a traceback\n") -> Any:
    file, pickled = tmp_path / "error.txt", tmp_path / "error.pkl"
    file.write_text(text)
    if error is not None:
        pickled.write_bytes(ray.cloudpickle.dumps(error))
    return SimpleNamespace(
        config={"trial": 0}, error_file=str(file), pickled_error_file=str(pickled)
    )


@pytest.fixture
def ledger(open_ledger: OpenLedger) -> StudyLedger:
    ledger = open_ledger()
    create(ledger, 0)
    return ledger


def test_a_third_crash_ends_a_trial_with_two_allowed_failures(
    ledger: StudyLedger, tmp_path: Path, open_ledger: OpenLedger
) -> None:
    trial = ledger.record.trials[0]
    for attempt in range(1, 4):
        assert (trial.state, trial.crashes) == ("running", attempt - 1)
        record_crash(ledger, crashed_trial(tmp_path, ActorDiedError()), max_failures=2)
    assert trial.state == "failed"
    assert trial.reason.startswith("crashed 3 times, the last time: the worker process died")
    assert open_ledger().record.trials[0] == trial


def test_crashes_before_an_interruption_count_after_a_resume(
    ledger: StudyLedger, tmp_path: Path, open_ledger: OpenLedger
) -> None:
    record_crash(ledger, crashed_trial(tmp_path, None), max_failures=1)
    resumed = open_ledger()
    record_crash(resumed, crashed_trial(tmp_path, None), max_failures=1)
    assert resumed.record.trials[0].crashed


def test_every_traceback_is_stored(ledger: StudyLedger, tmp_path: Path) -> None:
    for text in ("the first\n", "the second\n"):
        record_crash(ledger, crashed_trial(tmp_path, None, text), max_failures=2)
    assert ledger.folder.failure(0).read_text() == "the first\nthe second\n"


def test_a_crash_is_recorded_if_its_traceback_cannot_be_stored(
    ledger: StudyLedger, tmp_path: Path
) -> None:
    ledger.folder.failure(0).mkdir()  # Nothing can be appended to it.
    record_crash(ledger, crashed_trial(tmp_path, ActorDiedError()), max_failures=0)
    assert ledger.record.trials[0].state == "failed"
    crashed, ended, warning = ledger.journal.read()[-3:]
    assert (crashed.event, ended.event) == ("crashed", "ended")
    assert isinstance(warning, TrialWarning)
    assert warning.text.startswith("its traceback could not be stored: ")


def test_a_trial_whose_worker_ray_stops_for_lack_of_memory_is_repeated(
    ledger: StudyLedger, tmp_path: Path
) -> None:
    full = crashed_trial(tmp_path, OutOfMemoryError("the node is full"))
    record_crash(ledger, full, 1)
    assert ledger.record.trials[0].state == "running"
    record_crash(ledger, full, 1)
    assert ledger.record.trials[0].out_of_memory
    assert not ledger.record.trials[0].crashed


def test_the_loss_of_a_node_does_not_count_as_a_failure_of_the_trial(
    ledger: StudyLedger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = "The actor died because its node has died. Node Id: 1"
    lost = ActorDiedError(ActorDiedErrorContext(error_message=message, actor_id=b"1" * 16))
    monkeypatch.setattr(outcomes, "_error", lambda ray_trial: lost)
    for _ in range(5):
        record_crash(ledger, crashed_trial(tmp_path, None), max_failures=0)
    trial = ledger.record.trials[0]
    assert (trial.state, trial.crashes, trial.faults) == ("running", 0, 0)


def test_a_worker_death_after_the_end_of_the_trial_changes_nothing(
    ledger: StudyLedger, tmp_path: Path
) -> None:
    ledger.end(ledger.record.trials[0], "complete", "")
    record_crash(ledger, crashed_trial(tmp_path, None), max_failures=0)
    assert ledger.record.trials[0].state == "complete"
    assert ledger.record.trials[0].crashes == 0


def test_the_summary_of_an_error_names_the_exception_of_the_trial() -> None:
    error = RayTaskError("step", "Traceback …", ZeroDivisionError("a bug\nin two lines"))
    assert error_summary(error) == "ZeroDivisionError: a bug"
