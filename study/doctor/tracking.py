"""Checks of MLflow: one run per study and one per trial, each as in the journal.

A database is read from a copy, as MLflow writes when it opens one.
"""

import shlex
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from study.doctor.finding import Finding, NotCheckedError, some
from study.doctor.subject import Subject
from study.engine.tracking.address import check_tracking_uri, tracking_address
from study.engine.tracking.creation import BESIDE, never_used
from study.engine.tracking.database import database, sqlite_uri
from study.engine.tracking.locations import gone_locations
from study.engine.tracking.outage import reason
from study.engine.tracking.runs import STATUS, study_key
from study.engine.tracking.subject import experiment_of
from study.engine.tracking.view import TrackedRun, server_errors, tracked_runs
from study.errors import InputError
from study.storage.commands import report
from study.storage.events import ABSENT, tracking_of
from study.storage.folder import StudyFolder
from study.storage.record import StudyRecord

finding = partial(Finding, "mlflow")
Keys = dict[str, str]
"""Key of a study -> its experiment."""


def check(subject: Subject) -> Iterator[Finding]:
    """Finds runs that are missing, duplicated, RUNNING without a driver, or not as journalled."""
    tracked = [_Tracked("the study", subject.require_record(), subject.folder)]
    if not subject.lines:
        raise NotCheckedError("nothing has happened in this study yet")
    if (race := subject.race()) is not None:
        folder, record = race
        tracked.append(_Tracked("the race", record, folder, "of the race "))
    keys = {study_key(one.folder, one.record): experiment_of(one.record) for one in tracked}
    uri = tracking_address(subject.stored, subject.tracking_uri)
    file = subject.folder.mlflow if uri is None else database(uri)
    if file is None:
        runs = _of_server(str(uri), keys)
    elif subject.running and uri is None:
        raise NotCheckedError("the driver is writing mlflow.db")
    elif file.is_file():
        try:
            runs = _of_copy(file, keys)
        except _DamagedError as error:
            fix = f"resuming writes it again: {subject.resume}"
            if not error.unused:
                fix = f"rm {shlex.quote(str(file))}; then {fix}"
            yield finding(f"{file.name} {error}", fix, unfinished=error.unused)
            return
    elif uri is not None:
        raise NotCheckedError(f"there is no database at {uri}")
    elif tracking_of(subject.events) is ABSENT:
        raise NotCheckedError("there is no mlflow.db; give its address with --tracking-uri")
    else:
        runs = [[] for _ in keys]
    for one, its_runs in zip(tracked, runs, strict=True):
        yield from _one_of_each(subject, one, its_runs)
        if not subject.running:
            yield from _behind(subject, one, its_runs)
    if file is not None and not subject.running:
        yield from _moved(subject, file)


def _moved(subject: Subject, file: Path) -> Iterator[Finding]:
    """Finds addresses of files in a folder that has been moved."""
    for address in gone_locations(file):
        yield finding(
            f"{file.name} looks for the files of runs in {address}, where the folder was before",
            f"it gets the new address by {report(subject.folder.path)}",
            unfinished=True,
        )


@dataclass(frozen=True)
class _Tracked:
    """A study or race, which has a parent run."""

    name: str
    record: StudyRecord
    folder: StudyFolder
    of: str = ""
    """Distinguishes its trials from the study's in messages."""


class _DamagedError(Exception):
    """A database that cannot be read; the message says what it is."""

    def __init__(self, what: str, unused: bool = False) -> None:
        super().__init__(what)
        self.unused = unused
        """Whether nothing is in it, so that resuming replaces it."""


def _of_server(uri: str, keys: Keys) -> list[list[TrackedRun]]:
    try:
        check_tracking_uri(uri)
        return [tracked_runs(uri, *key) for key in keys.items()]
    except InputError as error:
        raise NotCheckedError(str(error)) from None
    except server_errors() as error:
        raise NotCheckedError(f"MLflow at {uri} cannot be read: {reason(error)}") from None


def _of_copy(file: Path, keys: Keys) -> list[list[TrackedRun]]:
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "mlflow.db"
        try:
            for suffix in ("", *BESIDE):  # Others have what was not yet written through.
                if Path(f"{file}{suffix}").is_file():
                    shutil.copyfile(f"{file}{suffix}", f"{copy}{suffix}")
        except OSError as error:
            raise NotCheckedError(f"{file.name} cannot be copied: {error}") from None
        _check_database(copy)
        return [_read(sqlite_uri(copy), *key) for key in keys.items()]


def _check_database(file: Path) -> None:
    try:
        with closing(sqlite3.connect(file)) as connection:
            [answer] = connection.execute("PRAGMA quick_check(1)").fetchone()
        unused = never_used(file)
    except sqlite3.DatabaseError as error:
        raise _DamagedError(f"is damaged: {error}") from None
    if answer != "ok":
        raise _DamagedError(f"is damaged: {answer.splitlines()[0]}")
    if unused:
        raise _DamagedError("has no runs; it may be incomplete", unused=True)


def _read(uri: str, key: str, experiment: str) -> list[TrackedRun]:
    try:
        return tracked_runs(uri, key, experiment)
    except server_errors() as error:
        raise _DamagedError(f"is damaged: {reason(error)}") from None


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
