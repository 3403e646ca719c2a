"""Checks of spec.yaml, the table of trials or runs, and the disk."""

import csv
import os
import re
import shlex
import shutil
from collections.abc import Iterator
from functools import partial
from typing import Any

from study.cli.options import NAME_RULE, is_name
from study.doctor.finding import Finding, some
from study.doctor.subject import Subject
from study.errors import InputError
from study.spec import StudySpec, load_spec
from study.storage.commands import shown
from study.storage.tables import race_columns

FREE_BYTES = 100 * 2**20
"""The least free space: a checkpoint has a few to some hundreds of megabytes."""
finding = partial(Finding, "files")


def check(subject: Subject) -> Iterator[Finding]:
    """Finds a name or spec.yaml that cannot be used, a table unlike the journal, a full disk."""
    yield from _name(subject)
    yield from _spec(subject)
    yield from _disk(subject)
    if not subject.running and subject.record is not None:
        yield from _table(subject)


def _name(subject: Subject) -> Iterator[Finding]:
    """Finds a folder whose new name --name does not accept, so that it cannot be resumed."""
    path = subject.folder.path
    if not is_name(path.name):
        name = re.sub(r"^\W|[^A-Za-z0-9_. -]", "_", path.name[:100])
        command = shlex.join(["mv", shown(path), shown(path.with_name(name))])
        yield finding(f"{path.name} cannot be resumed: --name takes {NAME_RULE}", command)


def _spec(subject: Subject) -> Iterator[Finding]:
    file = subject.folder.spec
    if not file.is_file():
        yield finding(
            "there is no spec.yaml",
            "restore it from a backup, or from the settings in report.html",
        )
        return
    try:
        now = load_spec(str(file), stored=True) if subject.kind == "study" else None
    except InputError as error:
        yield finding(
            f"spec.yaml cannot be read: {error}",
            "restore it from a backup, or undo what was edited in it",
        )
        return
    if subject.spec_error:
        yield finding(f"the spec cannot be read: {subject.spec_error}", "restore it from a backup")
        return
    if (
        now is not None
        and subject.spec is not None
        and _without_resources(now) != _without_resources(subject.spec)
    ):
        yield finding(
            "spec.yaml is not the spec that the study has grown to, which is in the last event "
            "`grown` of events.jsonl",
            f"resuming with the same --set and --trials or --extend as last time writes it: "
            f"{subject.resume}",
            unfinished=True,
        )


def _without_resources(spec: StudySpec) -> dict[str, Any]:
    return spec.model_dump(exclude={"resources"})


def _disk(subject: Subject) -> Iterator[Finding]:
    path = subject.folder.path
    free = shutil.disk_usage(path).free
    if free < FREE_BYTES:
        yield finding(
            f"the disk has {free / 2**20:.0f} MB left",
            "make room: a study that cannot write its journal must end",
        )
    if os.statvfs(path).f_flag & os.ST_RDONLY or not os.access(path, os.W_OK | os.X_OK):
        yield finding(
            "the folder cannot be written",
            f"grant write permission (chmod u+rwx {path}), or copy the folder to storage that "
            "can be written",
        )


def _table(subject: Subject) -> Iterator[Finding]:
    if subject.spec is None and subject.kind == "study":
        return
    study, folder = subject.kind == "study", subject.folder
    file, what = (folder.trials, "trial") if study else (folder.results, "row")
    expected = [_as_text(row) for row in _rows(subject)]
    fix = f"resuming writes it: {subject.resume}"
    if not file.is_file():
        if expected:
            yield finding(f"there is no {file.name}", fix, unfinished=True)
        return
    try:
        with file.open(encoding="utf-8", newline="") as opened:
            table = csv.DictReader(opened)
            rows = [_as_text(row) for row in table]
            columns = set(table.fieldnames or ())
    except (csv.Error, ValueError) as error:
        yield finding(f"{file.name} cannot be read: {error}", fix)
        return
    if study and subject.spec is not None:
        expected = _without_columns(expected, set(race_columns(subject.spec)) - columns)
    if len(rows) > len(expected):
        yield finding(f"{file.name} has {len(rows)} rows in place of {len(expected)}", fix)
    differ = [n for n, row in enumerate(expected) if n >= len(rows) or rows[n] != row]
    if differ:
        yield finding(
            f"{file.name} differs from the journal in {some(differ, what)}",
            fix,
            unfinished=True,
        )


def _without_columns(rows: list[dict[str, str]], names: set[str]) -> list[dict[str, str]]:
    """Returns the rows without columns that a table of an earlier version does not have."""
    return [{name: cell for name, cell in row.items() if name not in names} for row in rows]


def _rows(subject: Subject) -> list[dict[str, Any]]:
    # Imported here: Ray and torch take seconds.
    if subject.kind == "benchmark":
        from study.engine.benchmark.results import result_rows

        return result_rows(subject.stored)
    if subject.kind == "comparison":
        from study.engine.comparison.results import rows_of

        return rows_of(subject.stored)
    from study.storage.tables import trial_rows

    ledger = subject.ledger()
    return trial_rows(ledger.record, ledger.spec)


def _as_text(row: dict[Any, Any]) -> dict[str, str]:
    """Returns a row as text by column, without empty cells."""
    return {str(k): str(v) for k, v in row.items() if v is not None and v != ""}
