"""A study folder, read once and handed on to all that need its events."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from study.spec import StudySpec, load_spec, read_spec
from study.storage.consistency import fault, spec_fault, winner_fault
from study.storage.events import (
    Event,
    StudyGrown,
    StudyOpened,
    WinnerEvaluated,
    opened_by,
    tracking_of,
)
from study.storage.folder import StudyFolder
from study.storage.journal import DamagedJournalError, Line, events_of, parse_lines
from study.storage.parsing import name_of
from study.storage.record import StudyRecord

Stamp = tuple[int, int, int]
"""Inode, size and time of change of a file."""


@dataclass(frozen=True)
class StoredStudy:
    """The events of a study, benchmark or comparison folder at the time of reading.

    Reading writes nothing: a driver may be at work in the folder.
    """

    folder: StudyFolder
    lines: Sequence[Line]
    """The complete lines of the journal, damaged ones included; empty without a journal."""
    torn: bytes = b""
    """A last line that has no end."""
    stamps: tuple[Stamp | None, ...] = (None, None)
    """Of the journal and spec.yaml when they were read; None for a missing file."""

    @classmethod
    def read(cls, folder: StudyFolder) -> "StoredStudy":
        """Reads the journal of a folder, which may be missing.

        Raises:
            InputError: a newer version of this package wrote the journal.
        """
        stamps = _stamps(folder)
        data = b"" if stamps[0] is None else folder.journal.read_bytes()
        return cls(folder, *parse_lines(folder.journal, data), stamps)

    def current(self) -> "StoredStudy":
        """Returns the same, read again only if journal or spec.yaml have changed since.

        Lock the folder before, so that no other driver can change it afterwards.
        """
        return self if _stamps(self.folder) == self.stamps else StoredStudy.read(self.folder)

    @cached_property
    def events(self) -> list[Event]:
        """The events.

        Raises:
            InputError: a line is damaged.
        """
        return events_of(self.folder.journal, self.lines)

    def check(self) -> None:
        """Checks that no line is damaged.

        Raises:
            InputError: as `events`.
        """
        _ = self.events

    @property
    def undamaged(self) -> list[Event]:
        """The events of the lines that are not damaged."""
        return [line.event for line in self.lines if line.event is not None]

    @cached_property
    def spec(self) -> StudySpec:
        """The study's present spec: as it was last grown, else that of spec.yaml.

        Raises:
            InputError: the spec cannot be read.
        """
        grown = [event.spec for event in self.undamaged if isinstance(event, StudyGrown)]
        if grown:
            source = f"{self.folder.journal} (its last event `grown`)"
            return read_spec(grown[-1], source, stored=True)
        return load_spec(str(self.folder.spec), stored=True)

    @property
    def opened(self) -> StudyOpened | None:
        """The event that opened the study; None if there is none."""
        return opened_by(self.undamaged)

    @property
    def tracking(self) -> str | None:
        """MLflow's address so far; None for a database in the folder."""
        return tracking_of(self.undamaged) or None

    def record(self, metric: str) -> StudyRecord:
        """Returns the state of all trials; `metric` is the one that decides, e.g. dev_mcc.

        Raises:
            DamagedJournalError: a line is damaged, or cannot follow those before it.
        """
        return self._replay(StudyRecord(metric), None)

    def study_record(self) -> StudyRecord:
        """Returns the state of all trials of a study, which fit its spec.

        Raises:
            InputError: the spec cannot be read.
            DamagedJournalError: as `record`; or a trial or winner does not fit the spec.
        """
        record = self._replay(StudyRecord(self.spec.objective), self.spec)
        problem = spec_fault(record, self.spec)
        if problem is not None:
            raise DamagedJournalError(self.folder.journal, None, problem)
        return record

    def _replay(self, record: StudyRecord, spec: StudySpec | None) -> StudyRecord:
        for number, event in enumerate(self.events, start=1):
            problem = fault(record, event)
            if problem is None and spec is not None and isinstance(event, WinnerEvaluated):
                problem = winner_fault(event, record, spec)
            if problem is not None:
                where = f"`{name_of(event)}`: {problem}"
                raise DamagedJournalError(self.folder.journal, number, where)
            record.apply(event)
        return record


def _stamps(folder: StudyFolder) -> tuple[Stamp | None, ...]:
    return tuple(_stamp(file) for file in (folder.journal, folder.spec))


def _stamp(file: Path) -> Stamp | None:
    try:
        status = file.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns
