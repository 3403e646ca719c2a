"""Addresses of sqlite databases: quoted and read as SQLAlchemy does, and refused ones."""

from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from study.engine.tracking.address import check_tracking, check_tracking_uri
from study.engine.tracking.database import database, sqlite_uri
from study.errors import InputError
from study.storage.stored import StoredStudy
from tests.study.ledgers import OpenLedger

NAMES = ["runs", "a b", "ünï", "a#b", "a?b", "a%20b", "a%2Fb", "100%", "a%3Fb", "a&b=c", "u:p@h"]


@pytest.mark.parametrize("name", NAMES)
def test_an_address_leads_sqlalchemy_and_back_to_the_same_file(tmp_path: Path, name: str) -> None:
    file = tmp_path / name / "mlflow.db"
    uri = sqlite_uri(file)
    assert make_url(uri).database == str(file)
    assert not make_url(uri).query
    assert database(uri) == file


def test_an_address_of_another_kind_has_no_file() -> None:
    for uri in ("http://host/a.db", "sqlite:a.db", "sqlite://", "/a.db"):
        assert database(uri) is None


def test_a_file_that_is_not_a_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("these are no runs")
    with pytest.raises(InputError, match="must be a sqlite database"):
        check_tracking_uri(f"sqlite:///{tmp_path}/notes.txt")


def test_a_folder_is_refused_as_a_database(
    open_ledger: OpenLedger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for uri in (f"sqlite:///{tmp_path}", "sqlite:///", "sqlite:////"):
        with pytest.raises(
            InputError, match=r"must be a file, but got the folder /.*; name a file"
        ):
            check_tracking(StoredStudy.read(open_ledger().folder), uri)


@pytest.mark.parametrize("name", ["a" * 5000, "a" * 300, "a" * 5000 + "/mlflow.db"])
def test_a_path_that_is_too_long_is_refused_in_one_short_line(tmp_path: Path, name: str) -> None:
    with pytest.raises(
        InputError, match=r"but got File name too long; give another name"
    ) as refused:
        check_tracking_uri(f"sqlite:///{tmp_path}/{name}")
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize(
    ("uri", "found"),
    [
        ("sqlite:///a.db?timeout=5", "a query after"),
        ("sqlite:///:memory:", "one in memory"),
        ("sqlite:///a%00b.db", "others;"),
    ],
)
def test_an_address_that_is_not_just_a_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uri: str, found: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=f"must .*, but got {found}"):
        check_tracking_uri(uri)


def test_a_database_in_a_missing_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    check_tracking_uri(f"sqlite:///{tmp_path}/elsewhere/mlflow.db")
    with pytest.raises(InputError, match="must be in a folder that can be written"):
        check_tracking_uri(f"sqlite:///{tmp_path}/nowhere/mlflow.db")
