"""The study folder under examination, read once and never written.

Whatever can be read is read: a damaged line or spec is left out, and said where it is missed.
"""

import shlex
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from typing_extensions import override

from study.doctor.finding import NotCheckedError
from study.errors import InputError
from study.spec import StudySpec, load_spec, read_spec
from study.spec.benchmark.loading import is_benchmark
from study.spec.comparison.schema import is_comparison
from study.storage.events import Event, StudyGrown
from study.storage.folder import StudyFolder
from study.storage.journal import Append, Journal, Line, parse_lines
from study.storage.ledger import StudyLedger
from study.storage.opening import is_locked
from study.storage.record import StudyRecord

Kind = Literal["study", "benchmark", "comparison"]
METRIC_OF_OTHERS = "dev_mcc"
"""What the record of a folder without a study's spec is read by."""


class ReadLedger(StudyLedger):
    """A ledger of a record that is already made: it notes in memory alone."""

    def __init__(self, folder: StudyFolder, spec: StudySpec, record: StudyRecord) -> None:
        self.folder, self.spec, self.metric = folder, spec, spec.objective
        self.journal = _Nowhere(folder.journal)
        self.opened, self.broken, self.listeners = True, None, []
        self._append, self._pending = None, []
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

    folder: StudyFolder
    running: bool
    """Whether a driver is at work: what is unfinished then is as it should be."""
    lines: list[Line]
    torn: bytes
    """What follows the journal's last newline."""
    kind: Kind
    spec: StudySpec | None
    """None unless it is a study's, and if it cannot be read."""
    spec_error: str
    record: StudyRecord | None
    """None if the journal cannot be folded; `trouble` says why."""
    trouble: str
    tracking_uri: str | None

    @property
    def events(self) -> list[Event]:
        """The events that can be read."""
        return [line.event for line in self.lines if line.event is not None]

    @property
    def resume(self) -> str:
        """The command that goes on with the study."""
        if self.kind == "comparison":
            return "the command it was started with (python -m study.seeds …), with --resume"
        path = self.folder.path
        command = "study.benchmark" if self.kind == "benchmark" else "study.run"
        options = ["--space", str(self.folder.spec), "--storage", str(path.parent)]
        return shlex.join(["python", "-m", command, *options, "--name", path.name, "--resume"])

    def sound_record(self) -> StudyRecord:
        """Returns the record.

        Raises:
            NotCheckedError: the journal is damaged.
        """
        if self.record is None:
            raise NotCheckedError(f"events.jsonl must be mended first: {self.trouble}")
        return self.record

    def race(self) -> "tuple[StudyFolder, StudyRecord] | None":
        """Returns the folder and the record of a study's race, None without one.

        Raises:
            NotCheckedError: its journal is damaged.
        """
        folder = StudyFolder(self.folder.finalists)
        if self.kind != "study" or not folder.journal.is_file():
            return None
        lines, _ = _read_lines(folder.journal)
        record, trouble = _fold(lines, METRIC_OF_OTHERS)
        if record is None:
            raise NotCheckedError(f"finalists/events.jsonl must be mended first: {trouble}")
        return (folder, record) if lines else None

    def ledger(self) -> ReadLedger:
        """Returns the ledger of a study.

        Raises:
            NotCheckedError: it is no study, or journal or spec are damaged.
        """
        if self.kind != "study":
            raise NotCheckedError(f"a {self.kind} has none")
        if self.spec is None:
            raise NotCheckedError("spec.yaml must be mended first")
        return ReadLedger(self.folder, self.spec, self.sound_record())


def read_subject(path: Path, tracking_uri: str | None) -> Subject:
    """Reads a study folder.

    Raises:
        InputError: it is not one, or one of a newer version of this package.
    """
    folder = StudyFolder(path)
    if not folder.journal.is_file() and not folder.spec.is_file():
        raise InputError(
            f"{path}: must be a study folder, with spec.yaml and events.jsonl, but has neither; "
            "give the folder that study.run named, <storage>/<name>"
        )
    study = StudyFolder(path.absolute().parent)
    if study.finalists == path.absolute() and study.spec.is_file():
        raise InputError(
            f"{path}: must be a study's folder, but is the race of its finalists, which a resume "
            f"of the study takes up; give {study.path}"
        )
    running = is_locked(folder)
    lines, torn = _read_lines(folder.journal)
    events = [line.event for line in lines if line.event is not None]
    kind, spec, spec_error = _read_spec(folder, events)
    metric = METRIC_OF_OTHERS if spec is None else spec.objective
    record, trouble = _fold(lines, metric)
    return Subject(
        folder, running, lines, torn, kind, spec, spec_error, record, trouble, tracking_uri
    )


def _read_lines(journal: Path) -> tuple[list[Line], bytes]:
    data = journal.read_bytes() if journal.is_file() else b""
    return parse_lines(journal, data)


def _read_spec(folder: StudyFolder, events: Iterable[Event]) -> tuple[Kind, StudySpec | None, str]:
    """What the folder is of; the spec as it was last grown; why there is none."""
    grown = [event.spec for event in events if isinstance(event, StudyGrown)]
    read: Callable[[], StudySpec]
    if grown:
        read = lambda: read_spec(grown[-1], "events.jsonl (its last event `grown`)")  # noqa: E731
    else:
        read = lambda: load_spec(str(folder.spec))  # noqa: E731
    try:
        if is_benchmark(folder.spec):
            return "benchmark", None, ""
        if is_comparison(folder.spec):
            return "comparison", None, ""
        return "study", read(), ""
    except InputError as error:
        return "study", None, str(error)


def _fold(lines: list[Line], metric: str) -> tuple[StudyRecord | None, str]:
    record = StudyRecord(metric)
    for line in lines:
        if line.event is None:
            return None, f"line {line.number} cannot be read"
        try:
            record.apply(line.event)
        except KeyError:
            return None, f"line {line.number} does not fit"
    return record, ""
