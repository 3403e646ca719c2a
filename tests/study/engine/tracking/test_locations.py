"""The files of runs after a folder has been moved or copied."""

import shutil
from pathlib import Path

from mlflow import MlflowClient

from study.engine.tracking.database import sqlite_uri
from study.engine.tracking.locations import gone_locations, outdated_locations, repair_locations
from study.engine.tracking.runs import StudyRuns, study_key
from study.engine.tracking.subject import Subject
from study.report import main as report
from study.storage.ledger import StudyLedger
from tests.study.ledgers import OpenLedger


def track(ledger: StudyLedger) -> str:
    """Writes the parent run of a study with one file; returns its id."""
    uri = sqlite_uri(ledger.folder.mlflow)
    runs = StudyRuns(uri, study_key(ledger.folder, ledger.record), Subject("a study"))
    runs.adopt()
    client = MlflowClient(tracking_uri=uri)
    ledger.folder.report.write_text("a page")
    client.log_artifact(runs._parent, str(ledger.folder.report))
    return runs._parent


def test_a_moved_folder_finds_its_files_after_a_repair(
    open_ledger: OpenLedger, tmp_path: Path
) -> None:
    ledger = open_ledger()
    run = track(ledger)
    assert outdated_locations(ledger.folder.mlflow) == []
    moved = tmp_path / "elsewhere" / "100% other"
    moved.parent.mkdir()
    ledger.folder.path.rename(moved)
    file = moved / "mlflow.db"
    client = MlflowClient(tracking_uri=sqlite_uri(file))
    assert client.list_artifacts(run) == []
    assert repair_locations(file) == [(ledger.folder.path / "mlartifacts").as_uri()]
    assert [one.path for one in client.list_artifacts(run)] == ["report.html"]
    experiment = client.get_experiment(client.get_run(run).info.experiment_id)
    assert experiment.artifact_location == (moved / "mlartifacts").as_uri()
    assert repair_locations(file) == []


def test_the_report_of_a_moved_folder_repairs_it(open_ledger: OpenLedger, tmp_path: Path) -> None:
    ledger = open_ledger()
    track(ledger)
    moved = ledger.folder.path.rename(tmp_path / "moved")
    assert len(gone_locations(moved / "mlflow.db")) == 1
    assert report([str(moved)]) == 0
    assert gone_locations(moved / "mlflow.db") == []


def test_a_copy_of_a_folder_has_files_of_its_own(open_ledger: OpenLedger, tmp_path: Path) -> None:
    ledger = open_ledger()
    track(ledger)
    copy = Path(shutil.copytree(ledger.folder.path, tmp_path / "copy"))
    assert outdated_locations(copy / "mlflow.db") == [
        (ledger.folder.path / "mlartifacts").as_uri()
    ]
    assert gone_locations(copy / "mlflow.db") == []


def test_a_database_for_several_studies_keeps_addresses_that_exist(
    open_ledger: OpenLedger, tmp_path: Path
) -> None:
    ledger = open_ledger()
    track(ledger)
    shared = tmp_path / "shared.db"
    shutil.copy(ledger.folder.mlflow, shared)
    (tmp_path / "mlartifacts").mkdir()
    assert outdated_locations(shared) == []
    shutil.rmtree(ledger.folder.path)
    assert len(outdated_locations(shared)) == 1


def test_a_file_that_is_no_database_has_no_addresses(tmp_path: Path) -> None:
    (tmp_path / "mlartifacts").mkdir()
    (tmp_path / "mlflow.db").write_text("nothing of the kind")
    assert repair_locations(tmp_path / "mlflow.db") == []
