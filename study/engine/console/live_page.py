"""Keeps the page of a folder current while its study runs, at little cost."""

import time
from collections.abc import Callable
from typing import Any

from study.engine.console.lines import warn
from study.storage.events import Event, TrialEnded
from study.storage.record import StudyRecord

EVERY = 60.0
"""Seconds after which the page is written again, if only reports have come."""
SHARE = 200.0
"""The page is not written again before so many times the CPU time of the last writing."""


class LivePage:
    """A listener of ledgers: writes the page when a trial ends, and each minute.

    It takes at most 1 / `SHARE` of a core. No failure of it ends a study: the page is written at
    the end, and by `study.report`.
    """

    def __init__(
        self, write: Callable[[], Any], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Calls `write`, which takes no arguments; `clock` returns seconds."""
        self._write, self._clock = write, clock
        self._next, self._last = clock(), clock()
        self._ended = self._broken = False
        self.spent = 0.0
        """CPU seconds of all writings."""

    def __call__(self, event: Event, record: StudyRecord) -> None:
        """Writes the page if it is time to."""
        self._ended = self._ended or isinstance(event, TrialEnded)
        now = self._clock()
        due = self._ended or now - self._last >= EVERY
        if due and now >= self._next and not self._broken:
            self.write()

    def write(self) -> None:
        """Writes the page now; a failure is a warning, and ends the writing."""
        before = time.thread_time()
        try:
            self._write()
        except Exception as error:
            self._broken = True
            warn(
                f"report.html is not written while the study runs: {type(error).__name__}: {error}"
            )
        cost = time.thread_time() - before
        self.spent += cost
        self._last, self._ended = self._clock(), False
        self._next = self._last + SHARE * cost
