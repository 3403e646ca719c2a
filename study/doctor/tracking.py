"""Checks of MLflow: one run per study and one per trial, each as in the journal.

A database in the folder is read from a copy, as MLflow writes when it opens one.
"""

import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from study.doctor.finding import Finding, NotCheckedError, some
from study.doctor.subject import Subject
from study.engine.tracking.address import check_tracking_uri, database, tracking_address
from study.engine.tracking.runs import STATUS, server_errors, study_key
from study.engine.tracking.tracker import apply_settings
from study.engine.tracking.view import TrackedRun, tracked_runs
from study.errors import InputError
from study.storage.events import ABSENT, tracking_of
from study.storage.folder import StudyFolder
from study.storage.record import StudyRecord

finding = partial(Finding, "mlflow")


def check(subject: Subject) -> Iterator[Finding]:
    """Finds runs that are missing, duplicated, RUNNING without a driver, or not as journalled."""
    tracked = [_Tracked("the study", subject.require_record(), subject.folder)]
    if not subject.lines:
        raise NotCheckedError("nothing has happened in this study yet")
    if (race := subject.race()) is not None:
        folder, record = race
        tracked.append(_Tracked("the race", record, folder, "of the race "))
    keys = [study_key(one.folder, one.record) for one in tracked]
    uri = tracking_address(subject.stored, subject.tracking_uri)
    if uri is not None:
        runs = _of_server(uri, keys)
    elif subject.running:
        raise NotCheckedError("the driver is writing mlflow.db")
    elif subject.folder.mlflow.is_file():
        try:
            runs = _of_copy(subject.folder.mlflow, keys)
        except _DamagedError as error:
            yield finding(
                f"mlflow.db is damaged: {error}",
                f"rm {subject.folder.mlflow}; then resuming writes it again: {subject.resume}",
            )
            return
    elif tracking_of(subject.events) is ABSENT:
        raise NotCheckedError("there is no mlflow.db; give its address with --tracking-uri")
    else:
        runs = [[] for _ in keys]
    for one, its_runs in zip(tracked, runs, strict=True):
        yield from _one_of_each(subject, one, its_runs)
        if not subject.running:
            yield from _behind(subject, one, its_runs)


@dataclass(frozen=True)
class _Tracked:
    """A study or race, which has a parent run."""

    name: str
    record: StudyRecord
    folder: StudyFolder
    of: str = ""
    """Distinguishes its trials from the study's in messages."""


class _DamagedError(Exception):
    """A database that cannot be read."""


def _of_server(uri: str, keys: list[str]) -> list[list[TrackedRun]]:
    apply_settings()
    file = database(uri)
    try:
        check_tracking_uri(uri)
        if file is not None and not file.is_file():
            raise NotCheckedError(f"there is no database at {uri}")
        return [tracked_runs(uri, key) for key in keys]
    except InputError as error:
        raise NotCheckedError(str(error)) from None
    except server_errors() as error:
        raise NotCheckedError(f"MLflow at {uri} cannot be read: {error}") from None


def _of_copy(database: Path, keys: list[str]) -> list[list[TrackedRun]]:
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / database.name
        try:
            for suffix in ("", "-journal", "-wal", "-shm"):  # What was not yet written through.
                if Path(f"{database}{suffix}").is_file():
                    shutil.copyfile(f"{database}{suffix}", f"{copy}{suffix}")
        except OSError as error:
            raise NotCheckedError(f"mlflow.db cannot be copied: {error}") from None
        _check_database(copy)
        return [_read(f"sqlite:///{copy}", key) for key in keys]


def _check_database(file: Path) -> None:
    connection = sqlite3.connect(file)
    try:
        [answer] = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        raise _DamagedError(str(error)) from None
    finally:
        connection.close()
    if answer != "ok":
        raise _DamagedError(answer.splitlines()[0])


def _read(uri: str, key: str) -> list[TrackedRun]:
    try:
        return tracked_runs(uri, key)
    except server_errors() as error:
        raise _DamagedError(str(error).splitlines()[0]) from None


def _one_of_each(subject: Subject, tracked: _Tracked, runs: list[TrackedRun]) -> Iterator[Finding]:
    counts = Counter(run.trial for run in runs)
    for trial, count in counts.items():
        what = tracked.name if trial is None else f"trial {trial} {tracked.of}".rstrip()
        ids = [run.run_id for run in runs if run.trial == trial]
        if count > 1:
            fix = f"resuming deletes the emptier ones: {subject.resume}"
            yield finding(f"{what} has {count} runs", fix, unfinished=True)
        if trial is not None and trial not in tracked.record.trials:
            yield finding(
                f"there is a run of {what}, which the journal does not know",
                f"restore a newer copy of events.jsonl, or: mlflow runs delete --run-id {ids[0]}",
            )


def _behind(subject: Subject, tracked: _Tracked, runs: list[TrackedRun]) -> Iterator[Finding]:
    """Finds what a driver that has ended should have written; `--resume` completes it."""
    record = tracked.record
    fix = f"it is completed by {subject.resume}"
    late = partial(finding, fix=fix, unfinished=True)
    children = {run.trial: run for run in runs if run.trial in record.trials}
    parent = next((run for run in runs if run.trial is None), None)
    if parent is None and record.trials:
        yield late(f"{tracked.name} has no run")
    if parent is not None and parent.status == "RUNNING":
        yield late(f"{tracked.name}'s run is RUNNING, but no driver is at work")
    missing = [number for number in record.trials if number not in children]
    if missing:
        yield late(f"{some(missing)} {tracked.of}have no run")
    left: dict[str, list[int]] = {}
    for number, run in children.items():
        trial = record.trials[number or 0]
        if run.reports < len(trial.reports):
            left.setdefault("lack reports", []).append(trial.number)
        if run.reports > len(trial.reports):
            yield finding(
                f"the run of trial {number} {tracked.of}has {run.reports} reports, the journal "
                f"{len(trial.reports)}",
                "restore a newer copy of events.jsonl; without one nothing needs to be done: "
                "--resume trains again what is missing there",
            )
        if trial.state == "running" and run.status == "RUNNING":
            left.setdefault("are RUNNING, but no driver is at work", []).append(trial.number)
        elif trial.state != "running" and run.status != STATUS[trial.state]:
            words = f"are {run.status} in place of {STATUS[trial.state]}"
            left.setdefault(words, []).append(trial.number)
    for words, numbers in left.items():
        yield late(f"the runs of {some(numbers)} {tracked.of}{words}")
    if parent is not None and record.winner is not None:
        winner = str(record.winner.trial)
        if parent.winner != winner:
            yield late(f"the study's run names trial {parent.winner} the winner, not {winner}")
