"""How far a prediction is, on standard error."""

import sys
import time

TERMINAL, FILE = 0.5, 30.0
"""Seconds between two lines."""


class Progress:
    """Prints rows, speed and the time left: on a terminal in one line, else a line a while."""

    def __init__(self, total: int, quiet: bool) -> None:
        self._total, self._quiet = total, quiet
        self._terminal = sys.stderr.isatty()
        self._began = self._last = time.monotonic()
        self._rows = 0

    def add(self, rows: int) -> None:
        """Counts rows that have been predicted."""
        self._rows += rows
        now = time.monotonic()
        if not self._quiet and now - self._last >= (TERMINAL if self._terminal else FILE):
            self._last = now
            self._print(self._text(now), "" if self._terminal else "\n")

    def end(self) -> None:
        """Prints the total."""
        seconds = max(time.monotonic() - self._began, 1e-3)
        text = f"{self._rows:,} predictions in {seconds:.1f} s, {self._rows / seconds:,.0f} per s"
        if not self._quiet:
            self._print(text, "\n")

    def _text(self, now: float) -> str:
        speed = self._rows / (now - self._began)
        left = (self._total - self._rows) / speed
        return f"{self._rows:,} of {self._total:,}, {speed:,.0f} per s, {left:,.0f} s left"

    def _print(self, text: str, end: str) -> None:
        start = "\r\x1b[K" if self._terminal else ""
        print(f"{start}{text}", end=end, file=sys.stderr, flush=True)  # noqa: T201
