"""The thread that writes MLflow: it delays no driver, retries after outages."""

import threading
import time
from collections.abc import Callable, Iterable

import pytest
from mlflow.exceptions import MlflowException

from study.engine.tracking import tracker as tracking
from study.engine.tracking.subject import Subject
from study.engine.tracking.tracker import Tracker
from study.storage.ledger import StudyLedger
from study.storage.record import TrialRecord
from tests.study.ledgers import OpenLedger, create, report


class Runs:
    """A server that can fail, hang or break; records the number of reports of each trial."""

    def __init__(self, uri: str, key: str, subject: Subject) -> None:
        self.adopted = False
        self.adoptions = 0
        self.writes: list[dict[int, tuple[str, int]]] = []
        self.received: dict[int, tuple[str, int]] = {}
        self.ended = ""
        self.error: Exception | None = None
        self.hung = False
        """Whether a request has timed out."""
        self.answers = threading.Event()
        self.answers.set()

    def adopt(self) -> None:
        self._ask()
        self.adoptions += 1
        self.adopted = True

    def forget(self) -> None:
        self.adopted = False

    def write(self, trials: Iterable[TrialRecord], final: bool) -> None:
        self._ask()
        self.writes.append({t.number: (t.state, len(t.reports)) for t in trials})
        self.received |= self.writes[-1]

    def end(self, status: str, summary: object) -> None:
        self._ask()
        self.ended = status

    def _ask(self) -> None:
        if not self.answers.wait(10):
            self.hung = True
        if self.error is not None:
            raise self.error


@pytest.fixture
def ledger(open_ledger: OpenLedger, monkeypatch: pytest.MonkeyPatch) -> StudyLedger:
    """A ledger to which a tracker listens; see `tracker_of`."""
    monkeypatch.setattr(tracking, "StudyRuns", Runs)
    monkeypatch.setattr(tracking, "GATHER_SECONDS", 0.0)
    monkeypatch.setattr(tracking, "GATHER_PER_CPU_SECOND", 0.0)
    ledger = open_ledger()
    ledger.listeners.append(Tracker(ledger, "http://host", Subject("a study")))
    create(ledger, 0)
    return ledger


def tracker_of(ledger: StudyLedger) -> tuple[Tracker, Runs]:
    [tracker] = ledger.listeners
    return tracker, tracker.runs


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end, "the condition was not met in time"
        time.sleep(0.002)


def test_events_are_written_immediately_and_the_end_of_the_run_at_closing(
    ledger: StudyLedger,
) -> None:
    tracker, runs = tracker_of(ledger)
    until(lambda: runs.received == {0: ("running", 0)})
    report(ledger, 0, 1, 0.25)
    until(lambda: runs.received == {0: ("running", 1)})
    ledger.end(ledger.record.trials[0], "complete", "")
    tracker.close(ledger.record, "FINISHED")
    assert runs.received == {0: ("complete", 1)}
    assert runs.ended == "FINISHED"
    assert runs.adoptions == 2  # At the start and again at the end.


def test_a_server_that_hangs_delays_no_report_and_receives_all_when_it_responds(
    ledger: StudyLedger,
) -> None:
    tracker, runs = tracker_of(ledger)
    until(lambda: runs.received)
    runs.answers.clear()
    report(ledger, 0, 1, 0.25)
    time.sleep(0.05)  # The thread hangs now.
    for index in range(2, 50):
        report(ledger, 0, index, 0.25)
    assert not runs.hung, "a report waited for the server"
    writes = len(runs.writes)
    runs.answers.set()
    until(lambda: runs.received == {0: ("running", 49)})
    assert len(runs.writes) - writes <= 2
    tracker.close(ledger.record, "FINISHED")


def test_closing_waits_for_a_server_that_hangs_up_to_a_limit(
    ledger: StudyLedger, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tracking, "PATIENCE_SECONDS", 0.05)
    monkeypatch.setattr(tracking, "CLOSE_SECONDS", 0.1)
    tracker, runs = tracker_of(ledger)
    runs.answers.clear()
    tracker.close(ledger.record, "KILLED")
    assert not runs.hung, "closing waited for the server beyond the limit"
    assert [r.getMessage() for r in caplog.records] == [
        "waiting for MLflow at http://host, 0.1 s at most",
        "MLflow at http://host is too slow; --resume sends the missing results",
    ]
    runs.answers.set()
    tracker._thread.join()


def test_an_outage_is_logged_once_and_afterwards_missing_results_are_sent(
    ledger: StudyLedger, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tracking, "RETRY_SECONDS", 0.01)
    tracker, runs = tracker_of(ledger)
    until(lambda: runs.received)
    runs.error = MlflowException("connection refused\nand a page of detail")
    create(ledger, 1)
    until(lambda: caplog.records)
    report(ledger, 0, 1, 0.25)
    time.sleep(0.1)
    runs.received.clear()
    runs.error = None
    until(lambda: runs.received == {0: ("running", 1), 1: ("running", 0)})
    until(lambda: len(caplog.records) > 1)
    assert [r.getMessage() for r in caplog.records] == [
        "MLflow at http://host does not accept results (connection refused); the study continues, "
        "and they are sent later",
        "MLflow at http://host accepts results again",
    ]
    tracker.close(ledger.record, "FINISHED")


def test_the_interval_between_writes_is_200_times_their_cpu_time_and_a_minute_at_most() -> None:
    assert tracking._gather_seconds(0.0) == 0.5
    assert tracking._gather_seconds(0.1) == 20.0
    assert tracking._gather_seconds(5.0) == 60.0


def test_a_single_failed_request_is_not_logged_as_an_outage(
    ledger: StudyLedger, caplog: pytest.LogCaptureFixture
) -> None:
    tracker, runs = tracker_of(ledger)
    until(lambda: runs.received)
    ask = runs._ask

    def fail() -> None:
        runs._ask = ask
        raise MlflowException("an idle connection was closed")

    runs._ask = fail
    report(ledger, 0, 1, 0.25)
    until(lambda: runs.received == {0: ("running", 1)})
    tracker.close(ledger.record, "FINISHED")
    assert not caplog.records


def test_results_that_a_server_lacks_at_closing_are_left_to_a_resume(
    ledger: StudyLedger, caplog: pytest.LogCaptureFixture
) -> None:
    tracker, runs = tracker_of(ledger)
    until(lambda: runs.received)
    runs.error = MlflowException("connection refused")
    tracker.close(ledger.record, "FINISHED")
    [message] = [r.getMessage() for r in caplog.records]
    assert message == (
        "MLflow at http://host lacks results (connection refused); they are in the study folder, "
        "and --resume sends them"
    )


@pytest.mark.parametrize("error", [ModuleNotFoundError("No module named 'boto3'"), KeyError("x")])
def test_an_exception_of_any_kind_is_an_outage(
    ledger: StudyLedger,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
) -> None:
    monkeypatch.setattr(tracking, "RETRY_SECONDS", 0.01)
    tracker, runs = tracker_of(ledger)
    runs.error = error
    report(ledger, 0, 1, 0.25)
    until(lambda: caplog.records)
    assert "does not accept results" in caplog.text
    runs.error = None
    until(lambda: runs.received == {0: ("running", 1)})
    tracker.close(ledger.record, "FINISHED")
    assert runs.ended == "FINISHED"


def test_the_parent_run_ends_even_if_a_trial_is_not_accepted(
    ledger: StudyLedger, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*arguments: object, **named: object) -> None:
        raise MlflowException("a parameter is too long")

    tracker, runs = tracker_of(ledger)
    until(lambda: runs.received)
    runs.write = refuse
    tracker.close(ledger.record, "FAILED")
    assert runs.ended == "FAILED"
    assert "lacks results (a parameter is too long)" in caplog.text


@pytest.mark.parametrize(
    ("error", "status"), [(KeyboardInterrupt, "KILLED"), (ZeroDivisionError, "FAILED")]
)
def test_runs_are_ended_when_the_driver_raises(
    ledger: StudyLedger, error: type[BaseException], status: str
) -> None:
    tracker, runs = tracker_of(ledger)
    with pytest.raises(error), tracker.ending(ledger.record):
        raise error
    assert runs.ended == status
