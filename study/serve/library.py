"""The studies of a folder: their state, and their pages, made from the journal when it changes."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from study.analysis.study.page import render
from study.analysis.study.reading import read_study
from study.errors import InputError
from study.spec.benchmark.loading import is_benchmark
from study.spec.comparison.schema import is_comparison
from study.storage.folder import StudyFolder
from study.storage.live.reading import is_folder_of_study, read_snapshot
from study.storage.live.snapshot import Snapshot
from study.storage.stored import StoredStudy

SHARE = 20.0
"""A page is not made again before so many times the seconds that it took the last time."""
ATTACHED = {"figures": ".csv", "failures": ".txt", "tables": ".csv"}
"""Folders of a study whose files of one kind a page links to."""


Stamp = tuple[int, int]
"""Time of change, in nanoseconds, and size of a file."""


@dataclass(frozen=True)
class Entry:
    """A study, benchmark or comparison in the list."""

    name: str
    snapshot: Snapshot | None
    """None if it cannot be read."""
    problem: str = ""


@dataclass
class _Page:
    """A page in memory, and of which state of the folder it is."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    text: bytes = b""
    stamp: object = None
    next: float = 0.0
    version: int = 0


class Library:
    """The folders in `storage` that are of studies, benchmarks or comparisons."""

    def __init__(self, storage: Path, clock: Callable[[], float] = time.monotonic) -> None:
        """Reads nothing yet. `clock` returns seconds."""
        self.storage, self._clock = storage.resolve(), clock
        self._pages: dict[str, _Page] = {}
        self._over: dict[str, tuple[object, Snapshot]] = {}
        self._lock = threading.Lock()

    def names(self) -> list[str]:
        """Returns the names of the folders, sorted; links to other places are left out."""
        try:
            folders = list(self.storage.iterdir())
        except OSError:
            return []
        return sorted(one.name for one in folders if self._is_here(one) and _is_study(one))

    def entries(self) -> list[Entry]:
        """Returns all folders with their state, the one with the latest event first."""
        entries = [self._entry(name) for name in self.names()]
        return sorted(entries, key=lambda one: -_last(one))

    def snapshot(self, name: str) -> Snapshot:
        """Returns the state of a folder in `names`; one that is over is read once.

        Raises:
            InputError: it cannot be read.
        """
        stamp, known = self._stamp(name), self._over.get(name)
        if known is not None and known[0] == stamp:
            return known[1]
        snapshot = read_snapshot(self.storage / name, time.time())
        if snapshot.is_over:
            self._over[name] = stamp, snapshot
        return snapshot

    def page(self, name: str) -> tuple[bytes, int]:
        """Returns the page of a folder in `names`, and its version, which counts up.

        It is report.html; if the journal of a study is newer, it is made from that.

        Raises:
            InputError: it cannot be read.
        """
        with self._lock:
            page = self._pages.setdefault(name, _Page())
        with page.lock:
            stamp, now = self._stamp(name), self._clock()
            if stamp != page.stamp and now >= page.next:
                page.text = self._made(name)
                page.stamp, page.version = stamp, page.version + 1
                page.next = now + SHARE * (self._clock() - now)
            return page.text, page.version

    def attached(self, name: str, folder: str, file: str) -> bytes | None:
        """Returns a file that the page of a folder in `names` links to; None if it has none."""
        ending = ATTACHED.get(folder)
        if ending is None:
            return None
        try:
            files = list((self.storage / name / folder).iterdir())
            found = [one for one in files if one.name == file and one.suffix == ending]
            return found[0].read_bytes() if found and self._is_here(found[0]) else None
        except OSError:
            return None

    def _entry(self, name: str) -> Entry:
        try:
            return Entry(name, self.snapshot(name))
        except (InputError, OSError) as error:
            return Entry(name, None, str(error))

    def _made(self, name: str) -> bytes:
        folder = StudyFolder(self.storage / name)
        is_study = not (is_benchmark(folder.spec) or is_comparison(folder.spec))
        journal, race, page = self._stamp(name)
        newest = max(one[0] for one in (journal, race, (0, 0)) if one)
        written = page is not None and self._is_here(folder.report)
        if written and page and (page[0] >= newest or not is_study):
            return folder.report.read_bytes()
        if is_study:
            return render(read_study(StoredStudy.read(folder)), live=True).encode()
        raise InputError(
            f"{folder.report}: the page must have been written, but got none yet; a benchmark and "
            "a comparison write it when they end, and study.report before"
        )

    def _stamp(self, name: str) -> tuple[Stamp | None, Stamp | None, Stamp | None]:
        """Returns the stamps of the journal, the journal of the race, and report.html."""
        folder = StudyFolder(self.storage / name)
        race = StudyFolder(folder.finalists)
        return _changed(folder.journal), _changed(race.journal), _changed(folder.report)

    def _is_here(self, path: Path) -> bool:
        """Whether a path, with all links followed, is below the storage."""
        try:
            return path.resolve(strict=True).is_relative_to(self.storage)
        except OSError:
            return False


def _is_study(path: Path) -> bool:
    try:
        return is_folder_of_study(path)
    except OSError:
        return False


def _changed(file: Path) -> Stamp | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def _last(entry: Entry) -> float:
    return (entry.snapshot.last_event if entry.snapshot else None) or 0.0
