"""The start of a session: versions, the tracking address, changed data."""

import csv
import gzip
import hashlib
import io
from dataclasses import replace
from pathlib import Path

import pytest

from study.engine.driver import created_with, record_start, warn_of_versions, write_splits
from study.engine.tracking.runs import StudyRuns, study_key
from study.engine.tracking.subject import Subject
from study.engine.tracking.view import tracked_runs
from study.storage.events import StudyOpened, StudyResumed, tracking_of
from study.storage.folder import StudyFolder
from study.storage.ledger import Ledger
from study.storage.stored import StoredStudy
from study.tasks import Split
from study.tasks.assignment import Assignment
from study.tasks.quality import measure
from study.training.encoding import EncodedTask, encode_split
from tests.study.ledgers import OpenLedger, create, report


def test_a_study_created_with_other_versions_causes_one_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger, now = Ledger(StudyFolder(tmp_path), "dev_mcc"), created_with()
    ledger.append(
        StudyOpened(version=1, name="a", created_with=now | {"torch": "2.0", "ray": "2.9"})
    )
    ledger.append(StudyResumed(version=1, created_with=now))
    warn_of_versions(ledger, now)
    [line] = capsys.readouterr().err.splitlines()
    assert f"started with torch 2.0, ray 2.9, resumed with torch {now['torch']}, ray" in line


@pytest.mark.parametrize("begun", [{}, {"created_with": created_with()}])
def test_a_study_created_with_the_same_versions_causes_no_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], begun: dict[str, dict[str, str]]
) -> None:
    ledger = Ledger(StudyFolder(tmp_path), "dev_mcc")
    ledger.append(StudyOpened(version=1, name="a", **begun))
    warn_of_versions(ledger, created_with())
    assert capsys.readouterr().err == ""


def test_the_machine_is_journalled_at_every_start(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path)
    record_start(Ledger(folder, "dev_mcc"), None, {})
    record_start(Ledger(folder, "dev_mcc"), None, {})
    opened, resumed = StoredStudy.read(folder).events
    assert isinstance(opened, StudyOpened)
    assert isinstance(resumed, StudyResumed)
    for event in (opened, resumed):
        assert event.machine
        assert set(event.machine) == {"system", "cpu", "cores", "memory", "gpus"}
        assert event.machine["cores"].split()[0].isdigit()


def test_runs_at_the_previous_tracking_address_are_ended(
    open_ledger: OpenLedger, tmp_path: Path
) -> None:
    old, new = (f"sqlite:///{tmp_path / name}.db" for name in ("old", "new"))
    ledger = open_ledger()
    ledger.append(StudyResumed(version=1, tracking=old, created_with=created_with()))
    create(ledger, 0)
    key = study_key(ledger.folder, ledger.record)
    runs = StudyRuns(old, key, Subject("a study"))
    runs.adopt()
    runs.write(ledger.record.trials.values())
    assert {run.status for run in tracked_runs(old, key)} == {"RUNNING"}
    report(ledger, 0, 1, 0.5)  # The driver is killed before MLflow gets it.
    record_start(open_ledger(), new, {})
    left = {run.trial: (run.status, run.reports) for run in tracked_runs(old, key)}
    assert left == {None: ("KILLED", 0), 0: ("KILLED", 1)}


def test_the_previous_tracking_server_may_be_unreachable(
    open_ledger: OpenLedger, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = open_ledger()
    gone = "http://127.0.0.1:1"
    ledger.append(StudyResumed(version=1, tracking=gone, created_with=created_with()))
    record_start(open_ledger(), None, {})
    assert tracking_of(ledger.journal.read()) is None
    [record] = caplog.records
    assert record.getMessage().startswith(f"MLflow at {gone} does not respond (")
    assert record.getMessage().endswith("runs that are RUNNING there stay so")


def test_the_split_of_each_row_is_written_once(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path)
    assignment = Assignment(["train", "dev", "train", "test"], ["1", "x,2", '"3"', "4"])
    splits = tuple(Split(["ACGT", "CCGT"], [0, 1]) for _ in range(3))
    quality = replace(measure(*splits, 2), assignment=assignment)
    empty = encode_split([[1], [2]], [0, 1])
    data = EncodedTask("x", 2, 0, empty, empty, empty, quality=quality)
    write_splits(folder, replace(data, quality=None))
    assert not folder.splits.exists()

    write_splits(folder, data)
    table = gzip.decompress(folder.splits.read_bytes())
    assert list(csv.reader(io.StringIO(table.decode()))) == [
        ["row", "id", "split"],
        ["1", "1", "train"],
        ["2", "x,2", "dev"],
        ["3", '"3"', "train"],
        ["4", "4", "test"],
    ]
    assert hashlib.sha256(table).hexdigest() == quality.record()["assignment"]["sha256"]
    folder.splits.write_bytes(b"")
    write_splits(folder, data)
    assert folder.splits.read_bytes() == b""
