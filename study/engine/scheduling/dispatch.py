"""Handing trials to Ray Tune: as many as fit, crashed ones again, each by its number.

Ray knows a trial by a name of its own, which changes when the trial is tried again; everything of
this project knows it by its number.
"""

import time
from collections.abc import Callable
from typing import Any

from ray.tune.search import Searcher
from typing_extensions import override

from study.storage.ledger import Ledger
from study.storage.record import CRASHED, TrialRecord

GIVE_UP_AFTER = 3
"""A session that has seen so many errors and no report is not searching but failing."""

Capacity = Callable[[], int]
"""How many trials may run at once, at present."""


def unlimited() -> int:
    """The capacity of whoever takes trials one by one."""
    return 2**31


def _faults(ledger: Ledger) -> int:
    """How many errors of their own trials had, and how many failed by killed processes."""
    trials = ledger.record.trials.values()
    return sum(max(trial.faults, int(trial.crashed)) for trial in trials)


class Dispatcher(Searcher):  # type: ignore[misc]
    """Ray's Searcher over a ledger: a subclass says which trial is next and what it is made of."""

    def __init__(self, ledger: Ledger, mode: str, capacity: Capacity) -> None:
        super().__init__(metric=ledger.metric, mode=mode)
        self.ledger = ledger
        self.capacity = capacity
        self.gave_up = ""
        self._again: list[int] = []
        self._numbers: dict[str, int] = {}
        self._live: set[str] = set()
        self._before = _faults(ledger)
        self._reports_before = self._successes()

    def _next(self) -> int | None:
        """Returns the number of a trial that was not handed out yet, None if there is none."""
        raise NotImplementedError

    def _config(self, trial: TrialRecord) -> dict[str, Any]:
        """Returns what a worker must know of a trial, beside its number and parameters."""
        raise NotImplementedError

    def _successes(self) -> int:
        """Returns the number of reports that show that trials can be trained."""
        return len(self.ledger.record.reports)

    def _told(self, trial: TrialRecord) -> None:
        """Takes note that a trial has ended."""

    @override
    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """Returns the configuration of the next trial; None while there is none; or FINISHED."""
        if len(self._live) >= self.capacity():
            return None
        number = self._again.pop(0) if self._again else self._new()
        if number is None:
            # One that runs may crash and be tried again.
            return None if self._live else str(Searcher.FINISHED)
        self._numbers[trial_id] = number
        self._live.add(trial_id)
        trial = self.ledger.record.trials[number]
        told = {
            "trial": number,
            "params": trial.params,
            "reports": len(trial.reports),
            "assigned": time.time(),
        }
        return told | self._config(trial)

    def _new(self) -> int | None:
        return None if self.gave_up else self._next()

    @override
    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Nothing to do: the scheduler journals the report."""

    @override
    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Takes up a crashed trial again; how one ended is in the record already."""
        self._live.discard(trial_id)
        trial = self.ledger.record.trials[self._numbers[trial_id]]
        if trial.state != "running":
            self._told(trial)
        elif error:  # Else it was interrupted, and is offered again on resume.
            self._again.append(trial.number)
        if error:
            self._give_up_if_hopeless()

    def _give_up_if_hopeless(self) -> None:
        """Ends a session that has seen nothing but crashes: a bug, not a bad configuration.

        What an error has stopped would stop again and has failed; a trial whose process was
        killed stays unfinished, for a resume. So do all where trials have worked before: it is
        what is around them that has changed.
        """
        faults = _faults(self.ledger) - self._before
        if faults < GIVE_UP_AFTER or self._successes() > self._reports_before:
            return
        self.gave_up = f"the first {faults} attempts all crashed before their first report"
        for trial in (self.ledger.record.trials[number] for number in self._again):
            if trial.faults and not self._reports_before:
                self.ledger.end(trial, "failed", f"{CRASHED}, as all others did")
                self._told(trial)
        self._again = []

    @override
    def save(self, checkpoint_path: str) -> None:
        """Nothing to save: the journal is the state."""

    @override
    def restore(self, checkpoint_path: str) -> None:
        """Nothing to restore: the journal is the state."""
