"""The study folder under examination, read once and never written.

A damaged line or spec is left out, and reported by the checks that need it.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from typing_extensions import override

from study.doctor.finding import NotCheckedError
from study.errors import InputError, instead_of
from study.spec import StudySpec
from study.spec.benchmark.loading import is_benchmark
from study.spec.comparison.schema import is_comparison
from study.storage.commands import resume
from study.storage.events import Event
from study.storage.folder import StudyFolder
from study.storage.journal import Append, DamagedJournalError, Journal, Line
from study.storage.ledger import StudyLedger
from study.storage.opening import is_locked
from study.storage.record import StudyRecord
from study.storage.stored import StoredStudy

Kind = Literal["study", "benchmark", "comparison"]
METRIC_OF_OTHERS = "dev_mcc"
"""The metric of the record of a folder without a study's spec."""


class ReadLedger(StudyLedger):
    """A ledger of a given record; events are appended in memory only."""

    def __init__(self, folder: StudyFolder, spec: StudySpec, record: StudyRecord) -> None:
        super().__init__(folder, spec, StoredStudy(folder, ()))
        self.journal = _Nowhere(folder.journal)
        self.record = record


class _Nowhere(Journal):
    @contextmanager
    @override
    def open(self) -> Iterator[Append]:
        """Yields a function that returns an event and writes nothing."""
        yield lambda event: event


@dataclass(frozen=True)
class Subject:
    """What the groups of checks share."""

    stored: StoredStudy
    running: bool
    """Whether a driver is at work; unfinished parts are then no findings."""
    kind: Kind
    spec: StudySpec | None
    """None if it cannot be read, and of a benchmark or comparison."""
    spec_error: str
    record: StudyRecord | None
    """None if the journal is damaged; `damage` is the reason."""
    damage: DamagedJournalError | None
    tracking_uri: str | None

    @property
    def folder(self) -> StudyFolder:
        """The folder."""
        return self.stored.folder

    @property
    def lines(self) -> Sequence[Line]:
        """The lines of the journal."""
        return self.stored.lines

    @property
    def events(self) -> list[Event]:
        """The events of the lines that are not damaged."""
        return self.stored.undamaged

    @property
    def resume(self) -> str:
        """The command that resumes the study."""
        if self.kind == "comparison":
            return "the command it was started with (python -m study.seeds …), with --resume"
        return resume(self.folder.path, "benchmark" if self.kind == "benchmark" else "run")

    def require_record(self) -> StudyRecord:
        """Returns the record.

        Raises:
            NotCheckedError: the journal is damaged.
        """
        if self.record is None:
            raise NotCheckedError("events.jsonl must be repaired first: see journal")
        return self.record

    def race(self) -> "tuple[StudyFolder, StudyRecord] | None":
        """Returns the folder and the record of a study's race, None without one.

        Raises:
            NotCheckedError: its journal is damaged.
        """
        folder = StudyFolder(self.folder.finalists)
        if self.kind != "study" or not folder.journal.is_file():
            return None
        stored = StoredStudy.read(folder)
        record, damage = _record(stored, None)
        if record is None:
            raise NotCheckedError(f"finalists/events.jsonl must be repaired first: {damage}")
        return (folder, record) if stored.lines else None

    def ledger(self) -> ReadLedger:
        """Returns the ledger of a study.

        Raises:
            NotCheckedError: it is no study, or journal or spec are damaged.
        """
        if self.kind != "study":
            raise NotCheckedError(f"a {self.kind} has none")
        if self.spec is None:
            raise NotCheckedError("spec.yaml must be repaired first")
        return ReadLedger(self.folder, self.spec, self.require_record())


def read_subject(path: Path, tracking_uri: str | None) -> Subject:
    """Reads a study folder.

    Raises:
        InputError: it is not one, or one of a newer version of this package.
    """
    folder = StudyFolder(path)
    if not folder.journal.is_file() and not folder.spec.is_file():
        raise InputError(
            f"{path}: must be a study folder, with spec.yaml and events.jsonl, but got "
            f"{instead_of(folder.spec, folder.journal)}; give the folder that study.run wrote, "
            "<storage>/<name>"
        )
    study = StudyFolder(path.absolute().parent)
    parts = {study.finalists: "the race of its finalists", study.audit: "its audit"}
    part = parts.get(path.absolute())
    if part and study.spec.is_file():
        raise InputError(
            f"{path}: must be a study folder, but got {part}, which is resumed with the study; "
            f"give {study.path}"
        )
    running = is_locked(folder)
    stored = StoredStudy.read(folder)
    kind, spec, spec_error = _kind_and_spec(stored)
    return Subject(stored, running, kind, spec, spec_error, *_record(stored, spec), tracking_uri)


def _kind_and_spec(stored: StoredStudy) -> tuple[Kind, StudySpec | None, str]:
    """Returns the kind of folder, the present spec of a study, and the reason if it has none."""
    try:
        if is_benchmark(stored.folder.spec):
            return "benchmark", None, ""
        if is_comparison(stored.folder.spec):
            return "comparison", None, ""
        return "study", stored.spec, ""
    except InputError as error:
        return "study", None, str(error)


def _record(
    stored: StoredStudy, spec: StudySpec | None
) -> tuple[StudyRecord | None, DamagedJournalError | None]:
    """Returns the record, or None and the reason; that of a study must fit its spec."""
    try:
        return stored.record(METRIC_OF_OTHERS) if spec is None else stored.study_record(), None
    except DamagedJournalError as error:
        return None, error
