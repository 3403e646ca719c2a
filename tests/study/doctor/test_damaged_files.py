"""Findings on damaged tables and specs, and on the disk."""

import csv
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from study.doctor import files
from study.spec import dump_spec, load_spec
from study.storage.events import StudyGrown
from study.storage.folder import StudyFolder
from study.storage.journal import Journal
from study.storage.tables import race_columns, write_rows, write_trials
from tests.study.doctor.made_folders import ask
from tests.study.ledgers import OpenLedger
from tests.study.storage.result.raced_studies import raced

Damage = Callable[[StudyFolder], Any]


def more_rows(folder: StudyFolder) -> None:
    text = folder.trials.read_text()
    folder.trials.write_text(text + text.splitlines()[-1] + "\n")


def grown(folder: StudyFolder) -> None:
    spec = dump_spec(load_spec(str(folder.spec), ["search.trials=9"]))
    fields = {"trials": 9, "changes": ["search.trials: 3 -> 9"], "spec": spec}
    Journal(folder.journal).append(StudyGrown(**fields, fixed={}, space=False))


FILES: dict[str, tuple[Damage, str, bool]] = {
    "no table": (lambda f: f.trials.unlink(), "there is no trials.csv", True),
    "one row short": (
        lambda f: f.trials.write_text("".join(f.trials.read_text().splitlines(True)[:-1])),
        "trials.csv differs from the journal in trial 2",
        True,
    ),
    "one row more": (more_rows, "trials.csv has 4 rows in place of 3", False),
    "another value": (
        lambda f: f.trials.write_text(f.trials.read_text().replace("0.05", "0.95")),
        "differs from the journal in trial 1",
        True,
    ),
    "no text": (
        lambda f: f.trials.write_bytes(b"\xff\xfe"),
        "trials.csv cannot be read",
        False,
    ),
    "no spec": (lambda f: f.spec.unlink(), "there is no spec.yaml", False),
    "spec damaged": (lambda f: f.spec.write_text("search: ["), "spec.yaml cannot be read", False),
    "spec edited": (
        lambda f: f.spec.write_text(f.spec.read_text().replace("trials: 3", "trails: 3")),
        "did you mean `trials`?",
        False,
    ),
    "spec behind": (grown, "spec.yaml is not the spec that the study has grown to", True),
}


@pytest.mark.parametrize("damage", FILES)
def test_tables_and_specs_that_differ_from_the_journal_are_reported(
    finished: Path, damage: str
) -> None:
    change, message, unfinished = FILES[damage]
    change(StudyFolder(finished))
    [finding] = ask(finished, "files")
    assert message in finding.problem
    assert finding.unfinished == unfinished


def without_columns(table: Path, names: set[str]) -> None:
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    kept = [{name: row[name] for name in row if name not in names} for row in rows]
    write_rows(table, kept)


def test_a_table_of_a_version_without_columns_of_the_race_is_right(
    open_ledger: OpenLedger,
) -> None:
    ledger = raced(open_ledger)
    write_trials(ledger)
    path, table = ledger.folder.path, ledger.folder.trials
    assert ask(path, "files") == []
    without_columns(table, set(race_columns(ledger.spec)))
    assert ask(path, "files") == []
    without_columns(table, {"dev_mcc"})
    assert "differs from the journal" in ask(path, "files")[0].problem


def test_a_nearly_full_disk_is_reported(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")(10**9, 10**9 - 5 * 2**20, 5 * 2**20)
    monkeypatch.setattr(files.shutil, "disk_usage", lambda path: usage)
    [finding] = ask(finished, "files")
    assert finding.problem == "the disk has 5 MB left"


def test_a_folder_without_write_permission_is_reported(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files.os, "access", lambda path, mode: False)
    [finding] = ask(finished, "files")
    assert finding.problem == "the folder cannot be written"
