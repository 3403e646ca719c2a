"""events.jsonl: one line per event, appended and flushed by the driver only.

The journal is the only primary record of a study: Optuna's study, ASHA's rungs, MLflow, trials.csv
and the report are derived from it. `study.storage.events` lists the events and their fields.
"""

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from study.errors import InputError
from study.storage.durable import sync_names
from study.storage.events import VERSION, Event
from study.storage.parsing import FieldError, as_json, event_of, faults, name_of


class DamagedJournalError(InputError):
    """A line of a journal cannot be read, or cannot follow those before it."""

    def __init__(self, path: Path, line: int | None, problem: str) -> None:
        where = str(path) if line is None else f"{path}:{line}"
        super().__init__(
            f"{where}: {problem}; `python -m study.doctor {path.parent}` explains how to repair it"
        )
        self.line = line
        """From 1; None if it is not known."""
        self.problem = problem


FROM_A_COPY = "from a copy (what came after the copy is lost, and --resume trains it again)"
"""How a damaged journal is repaired. Checkpoints may be ahead of it."""
Append = Callable[[Event], Event]
"""Writes an event; returns it as a reader will see it, with its time."""


class Journal:
    """Appends events to a file; keeps no file open, so that it can be pickled.

    A line is on disk when `append` returns, or at the end of `open`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, event: Event) -> Event:
        """Writes one event and returns it as a reader will see it, with its time."""
        with self.open() as append:
            return append(event)

    @contextmanager
    def open(self) -> Iterator[Append]:
        """Yields a function that appends an event; at the end it waits for the disk, once."""
        with self.path.open("ab") as file:
            is_new = file.tell() == 0

            def append(event: Event) -> Event:
                line = line_of(event, time.time())
                written = event_of(json.loads(line))
                file.write(line.encode())
                file.flush()
                return written

            yield append
            os.fsync(file.fileno())
        if is_new:
            sync_names(self.path.parent)

    def read(self) -> list[Event]:
        """Returns all events; a last line torn by a crash is left out.

        Raises:
            InputError: as `parse_events`.
        """
        return parse_events(self.path, self.path.read_bytes()) if self.path.exists() else []

    def drop_torn_line(self) -> None:
        """Cuts off what follows the last newline: an event that a crash left half written."""
        data = self.path.read_bytes()
        complete = data.rfind(b"\n") + 1
        if complete < len(data):
            with self.path.open("r+b") as file:
                file.truncate(complete)


def line_of(event: Event, now: float) -> str:
    """Returns the line of an event that happens at `now`, in seconds since the epoch."""
    return json.dumps(as_json(event) | {"time": now}) + "\n"


@dataclass(frozen=True, slots=True)
class Line:
    """A complete line of a journal, and its event."""

    number: int
    """From 1."""
    text: bytes
    event: Event | None
    """None if the line is damaged."""
    data: Mapping[str, Any] | None = None
    """The JSON object of a damaged line, None if it is none with an `event`."""
    copy_of: int | None = None
    """The number of an earlier line with the same text."""

    @property
    def name(self) -> str | None:
        """The name of the event, if the line has one."""
        if self.event is not None:
            return name_of(self.event)
        return None if self.data is None else str(self.data["event"])

    @property
    def trial(self) -> object:
        """The number of the event's trial, as far as it can be read."""
        if self.data is not None:
            return self.data.get("trial")
        return getattr(self.event, "trial", None)

    @property
    def faults(self) -> list[str]:
        """The rules that fields of a damaged line break, and what was found."""
        return [] if self.data is None else list(faults(self.data))


def parse_lines(path: Path, data: bytes) -> tuple[list[Line], bytes]:
    """Returns the complete lines of a journal, damaged ones included, and a torn last line.

    Raises:
        InputError: a newer version of this package wrote the journal.
    """
    *texts, torn = data.split(b"\n")
    first: dict[bytes, int] = {}
    return [
        _parsed(path, text, number, first.setdefault(text, number))
        for number, text in enumerate(texts, start=1)
    ], torn


def _parsed(path: Path, text: bytes, number: int, first: int) -> Line:
    data = _object_of(text)
    if data is None:
        return Line(number, text, None)
    _check_version(path, data)
    try:
        event = event_of(data)
    except FieldError:
        return Line(number, text, None, data)
    return Line(number, text, event, copy_of=None if first == number else first)


def events_of(path: Path, lines: Iterable[Line]) -> list[Event]:
    """Returns the events of a journal's lines.

    Raises:
        DamagedJournalError: a line is not a JSON object with `event`, a field of it is missing or
            cannot have its value, or it is there twice.
    """
    events = []
    for line in lines:
        if line.event is None or line.copy_of is not None:
            raise DamagedJournalError(path, line.number, _damage(line))
        events.append(line.event)
    return events


def _damage(line: Line) -> str:
    if line.copy_of is not None:  # Two events have different times.
        return f"a line must be there once, but got line {line.copy_of} again"
    if line.data is None:
        return (
            "every line must be a JSON object with an `event`, but got "
            f"{line.text[:40].decode(errors='replace')!r}"
        )
    return f"`{line.name}`: {line.faults[0]}"


def parse_events(path: Path, data: bytes) -> list[Event]:
    """Returns the events of a journal's complete lines; a torn last line is left out.

    Raises:
        InputError: as `parse_lines` and `events_of`.
    """
    return events_of(path, parse_lines(path, data)[0])


def _object_of(line: bytes) -> dict[str, Any] | None:
    """Returns the JSON object of a line, None if it is none with the name of an event."""
    try:
        data = json.loads(line.decode())
        if b"\\u" in line:
            json.dumps(data, ensure_ascii=False).encode()  # Refuses half of a character.
    except (ValueError, RecursionError):
        return None
    is_event = isinstance(data, dict) and isinstance(data.get("event"), str)
    return data if is_event else None


def _check_version(path: Path, data: Mapping[str, Any]) -> None:
    version = data.get("version", VERSION)
    if data["event"] in ("study", "resumed") and isinstance(version, int) and version > VERSION:
        versions = data.get("created_with")
        written = versions.get("adalora-rs-study") if isinstance(versions, dict) else "unknown"
        raise InputError(
            f"{path.parent}: the journal must be of version {VERSION} or older, but got version "
            f"{version} of a newer version of this package (adalora-rs-study {written}); upgrade "
            "adalora-rs-study, or use another --name"
        )
