"""A thread of the driver that keeps MLflow up to date with the record.

The driver does not wait for MLflow: it queues copies of changed trials, and the thread writes
them. A server that fails or hangs causes no delay and no loss: missing results are sent when it is
back, or at the next `--resume`, from events.jsonl. Only the driver writes.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from study.engine.tracking.creation import never_used
from study.engine.tracking.database import database, sqlite_uri
from study.engine.tracking.outage import reason
from study.engine.tracking.runs import StudyRuns, study_key
from study.engine.tracking.subject import Subject, experiment_of
from study.storage.events import Decision, Event
from study.storage.folder import StudyFolder
from study.storage.ledger import Ledger
from study.storage.record import StudyRecord, TrialRecord

if TYPE_CHECKING:
    from study.engine.tracking.summary import Summary

RETRY_SECONDS = 30.0
"""Time between attempts while the server does not respond."""
GATHER_SECONDS, GATHER_AT_MOST_SECONDS = 0.5, 60.0
"""How long changes are collected before they are written, at least and at most. Several reports of
a trial, or its last report and its end, then make one request; see `GATHER_PER_CPU_SECOND`."""
GATHER_PER_CPU_SECOND = 200.0
"""Requests take milliseconds of CPU time; so writing takes at most 0.5 % of a core."""
PATIENCE_SECONDS, CLOSE_SECONDS = 10.0, 60.0
"""How long the end of a study waits for MLflow before a message, and in total."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Ending:
    """The final state of the parent run."""

    status: str
    summarize: "Callable[[], Summary | None]"


class Tracker:
    """Keeps MLflow up to date with a study's record; only `close` waits for it."""

    def __init__(self, ledger: Ledger, uri: str | None, subject: Subject) -> None:
        self.uri = _address(ledger.folder, uri)
        self.runs = StudyRuns(self.uri, study_key(ledger.folder, ledger.record), subject)
        # Shared with the thread, under the condition's lock:
        self._condition = threading.Condition()
        self._changed: dict[int, TrialRecord] = {}
        self._ending: _Ending | None = None
        # Used by the thread only:
        self._trials: dict[int, TrialRecord] = {}
        self._gather = GATHER_SECONDS
        self._failing = False
        self._thread = threading.Thread(target=self._work, name="mlflow", daemon=True)
        self._thread.start()

    def __call__(self, event: Event, record: StudyRecord) -> None:
        """Queues the trial of an event; all trials for an event without one."""
        if isinstance(event, Decision):  # Not in MLflow; the end of a trial is its own event.
            return
        trial = record.trials.get(getattr(event, "trial", -1))
        self._queue(record.trials.values() if trial is None else [trial])

    def update(self, record: StudyRecord) -> None:
        """Queues all trials of a record."""
        self._queue(record.trials.values())

    def close(
        self,
        record: StudyRecord,
        status: str,
        summarize: "Callable[[], Summary | None]" = lambda: None,
    ) -> None:
        """Ends the parent run as FINISHED, FAILED or KILLED (interrupted), and unfinished trials'.

        `summarize` returns the result of a study, for the parent run; an error in it is one of
        tracking. Waits until MLflow has everything, fails, or `CLOSE_SECONDS` have passed. A
        second call does nothing.
        """
        if self._ending is not None:
            return
        self._queue(record.trials.values(), _Ending(status, summarize))
        self._thread.join(PATIENCE_SECONDS)
        if self._thread.is_alive():
            _log.warning("waiting for MLflow at %s, %g s at most", self.uri, CLOSE_SECONDS)
            self._thread.join(CLOSE_SECONDS - PATIENCE_SECONDS)
        if self._thread.is_alive():
            _log.warning("MLflow at %s is too slow; --resume sends the missing results", self.uri)

    @contextmanager
    def ending(self, record: StudyRecord) -> Iterator[None]:
        """Closes if the body raises, so that no run stays RUNNING without a driver."""
        try:
            yield
        except BaseException as error:
            self.close(record, "FAILED" if isinstance(error, Exception) else "KILLED")
            raise

    def _queue(self, trials: Iterable[TrialRecord], ending: _Ending | None = None) -> None:
        """Queues copies of trials for the thread, as the driver changes the originals."""
        copies = {trial.number: _copy(trial) for trial in trials}
        with self._condition:
            self._changed |= copies
            self._ending = ending or self._ending
            self._condition.notify()

    # In the thread

    def _work(self) -> None:
        final = False
        while not final:
            changed, ending = self._wait()
            self._trials |= changed
            self._log_outage(self._write(changed, ending), ending)
            final = ending is not None

    def _wait(self) -> tuple[dict[int, TrialRecord], _Ending | None]:
        """Waits for changes, or for the next attempt in an outage; returns the changed trials."""
        with self._condition:
            if self._failing:
                self._condition.wait_for(lambda: self._ending, RETRY_SECONDS)
            else:
                self._condition.wait_for(lambda: self._changed or self._ending)
                self._condition.wait_for(lambda: self._ending, self._gather)
            changed, self._changed = self._changed, {}
            return changed, self._ending

    def _write(self, changed: dict[int, TrialRecord], ending: _Ending | None) -> Exception | None:
        """Writes changed trials, or everything that MLflow lacks; returns the error, if any.

        Everything is compared at first, after a failure and at the end. The first failure is
        retried at once: a connection closed while idle, or a run deleted by a user, is no outage.
        Every exception is a failure, as storages of files raise their own: results do not depend
        on MLflow.
        """
        failure = None
        for _ in range(1 if self._failing else 2):
            try:
                if ending is not None or not self.runs.adopted:
                    self.runs.adopt()
                    changed = self._trials
                started = time.thread_time()
                try:
                    self.runs.write(changed.values(), final=ending is not None)
                finally:  # A trial that is not accepted does not leave the study RUNNING.
                    if ending is not None:
                        self.runs.end(ending.status, ending.summarize())
                self._gather = _gather_seconds(time.thread_time() - started)
                return None
            except Exception as error:
                self.runs.forget()
                failure = error
        return failure

    def _log_outage(self, failure: Exception | None, ending: _Ending | None) -> None:
        """Logs the start and the end of an outage, and results that are missing at the end."""
        if failure is None:
            if self._failing:
                _log.warning("MLflow at %s accepts results again", self.uri)
        elif ending is not None:
            _log.warning(
                "MLflow at %s lacks results (%s); they are in the study folder, and --resume "
                "sends them",
                self.uri,
                reason(failure),
            )
        elif not self._failing:
            _log.warning(
                "MLflow at %s does not accept results (%s); the study continues, and they are "
                "sent later",
                self.uri,
                reason(failure),
            )
        self._failing = failure is not None


def end_previous_runs(folder: StudyFolder, uri: str | None, record: StudyRecord) -> None:
    """Ends a study's runs at its previous tracking address, as `Tracker.close` does.

    A killed driver leaves some RUNNING there. Logs a warning if the address does not respond.
    """
    address = _address(folder, uri)
    subject = Subject(folder.path.name, experiment_of(record))
    runs = StudyRuns(address, study_key(folder, record), subject)
    file = database(address)
    try:
        if file is not None and (not file.exists() or never_used(file)):
            return
        runs.adopt()
        runs.write(record.trials.values(), final=True)
        if runs.running:
            runs.end("KILLED")
    except Exception as error:  # As in `Tracker._write`.
        _log.warning(
            "MLflow at %s does not respond (%s): runs that are RUNNING there stay so",
            runs.uri,
            reason(error),
        )


def _address(folder: StudyFolder, uri: str | None) -> str:
    return uri or sqlite_uri(folder.mlflow)


def _copy(trial: TrialRecord) -> TrialRecord:
    """Returns a copy that the driver does not change; reports themselves never change."""
    return replace(trial, reports=list(trial.reports))


def _gather_seconds(cpu_seconds: float) -> float:
    seconds = cpu_seconds * GATHER_PER_CPU_SECOND
    return min(max(GATHER_SECONDS, seconds), GATHER_AT_MOST_SECONDS)
