"""The live table: trials done, running and stopped, the best so far, the time left.

On a terminal the table is redrawn in place; elsewhere (a log file, CI) one line is printed for
every ended trial.
"""

import time
from collections.abc import Sequence

from rich.console import Console
from rich.live import Live
from rich.text import Text

from study.engine.console.lines import format_value, print_lines
from study.spec.goals import Constraint
from study.storage.events import Event, TrialCrashed, TrialEnded, TrialStalled
from study.storage.record import StudyRecord, TrialRecord
from study.storage.stalls import STALLED, stall_text

ROWS = 12
"""Trials shown at a time: those running, then the latest to end."""
REFRESH_SECONDS = 5.0
STYLES = {"running": "bold", "pruned": "dim", "failed": "red"}


class Progress:
    """Follows a study's record on the console; use as a context manager and as a listener."""

    def __init__(
        self,
        console: Console,
        *,
        metric: str,
        columns: Sequence[str],
        trials: int,
        concurrent: int,
        maximize: bool | None,
        constraints: Sequence[Constraint] = (),
    ) -> None:
        """Shows `columns` (parameters or settings) of up to `trials` trials.

        `maximize`: whether the largest value of `metric` is the best; None if trials cannot be
        compared, so that there is no best. The best trial satisfies the `constraints`.
        """
        self.console = console
        self.metric = metric
        self.columns = columns
        self.trials = trials
        self.concurrent = concurrent
        self.maximize = maximize
        self.constraints = constraints
        self._started = time.time()
        self._record = StudyRecord(metric)
        self._live = Live(
            console=console, refresh_per_second=1 / REFRESH_SECONDS, get_renderable=self._table
        )

    def __enter__(self) -> "Progress":
        if self.console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self.console.is_terminal:
            self._live.stop()

    def __call__(self, event: Event, record: StudyRecord) -> None:
        """Updates the table after an event."""
        self._record = record
        if isinstance(event, TrialStalled) and event.minutes:
            print_lines(self.console, [stall_text(event)])
        if isinstance(event, TrialCrashed) and event.reason.startswith(STALLED):
            print_lines(self.console, [f"trial {event.trial}: {event.reason}"])
        if isinstance(event, TrialEnded) and not self.console.is_terminal:
            trial = record.trials[event.trial]
            print_lines(self.console, [f"{self._line(trial)}  [{self._headline()}]"])

    def _line(self, trial: TrialRecord) -> str:
        value = "-" if trial.value is None else f"{trial.value:.4f}"
        settings = "  ".join(f"{k}={format_value(v)}" for k, v in self._cells(trial).items())
        done = f"{len(trial.reports)}/{trial.reports_planned}"
        reason = f" ({trial.reason})" if trial.state == "failed" else ""
        return (
            f"trial {trial.number:>3} {trial.state}{reason} after {done} reports  "
            f"{self.metric} {value}  {settings}"
        )

    def _headline(self) -> str:
        record = self._record
        counts = {s: len(record.in_state(s)) for s in ("complete", "pruned", "failed", "running")}
        stopped = "" if self.maximize is None else f"{counts['pruned']} stopped, "
        return (
            f"{counts['complete']} complete, {stopped}{counts['failed']} failed, "
            f"{counts['running']} running of {self.trials}; {self._best()}{self._time_left()}"
        )

    def _best(self) -> str:
        if self.maximize is None:
            return ""
        best = self._record.best(self.maximize, self.constraints)
        return f"best {best.value:.4f} (trial {best.number}); " if best else "no best yet; "

    def _cells(self, trial: TrialRecord) -> dict[str, object]:
        values = trial.params | trial.settings
        return {name: values[name] for name in self.columns}

    def _time_left(self) -> str:
        """Returns an estimate from the mean duration of the trials that ended in this session."""
        ended = [t for t in list(self._record.trials.values()) if (t.ended or 0) > self._started]
        if not ended:
            return "time left not known yet"
        per_trial = sum((t.ended or 0) - max(t.created, self._started) for t in ended) / len(ended)
        over = len(self._record.in_state("complete", "pruned", "failed"))
        waves = max(0, self.trials - over) / max(1, self.concurrent)
        return f"about {_duration(per_trial * waves)} left"

    def _table(self) -> Text:
        head = ("trial", "state", "report", self.metric, *self.columns)
        visible, more = self._visible_trials()
        rows = [head, *(self._row(trial) for trial in visible)]
        styles = ["underline", *(STYLES.get(trial.state, "") for trial in visible)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        # Text: one of rich's tables takes 25 ms to draw.
        table = Text(self._headline(), no_wrap=True, overflow="ellipsis")
        for row, style in zip(rows, styles, strict=True):
            cells = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
            table.append("\n").append("  ".join(cells), style)
        return table.append(f"\nand {more} more running" if more else "")

    def _visible_trials(self) -> tuple[list[TrialRecord], int]:
        """Returns the trials that fit into the table, and how many running ones do not."""
        trials = list(self._record.trials.values())  # A copy: the driver adds trials.
        running = [t for t in trials if t.state == "running"]
        ended = sorted((t for t in trials if t.ended), key=lambda t: t.ended or 0)
        rows_left = max(0, ROWS - len(running))
        latest = ended[len(ended) - min(rows_left, len(ended)) :]
        return [*latest, *running[:ROWS]], max(0, len(running) - ROWS)

    def _row(self, trial: TrialRecord) -> tuple[str, ...]:
        value = "" if trial.value is None else f"{trial.value:.4f}"
        done = f"{len(trial.reports)}/{trial.reports_planned}"
        settings = map(format_value, self._cells(trial).values())
        state = "stalled" if trial.stalled else trial.state
        return (str(trial.number), state, done, value, *settings)


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes} min {seconds:02d} s" if minutes else f"{seconds} s"
