"""New databases of MLflow: complete or absent, and in place of those that were never complete."""

import errno
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from mlflow import MlflowClient

from study.engine.tracking import creation
from study.engine.tracking.client import open_client
from study.engine.tracking.creation import create_database, never_used
from study.engine.tracking.database import sqlite_uri


def execute(file: Path, *statements: str) -> None:
    with closing(sqlite3.connect(file)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def killed_at(file: Path) -> None:
    """Leaves what a kill leaves while a migration copies a table."""
    create_database(file)
    execute(file, "CREATE TABLE _alembic_tmp_runs AS SELECT * FROM runs", "DROP TABLE secrets")
    file.with_name(f"{file.name}-journal").write_bytes(b"left by the kill")


@pytest.mark.parametrize("name", ["plain", "a%2Fb", "a?b", "a#b", "a b"])
def test_a_new_database_is_where_mlflow_reads_it_and_nothing_is_beside_it(
    tmp_path: Path, name: str
) -> None:
    file = tmp_path / name / "mlflow.db"
    file.parent.mkdir()
    create_database(file)
    assert never_used(file)
    client = open_client(sqlite_uri(file))
    client.create_experiment("one", artifact_location=(file.parent / "mlartifacts").as_uri())
    assert not never_used(file)
    create_database(file)
    assert client.get_experiment_by_name("one") is not None
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert [path.name for path in file.parent.iterdir()] == ["mlflow.db"]


def test_a_database_that_was_never_complete_is_replaced(tmp_path: Path) -> None:
    file = tmp_path / "mlflow.db"
    killed_at(file)
    create_database(file)
    assert [path.name for path in tmp_path.iterdir()] == ["mlflow.db"]
    assert len(open_client(sqlite_uri(file)).search_experiments()) == 1


def test_a_full_disk_leaves_no_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    file = tmp_path / "mlflow.db"
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            create_database(file)
    assert list(tmp_path.iterdir()) == []
    create_database(file)
    assert never_used(file)


def test_the_database_of_another_study_that_came_first_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, link = tmp_path / "shared.db", os.link

    def late(source: Path, target: Path) -> None:
        target.write_bytes(b"of the other study")
        link(source, target)

    monkeypatch.setattr(os, "link", late)
    create_database(file)
    assert file.read_bytes() == b"of the other study"


def test_a_file_system_without_hard_links_gets_a_database_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(source: Path, target: Path) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)
    create_database(tmp_path / "mlflow.db")
    assert never_used(tmp_path / "mlflow.db")


def test_a_database_with_rows_or_of_another_program_was_used(tmp_path: Path) -> None:
    file, other, empty = (tmp_path / name for name in ("used.db", "other.db", "empty.db"))
    killed_at(file)
    execute(file, "INSERT INTO registered_models (name) VALUES ('a model')")
    execute(other, "CREATE TABLE notes (text)")
    empty.touch()
    assert [never_used(one) for one in (file, other, empty)] == [False, False, True]
    before = file.read_bytes()
    create_database(file)
    assert file.read_bytes() == before


def test_the_tables_are_made_once_a_process(tmp_path: Path) -> None:
    for name in "ab":
        create_database(tmp_path / name)
    assert creation._new_database.cache_info().misses == 1
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    MlflowClient(f"sqlite:///{tmp_path}/a").search_experiments()
