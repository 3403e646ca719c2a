"""Reads the snapshot of a folder; locks and writes nothing."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from study.errors import InputError, instead_of
from study.spec.benchmark.loading import is_benchmark, load_benchmark
from study.spec.comparison.schema import count_runs, is_comparison, load_comparison
from study.storage.events import DataRead
from study.storage.folder import StudyFolder
from study.storage.live.building import runs_snapshot, study_snapshot
from study.storage.live.snapshot import Snapshot
from study.storage.opening import check_journal
from study.storage.result.building import read_race
from study.storage.stored import StoredStudy

METRIC = "dev_mcc"
"""Of a benchmark, in which nothing is selected by it."""


def is_folder_of_study(path: Path) -> bool:
    """Whether a folder is of a study, benchmark or comparison, and not the race of a study."""
    folder = StudyFolder(path)
    is_race = path.name == folder.finalists.name and StudyFolder(path.parent).spec.is_file()
    return folder.spec.is_file() and not is_race


def read_snapshot(path: Path, now: float) -> Snapshot:
    """Returns the state of a study, benchmark or comparison; `now` in seconds since the epoch.

    Raises:
        InputError: the folder is none, or its spec or journal cannot be read.
    """
    folder = StudyFolder(path)
    if not is_folder_of_study(path) or folder.journal.is_dir():
        raise InputError(
            f"{path}: must be the folder of a study, a benchmark or a comparison, with spec.yaml "
            f"and events.jsonl, but got {_found(folder)}; give the folder that the command wrote, "
            "<storage>/<name>"
        )
    stored = StoredStudy.read(folder)
    check_journal(stored)
    snapshot = _snapshot(stored, now)
    if snapshot.is_over:
        return snapshot
    return replace(snapshot, silent=_silent(folder, now))


def _found(folder: StudyFolder) -> str:
    if folder.journal.is_dir():
        return "a folder in the place of events.jsonl"
    if folder.spec.is_file():
        return f"the race of the study {folder.path.parent}"
    return instead_of(folder.spec, folder.journal)


def _snapshot(stored: StoredStudy, now: float) -> Snapshot:
    folder = stored.folder
    if is_benchmark(folder.spec):
        unavailable: set[str] = set()
        for event in stored.events:
            unavailable = set(event.unavailable) if isinstance(event, DataRead) else unavailable
        planned = load_benchmark(str(folder.spec), stored=True).count_runs(unavailable)
        return runs_snapshot("benchmark", folder.path.name, stored.record(METRIC), planned, now)
    if is_comparison(folder.spec):
        comparison = load_comparison(folder.spec)
        record, planned = stored.record(comparison.first.objective), count_runs(comparison)
        return runs_snapshot("comparison", folder.path.name, record, planned, now)
    record = stored.study_record()
    race = read_race(folder, record.metric)
    return study_snapshot(folder.path.name, stored.spec, record, race, now)


def _silent(folder: StudyFolder, now: float) -> float | None:
    """Returns the seconds since a journal or a worker's sign of life was written."""
    times = list(_written(folder)) + list(_written(StudyFolder(folder.finalists)))
    return max(0.0, now - max(times)) if times else None


def _written(folder: StudyFolder) -> Iterator[float]:
    for file in (folder.journal, *folder.heartbeats.glob("*.json")):
        with suppress(OSError):  # A worker's file is removed at its end.
            yield file.stat().st_mtime
