"""The live table: trials done, running and stopped, the best so far, the time left.

On a terminal the table is redrawn in place; elsewhere (a log file, CI) every ended trial is one
line.
"""

import time
from collections.abc import Sequence

from rich.console import Console
from rich.live import Live
from rich.table import Table

from study.engine.journal import Event
from study.engine.record import StudyRecord, TrialRecord
from study.spec.goals import Constraint

ROWS = 12
"""Trials shown at a time: those running, then the latest to end."""
REDRAWN_EVERY = 5.0
"""Seconds. Drawing a table costs some 10 ms, which the driver has better use for."""


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

        `maximize` says whether the largest value of `metric` is the best; None: there is no best,
        as the trials answer different questions. The best keeps the `constraints`.
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
            console=console, refresh_per_second=1 / REDRAWN_EVERY, get_renderable=self._table
        )

    def __enter__(self) -> "Progress":
        if self.console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self.console.is_terminal:
            self._live.stop()

    def __call__(self, event: Event, record: StudyRecord) -> None:
        """Takes in an event."""
        self._record = record
        if event["event"] == "ended" and not self.console.is_terminal:
            trial = record.trials[event["trial"]]
            line = f"{self._line(trial)}  [{self._headline()}]"
            self.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _line(self, trial: TrialRecord) -> str:
        value = "-" if trial.value is None else f"{trial.value:.4f}"
        settings = "  ".join(f"{k}={_short(v)}" for k, v in self._cells(trial).items())
        done = f"{len(trial.reports)}/{trial.reports_planned}"
        why = f" ({trial.reason})" if trial.state == "failed" else ""
        return (
            f"trial {trial.number:>3} {trial.state}{why} after {done} reports  "
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
        """Extrapolates from the mean duration of the trials that ended in this session."""
        ended = [t for t in list(self._record.trials.values()) if (t.ended or 0) > self._started]
        if not ended:
            return "time left not known yet"
        per_trial = sum((t.ended or 0) - max(t.created, self._started) for t in ended) / len(ended)
        over = len(self._record.in_state("complete", "pruned", "failed"))
        waves = max(0, self.trials - over) / max(1, self.concurrent)
        return f"about {_duration(per_trial * waves)} left"

    def _table(self) -> Table:
        table = Table(title=self._headline(), title_justify="left", expand=False)
        for column in ("trial", "state", "report", self.metric, *self.columns):
            table.add_column(column, justify="right")
        trials = list(self._record.trials.values())  # The driver adds some meanwhile.
        running = [t for t in trials if t.state == "running"]
        ended = sorted((t for t in trials if t.ended), key=lambda t: t.ended or 0)
        room = max(0, ROWS - len(running))
        for trial in [*ended[len(ended) - min(room, len(ended)) :], *running[:ROWS]]:
            value = "" if trial.value is None else f"{trial.value:.4f}"
            table.add_row(
                str(trial.number),
                trial.state,
                f"{len(trial.reports)}/{trial.reports_planned}",
                value,
                *map(_short, self._cells(trial).values()),
                style={"running": "bold", "pruned": "dim", "failed": "red"}.get(trial.state),
            )
        if len(running) > ROWS:
            table.caption = f"and {len(running) - ROWS} more that are running"
        return table


def _short(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes} min {seconds:02d} s" if minutes else f"{seconds} s"
