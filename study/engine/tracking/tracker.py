"""MLflow, brought up to date with the record from a thread of the driver's own.

The driver never waits for MLflow: it leaves copies of what has changed, and the thread writes
them. A server that fails or hangs delays nothing and loses nothing; what it lacks follows when it
is back, or at the next `--resume`, for events.jsonl has it all. Only the driver writes.
"""

import logging
import os
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from study.engine.tracking.address import database
from study.engine.tracking.runs import StudyRuns, server_errors, study_key
from study.storage.events import Decision, Event, WinnerEvaluated
from study.storage.folder import StudyFolder
from study.storage.record import StudyRecord, TrialRecord

RETRY_SECONDS = 30.0
"""A server that has stopped answering is asked again after so long, not at every report."""
GATHER_SECONDS, GATHER_AT_MOST_SECONDS = 0.5, 60.0
"""How long news is gathered before it is written. A trial's last report and its end then make one
request, and so do several reports of a trial where many run; see `GATHER_PER_CPU_SECOND`."""
GATHER_PER_CPU_SECOND = 200.0
"""A request costs the driver milliseconds: writing may take half a percent of a core."""
PATIENCE_SECONDS, CLOSE_SECONDS = 10.0, 60.0
"""How long the end of a study waits for MLflow without saying so, and at all."""
SETTINGS = {
    # A request that is repeated unasked may create a run twice; what failed is written anew here.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    # Costs a request a run, and would break into the live table.
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Ending:
    """How the study's run is to end."""

    status: str
    winner: WinnerEvaluated | None
    artifacts: Path | None


class Tracker:
    """Keeps MLflow up to date with a study's record; nothing but `close` ever waits."""

    def __init__(self, folder: StudyFolder, uri: str | None, study: str) -> None:
        apply_settings()
        self.uri = _address(folder, uri)
        self.runs = StudyRuns(self.uri, study_key(folder), study)
        # Shared with the thread, under the condition's lock:
        self._news = threading.Condition()
        self._changed: dict[int, TrialRecord] = {}
        self._ending: _Ending | None = None
        # The thread's own:
        self._trials: dict[int, TrialRecord] = {}
        self._gather = GATHER_SECONDS
        self._failing = False
        self._bug: Exception | None = None
        self._thread = threading.Thread(target=self._work, name="mlflow", daemon=True)
        self._thread.start()

    def __call__(self, event: Event, record: StudyRecord) -> None:
        """Leaves the trial of an event to the thread; all trials if the event is of none."""
        if isinstance(event, Decision):  # Not in MLflow; the end of a trial is its own event.
            return
        trial = record.trials.get(getattr(event, "trial", -1))
        self._leave(record.trials.values() if trial is None else [trial])

    def update(self, record: StudyRecord) -> None:
        """Leaves all trials of a record to the thread."""
        self._leave(record.trials.values())

    def close(self, record: StudyRecord, status: str, artifacts: Path | None = None) -> None:
        """Ends the parent run as FINISHED, FAILED or KILLED (interrupted), and unfinished trials'.

        With `artifacts`, the winner's files are kept with its child. Waits until MLflow has
        everything, fails or has had `CLOSE_SECONDS`. A second call does nothing.

        Raises:
            Exception: whatever the thread met that is not the server's fault.
        """
        if self._ending is not None:
            return
        self._leave(record.trials.values(), _Ending(status, record.winner, artifacts))
        self._thread.join(PATIENCE_SECONDS)
        if self._thread.is_alive():
            _log.warning("waiting for MLflow at %s, %g s at most", self.uri, CLOSE_SECONDS)
            self._thread.join(CLOSE_SECONDS - PATIENCE_SECONDS)
        if self._thread.is_alive():
            _log.warning("MLflow at %s is too slow; --resume sends what it lacks", self.uri)
        if self._bug is not None:
            raise self._bug

    @contextmanager
    def ending(self, record: StudyRecord) -> Iterator[None]:
        """Closes if what is done within raises: without a driver no run may stay RUNNING."""
        try:
            yield
        except BaseException as error:
            self.close(record, "FAILED" if isinstance(error, Exception) else "KILLED")
            raise

    def _leave(self, trials: Iterable[TrialRecord], ending: _Ending | None = None) -> None:
        """Leaves copies of trials to the thread: the driver goes on changing its own."""
        copies = {trial.number: _copy(trial) for trial in trials}
        with self._news:
            self._changed |= copies
            self._ending = ending or self._ending
            self._news.notify()

    # In the thread

    def _work(self) -> None:
        try:
            over = False
            while not over:
                changed, ending = self._wait()
                self._trials |= changed
                self._note_outage(self._write(changed, ending), ending)
                over = ending is not None
        except Exception as bug:  # Not the server's: `close` raises it again.
            self._bug = bug
            _log.error(
                "MLflow gets no more results, because of an unexpected %r; the study goes on and "
                "raises this at its end",
                bug,
            )

    def _wait(self) -> tuple[dict[int, TrialRecord], _Ending | None]:
        """Waits for news, or for the end of an outage; returns what has changed since."""
        with self._news:
            if self._failing:
                self._news.wait_for(lambda: self._ending, RETRY_SECONDS)
            else:
                self._news.wait_for(lambda: self._changed or self._ending)
                self._news.wait_for(lambda: self._ending, self._gather)
            changed, self._changed = self._changed, {}
            return changed, self._ending

    def _write(self, changed: dict[int, TrialRecord], ending: _Ending | None) -> Exception | None:
        """Writes what has changed, or everything that MLflow lacks; returns why it could not.

        Everything is compared at first, after a failure and at the end. What fails once is tried
        again at once: a connection that broke while idle is no outage, nor is a run that somebody
        deleted by hand.
        """
        failure = None
        for _ in range(1 if self._failing else 2):
            try:
                if ending is not None or not self.runs.adopted:
                    self.runs.adopt()
                    changed = self._trials
                started = time.thread_time()
                self.runs.write(changed.values(), over=ending is not None)
                self._gather = _gather_seconds(time.thread_time() - started)
                if ending is not None:
                    self.runs.end(ending.status, ending.winner, ending.artifacts)
                return None
            except server_errors() as error:
                self.runs.forget()
                failure = error
        return failure

    def _note_outage(self, failure: Exception | None, ending: _Ending | None) -> None:
        """Says once that an outage has begun, that it is over, or what it leaves undone."""
        if failure is None:
            if self._failing:
                _log.warning("MLflow at %s takes results again", self.uri)
        elif ending is not None:
            _log.warning(
                "MLflow at %s lacks results (%s); they are in the study folder, and --resume "
                "sends them",
                self.uri,
                _reason(failure),
            )
        elif not self._failing:
            _log.warning(
                "MLflow at %s takes no results at present (%s); the study goes on, and they are "
                "sent when it does",
                self.uri,
                _reason(failure),
            )
        self._failing = failure is not None


def end_elsewhere(folder: StudyFolder, uri: str | None, record: StudyRecord) -> None:
    """Ends a study's runs at an address from which its tracking moves away, as `close` would.

    A driver that was killed has left some RUNNING there. Warns if the address does not answer.
    """
    apply_settings()
    address = _address(folder, uri)
    file = database(address)
    if file is not None and not file.exists():
        return
    runs = StudyRuns(address, study_key(folder), folder.path.name)
    try:
        runs.adopt()
        runs.write(record.trials.values(), over=True)
        if runs.running:
            runs.end("KILLED", None, None)
    except server_errors() as error:
        _log.warning(
            "MLflow at %s does not answer (%s): runs that are RUNNING there stay so",
            runs.uri,
            _reason(error),
        )


def apply_settings() -> None:
    """Sets what MLflow is to do, before it is imported; what the user has set stays."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)


def _address(folder: StudyFolder, uri: str | None) -> str:
    return uri or f"sqlite:///{folder.mlflow}"


def _copy(trial: TrialRecord) -> TrialRecord:
    """A copy that the driver does not change; the reports themselves never change."""
    return replace(trial, reports=list(trial.reports))


def _gather_seconds(cpu_seconds: float) -> float:
    seconds = cpu_seconds * GATHER_PER_CPU_SECOND
    return min(max(GATHER_SECONDS, seconds), GATHER_AT_MOST_SECONDS)


def _reason(error: BaseException) -> str:
    """What went wrong at the bottom: "[Errno 111] Connection refused", not the layers above it."""
    while (below := error.__cause__ or error.__context__) is not None:
        error = below
    return next(iter(str(error).splitlines()), type(error).__name__)
