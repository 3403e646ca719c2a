"""The progress of a study, a race, a benchmark or a comparison on the console.

On a terminal a view is drawn in place, which is never larger than the terminal; elsewhere (a log
file, CI) one line with the time is printed for every start and end of a trial.
"""

import time
from collections.abc import Callable

from rich.console import Console
from rich.live import Live
from rich.text import Text

from study.engine.console.display import clock
from study.engine.console.lines import format_value, print_lines, warn
from study.engine.console.view import WORDS, counts_text, label, time_left_text, view
from study.storage.events import Event, TrialCrashed, TrialCreated, TrialEnded, TrialStalled
from study.storage.live.building import NAMES, is_run, labels_of
from study.storage.live.snapshot import Snapshot
from study.storage.record import StudyRecord, TrialRecord
from study.storage.stalls import STALLED, stall_text

REFRESH_SECONDS = 2.0
SHARE = 200.0
"""A view is not made again before so many times the seconds that the last one took."""
LINE_SHARE = 20.0
"""The same for the state at the end of a line."""
Look = Callable[[float], Snapshot]
"""Returns the state at a time, in seconds since the epoch."""


class Progress:
    """Follows records on the console; use as a context manager and as a listener."""

    def __init__(self, console: Console, look: Look) -> None:
        """Shows what `look` returns."""
        self.console, self.look = console, look
        self._view, self._next, self._next_state = Text(), 0.0, 0.0
        self._live = Live(
            console=console, refresh_per_second=1 / REFRESH_SECONDS, get_renderable=self.draw
        )

    @property
    def in_place(self) -> bool:
        """Whether the view is drawn in place."""
        return self.console.is_terminal and not self.console.quiet

    def __enter__(self) -> "Progress":
        if self.in_place:
            self._live.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self.in_place:
            self._next = 0.0
            self._live.stop()

    def __call__(self, event: Event, record: StudyRecord) -> None:
        """Prints a line on an event: on a terminal only if a worker does not work."""
        if isinstance(event, TrialStalled) and event.minutes:
            warn(stall_text(event))
        elif isinstance(event, TrialCrashed) and event.reason.startswith(STALLED):
            warn(f"{_noun(record.trials[event.trial])} {event.trial}: {event.reason}")
        elif not self.in_place and not self.console.quiet:
            self._log(event, record)

    def _log(self, event: Event, record: StudyRecord) -> None:
        if not isinstance(event, TrialCreated | TrialCrashed | TrialEnded):
            return
        trial = record.trials[event.trial]
        lines = {
            TrialCreated: lambda: f"started    {_values(trial)}",
            TrialCrashed: lambda: f"crashed    {getattr(event, 'reason', '')}; it is tried again",
            TrialEnded: lambda: f"{_end(trial)}{self._state(event.time)}",
        }
        what = lines[type(event)]()
        name = label(_noun(trial), trial.number)
        print_lines(self.console, [f"{clock(event.time)}  {name} {what}"])

    def _state(self, now: float) -> str:
        """Returns counts, best and time left in brackets; nothing if the last ones are recent."""
        started = time.monotonic()
        if started < self._next_state:
            return ""
        text = f"  [{_headline(self.look(now))}]"
        self._next_state = started + LINE_SHARE * (time.monotonic() - started)
        return text

    def draw(self) -> Text:
        """Returns the view, which is made again only now and then."""
        started = time.monotonic()
        if started >= self._next:
            width, height = self.console.size
            lines = view(self.look(time.time()), width, max(4, height - 1), self._unicode)
            # Text: one of rich's tables takes 25 ms to draw.
            self._view = Text("\n", no_wrap=True, overflow="crop").join(
                Text(line.text, line.style) for line in lines
            )
            spent = time.monotonic() - started
            self._next = started + SHARE * spent
        return self._view

    @property
    def _unicode(self) -> bool:
        return self.console.encoding.startswith("utf")


def _headline(snapshot: Snapshot) -> str:
    """Returns the counts, the best and the time left on one line."""
    race = snapshot.race if snapshot.phase == "race" else None
    counted = race or snapshot
    parts = [f"{counted.over} of {counted.planned}: {counts_text(counted)}"]
    best = snapshot.headline
    if best is not None and best.search is not None and not race:
        parts.append(f"best {best.search:.4f} (trial {best.trial})")
    if not snapshot.is_over:
        parts.append(time_left_text(snapshot.time_left))
    return "; ".join(parts)


def _noun(trial: TrialRecord) -> str:
    return "run" if is_run(trial) else "trial"


def _end(trial: TrialRecord) -> str:
    state = NAMES[trial.state]
    value = "-" if trial.value is None else f"{trial.value:.4f}"
    done = f"{len(trial.reports)}/{trial.reports_planned}"
    reason = f" ({trial.reason})" if trial.state == "failed" else ""
    word = WORDS.get(state, state)
    return f"{word}{reason} after {done} reports  {trial.metric} {value}  {_values(trial)}"


def _values(trial: TrialRecord) -> str:
    return "  ".join(f"{k}={format_value(v)}" for k, v in labels_of(trial).items())
