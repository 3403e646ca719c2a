"""Ray's Searcher over a ledger: suggests as many trials as fit, and crashed ones again.

Ray identifies a trial by an id that changes when the trial is tried again; this project identifies
it by its number in the journal.
"""

import time
from collections.abc import Callable
from typing import Any

from ray.tune.search import Searcher
from typing_extensions import override

from study.storage.ledger import Ledger
from study.storage.record import CRASHED, TrialRecord

GIVE_UP_AFTER = 3
"""Crashes without a report after which a session ends."""

Capacity = Callable[[], int]
"""Returns the number of trials that may run at once, which may change."""


def unlimited() -> int:
    """Returns the capacity of tests and simulations, which ask for one trial after the other."""
    return 2**31


def _faults(ledger: Ledger) -> int:
    """Returns the number of errors in trials, plus that of trials ended by killed processes."""
    trials = ledger.record.trials.values()
    return sum(max(trial.faults, int(trial.crashed)) for trial in trials)


class Dispatcher(Searcher):  # type: ignore[misc]
    """A Searcher whose subclasses choose the next trial and its configuration."""

    def __init__(self, ledger: Ledger, mode: str, capacity: Capacity) -> None:
        super().__init__(metric=ledger.metric, mode=mode)
        self.ledger = ledger
        self.capacity = capacity
        self.gave_up = ""
        self._retries: list[int] = []
        self._numbers: dict[str, int] = {}
        self._running: set[str] = set()
        self._faults_before = _faults(ledger)
        self._reports_before = self._successes()

    def _next(self) -> int | None:
        """Returns the number of the next trial, None if there is none."""
        raise NotImplementedError

    def _config(self, trial: TrialRecord) -> dict[str, Any]:
        """Returns further entries of a trial's configuration for the worker."""
        raise NotImplementedError

    def _successes(self) -> int:
        """Returns the number of reports that prove that trials can be trained."""
        return len(self.ledger.record.reports)

    def _on_end(self, trial: TrialRecord) -> None:
        """Is called when a trial has ended."""

    @override
    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """Returns the next trial's configuration, None if there is none yet, or FINISHED."""
        if len(self._running) >= self.capacity():
            return None
        number = self._retries.pop(0) if self._retries else self._new()
        if number is None:
            # A running trial may crash and be tried again.
            return None if self._running else str(Searcher.FINISHED)
        self._numbers[trial_id] = number
        self._running.add(trial_id)
        trial = self.ledger.record.trials[number]
        config = {
            "trial": number,
            "params": trial.params,
            "reports": len(trial.reports),
            "assigned": time.time(),
        }
        return config | self._config(trial)

    def _new(self) -> int | None:
        return None if self.gave_up else self._next()

    @override
    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Does nothing: the scheduler journals the report."""

    @override
    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Schedules a crashed trial again; the scheduler has journalled how a trial ended."""
        self._running.discard(trial_id)
        trial = self.ledger.record.trials[self._numbers[trial_id]]
        if trial.state != "running":
            self._on_end(trial)
        elif error:  # Otherwise it was interrupted and is suggested again on resume.
            self._retries.append(trial.number)
        if error:
            self._check_crashes()

    def _check_crashes(self) -> None:
        """Ends a session with `GIVE_UP_AFTER` crashes and no report: a bug or a broken set-up.

        A trial with an error would fail again, so it ends as failed; one whose process was killed
        stays unfinished for a resume. If earlier sessions had reports, all stay unfinished: not
        the trials but their surroundings have changed.
        """
        faults = _faults(self.ledger) - self._faults_before
        if faults < GIVE_UP_AFTER or self._successes() > self._reports_before:
            return
        self.gave_up = f"the first {faults} attempts all crashed before their first report"
        for trial in (self.ledger.record.trials[number] for number in self._retries):
            if trial.faults and not self._reports_before:
                self.ledger.end(trial, "failed", f"{CRASHED}, as all others did")
                self._on_end(trial)
        self._retries = []

    @override
    def save(self, checkpoint_path: str) -> None:
        """Does nothing: the journal is the state."""

    @override
    def restore(self, checkpoint_path: str) -> None:
        """Does nothing: the journal is the state."""
