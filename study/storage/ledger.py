"""The one place through which a running study records what happens.

Searcher, scheduler and callbacks share one ledger: an event is on disk first, then in the record,
then with those who listen (MLflow, the live table).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from typing_extensions import override

from study.spec import StudySpec
from study.spec.goals import Goals
from study.spec.space import trials_wanted
from study.storage.folder import StudyFolder
from study.storage.journal import Event, Journal
from study.storage.race import candidates, finalists_of
from study.storage.record import StudyRecord, TrialRecord

Listener = Callable[[Event, StudyRecord], None]


class Ledger:
    """A journal and its fold, kept in step.

    `metric` is the report's metric that decides, e.g. dev_mcc.
    """

    def __init__(self, folder: StudyFolder, metric: str) -> None:
        self.folder = folder
        self.metric = metric
        self.journal = Journal(folder.journal)
        events = self.journal.read()
        self.opened = bool(events)
        """Whether the folder had been opened before, by an earlier run of the driver."""
        self.record = StudyRecord.of(events, metric)
        self.listeners: list[Listener] = []
        self._append: Callable[..., Event] | None = None
        self._untold: list[Event] = []
        self.broken: OSError | None = None
        """Why the folder could not be written; from then on nothing is recorded."""

    def note(self, event: str, **fields: Any) -> Event:
        """Records one event and tells the listeners.

        Raises:
            OSError: the journal cannot be written, now or at an earlier event. What cannot be
                recorded must not happen: the line may be torn, and a later one would not follow.
        """
        if self._append is None:
            with self.together():
                return self.note(event, **fields)
        written = self._append(event, **fields)
        self.record.apply(written)
        self._untold.append(written)
        return written

    @contextmanager
    def together(self) -> Iterator[None]:
        """Has what is noted within wait for the disk once, at the end; then the listeners hear it.

        So a report and what is decided on it cost no more than one of them.

        Raises:
            OSError: as `note`.
        """
        if self.broken is not None:
            raise self.broken
        try:
            with self.journal.open() as self._append:
                yield
        except OSError as error:
            self.broken = error
            raise
        finally:
            self._append, untold, self._untold = None, self._untold, []
        for event in untold:
            self._tell(event)

    def _tell(self, event: Event) -> None:
        try:
            for listener in self.listeners:
                listener(event, self.record)
        except OSError as error:  # Ray would wrap it; see `broken`.
            self.broken = error
            raise

    def end(self, trial: TrialRecord, state: str, reason: str) -> None:
        """Records that a trial has ended; a trial ends once."""
        if trial.state == "running":
            self.note("ended", trial=trial.number, state=state, reason=reason, value=trial.value)

    @override
    def __reduce__(self) -> tuple[Any, ...]:
        # Ray pickles searcher and scheduler now and then; what it would restore is never used,
        # as a resumed study is rebuilt from the journal.
        return (Ledger, (self.folder, self.metric))


class StudyLedger(Ledger):
    """The ledger of a study: what was asked for, what is left, what is best."""

    def __init__(self, folder: StudyFolder, spec: StudySpec) -> None:
        super().__init__(folder, spec.objective)
        self.spec = spec

    @property
    def goals(self) -> Goals:
        """What decides over the trials."""
        return self.spec.goals

    @property
    def maximize(self) -> bool:
        """Whether larger is better for the search metric."""
        return self.goals.objectives[0].maximize

    @property
    def complete(self) -> bool:
        """Whether every trial that was asked for has ended."""
        ended = self.record.in_state("complete", "pruned", "failed")
        return len(ended) >= trials_wanted(self.spec)

    def best(self) -> TrialRecord | None:
        """Returns the best complete trial so far that keeps the constraints."""
        return self.record.best(self.maximize, self.goals.constraints)

    def finalists(self) -> list[TrialRecord]:
        """Returns the trials of which one will be the winner, the best first; see `race`."""
        best = self.best()
        return candidates(self.record, self.spec) or ([] if best is None else [best])

    @property
    def crowned(self) -> bool:
        """Whether the winner in the journal was chosen among the present finalists."""
        winner = self.record.winner
        finalists = {trial.number for trial in self.finalists()}
        return winner is not None and set(finalists_of(winner)) == finalists

    @override
    def __reduce__(self) -> tuple[Any, ...]:
        return (StudyLedger, (self.folder, self.spec))
