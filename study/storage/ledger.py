"""Journal and record of a running study, updated together.

Searcher, scheduler and callbacks share one ledger: an event is on disk first, then in the record,
then passed to the listeners (MLflow, the live table).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from typing_extensions import override

from study.spec import StudySpec
from study.spec.goals import Goals
from study.spec.space import planned_trials
from study.storage.auditing import awaiting
from study.storage.events import EndState, Event, TrialEnded
from study.storage.folder import StudyFolder
from study.storage.journal import Append, Journal
from study.storage.race import candidates, finalists_of
from study.storage.record import StudyRecord, TrialRecord
from study.storage.stored import StoredStudy

Listener = Callable[[Event, StudyRecord], None]


class Ledger:
    """A journal and the record that is computed from it.

    `metric` is the metric of the reports that decides, e.g. dev_mcc.
    """

    def __init__(
        self, folder: StudyFolder, metric: str, stored: StoredStudy | None = None
    ) -> None:
        """Continues the journal of `folder`, which has been read as `stored`, or is read now."""
        stored = stored or StoredStudy.read(folder)
        self.folder = folder
        self.metric = metric
        self.journal = Journal(folder.journal)
        self.record = self._read(stored)
        self.opened = bool(stored.events)
        """Whether the folder had been opened before, by an earlier run of the driver."""
        self._torn = bool(stored.torn)
        self.listeners: list[Listener] = []
        self.stalled: dict[int, str] = {}
        """Trial -> why the driver has killed its worker."""
        self._append: Append | None = None
        self._pending: list[Event] = []
        self.broken: OSError | None = None
        """Why the folder could not be written; from then on nothing is recorded."""

    def _read(self, stored: StoredStudy) -> StudyRecord:
        return stored.record(self.metric)

    def append(self, event: Event) -> Event:
        """Journals one event, applies it to the record and notifies the listeners.

        Returns:
            The event as it was written, with its time.

        Raises:
            OSError: the journal cannot be written, now or at an earlier event. An event that
                cannot be journalled must not happen: the line may be torn, and no later one could
                follow it.
        """
        if self._append is None:
            with self.batch():
                return self.append(event)
        written = self._append(event)
        self.record.apply(written)
        self._pending.append(written)
        return written

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Events appended within wait for the disk once, at the end; then listeners are notified.

        A report and the decision on it so cost no more than one of them.

        Raises:
            OSError: as `append`.
        """
        if self.broken is not None:
            raise self.broken
        try:
            self.drop_torn_line()
            with self.journal.open() as self._append:
                yield
        except OSError as error:
            self.broken = error
            raise
        finally:
            self._append, pending, self._pending = None, self._pending, []
        for event in pending:
            self._notify(event)

    def drop_torn_line(self) -> None:
        """Cuts off a last line that has no end, as a crash leaves; `append` does so as well.

        The folder must be locked.
        """
        if self._torn:
            self.journal.drop_torn_line()
            self._torn = False

    def _notify(self, event: Event) -> None:
        try:
            for listener in self.listeners:
                listener(event, self.record)
        except OSError as error:  # Ray would wrap it; see `broken`.
            self.broken = error
            raise

    def end(self, trial: TrialRecord, state: EndState, reason: str) -> None:
        """Journals that a trial has ended; does nothing if it has already."""
        if trial.state == "running":
            self.append(
                TrialEnded(trial=trial.number, state=state, reason=reason, value=trial.value)
            )

    @override
    def __reduce__(self) -> tuple[Any, ...]:
        # Ray pickles searcher and scheduler now and then; what it would restore is never used,
        # as a resumed study is rebuilt from the journal.
        return (Ledger, (self.folder, self.metric))


class StudyLedger(Ledger):
    """The ledger of a study, with its spec: whether it is complete, and its best trials."""

    def __init__(
        self, folder: StudyFolder, spec: StudySpec, stored: StoredStudy | None = None
    ) -> None:
        super().__init__(folder, spec.objective, stored)
        self.spec = spec

    @override
    def _read(self, stored: StoredStudy) -> StudyRecord:
        # `spec` may have grown since: the journal does not know it yet.
        return stored.study_record() if stored.lines else super()._read(stored)

    @property
    def goals(self) -> Goals:
        """Objectives and constraints."""
        return self.spec.goals

    @property
    def maximize(self) -> bool:
        """Whether larger is better for the search metric."""
        return self.goals.objectives[0].maximize

    @property
    def complete(self) -> bool:
        """Whether every trial that the spec asks for has ended."""
        ended = self.record.in_state("complete", "pruned", "failed")
        return len(ended) >= planned_trials(self.spec)

    def best(self) -> TrialRecord | None:
        """Returns the best complete trial so far that meets the constraints."""
        return self.record.best(self.maximize, self.goals.constraints)

    def finalists(self) -> list[TrialRecord]:
        """Returns the candidates for the winner, the best first; see `study.storage.race`."""
        best = self.best()
        return candidates(self.record, self.spec) or ([] if best is None else [best])

    @property
    def needed(self) -> set[int]:
        """The ended trials whose checkpoints are needed: they may win, or run on for the audit."""
        needed = [*self.finalists(), *awaiting(self.record, self.spec)]
        return {trial.number for trial in needed}

    @property
    def winner_is_current(self) -> bool:
        """Whether the winner in the journal was chosen among the present finalists."""
        winner = self.record.winner
        finalists = {trial.number for trial in self.finalists()}
        return winner is not None and set(finalists_of(winner)) == finalists

    @override
    def __reduce__(self) -> tuple[Any, ...]:
        return (StudyLedger, (self.folder, self.spec))
