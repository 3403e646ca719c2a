"""The tracking address of a study: where it comes from, and errors for unusable ones."""

from pathlib import Path

import pytest

from study.engine.tracking.address import check_tracking, check_tracking_uri, tracking_address
from study.errors import InputError
from study.storage.events import StudyResumed
from study.storage.folder import StudyFolder
from study.storage.stored import StoredStudy
from tests.study.engine.tracking.servers import Answer, Serve
from tests.study.ledgers import OpenLedger

VARIABLE = "MLFLOW_TRACKING_URI"


def new_study(tmp_path: Path) -> StoredStudy:
    return StoredStudy(StudyFolder(tmp_path / "new"), ())


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow's variables are unset, and again after the test."""
    for name in (VARIABLE, "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


@pytest.fixture
def server(serve: Serve) -> str:
    return serve(Answer())


@pytest.mark.parametrize("uri", ["mlruns", "file:///tmp/runs", "ftp://host", "postgresql://h/db"])
def test_an_address_of_another_kind_is_refused(uri: str) -> None:
    with pytest.raises(InputError, match=r"--tracking-uri .* must start with http://"):
        check_tracking_uri(uri)


# The variable MLFLOW_TRACKING_URI


def test_a_new_study_is_tracked_at_the_address_of_mlflows_variable(
    tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, server)
    new = new_study(tmp_path)
    assert check_tracking(new, None) == []
    assert tracking_address(new, None) == server
    assert tracking_address(new, "http://given:5000") == "http://given:5000"
    monkeypatch.setenv(VARIABLE, "http://127.0.0.1:9")
    with pytest.raises(InputError, match=r"^MLFLOW_TRACKING_URI http://127.0.0.1:9: .* unset it$"):
        check_tracking(new, None)


@pytest.mark.parametrize("value", ["databricks", "file:///runs", "postgresql://me:secret@h/db"])
def test_a_variable_with_an_address_of_another_kind_is_ignored_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv(VARIABLE, value)
    [warning] = check_tracking(new_study(tmp_path), None)
    shown = value.replace("me:secret@", "")
    assert warning.startswith(f"MLFLOW_TRACKING_URI={shown} is ignored: it must start with http")
    assert tracking_address(new_study(tmp_path), None) is None


def test_a_study_that_has_started_ignores_the_variable_with_a_warning(
    open_ledger: OpenLedger, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "http://elsewhere:5000")
    ledger = open_ledger()
    assert check_tracking(StoredStudy.read(ledger.folder), None) == [
        "MLFLOW_TRACKING_URI=http://elsewhere:5000 is ignored: the study is tracked in its "
        "folder; change that with --tracking-uri"
    ]
    assert check_tracking(StoredStudy.read(ledger.folder), server) == []
    ledger.append(StudyResumed(tracking=server))
    stored = StoredStudy.read(ledger.folder)
    assert f"the study is tracked at {server};" in check_tracking(stored, None)[0]
    assert tracking_address(stored, None) == server
    monkeypatch.setenv(VARIABLE, server)
    assert check_tracking(stored, None) == []


# User and password


def test_user_and_password_are_used_and_not_part_of_the_address(
    tmp_path: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = serve(Answer(authorization="Basic bWU6c2UvY3JldEA="))  # me:se/cret@
    signed = uri.replace("://", "://me:se%2Fcret%40@")
    new = new_study(tmp_path)
    with pytest.raises(InputError, match=r"401 .*MLFLOW_TRACKING_USERNAME"):
        check_tracking(new, uri)
    assert check_tracking(new, signed) == []
    assert tracking_address(new, signed) == uri
    assert check_tracking(new, uri) == []  # Signed in by now, as MLflow's client is.


def test_a_resumed_study_is_signed_in_by_the_variable_of_the_same_address(
    open_ledger: OpenLedger, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = serve(Answer(authorization="Basic bWU6c2VjcmV0"))
    ledger = open_ledger()
    ledger.append(StudyResumed(tracking=uri))
    stored = StoredStudy.read(ledger.folder)
    [warning] = check_tracking(stored, None)
    assert "401" in warning
    monkeypatch.setenv(VARIABLE, uri.replace("://", "://me:secret@"))
    assert check_tracking(stored, None) == []
    assert tracking_address(stored, None) == uri


# The address of a resumed study


def test_a_resumed_study_is_tracked_at_its_last_address(
    open_ledger: OpenLedger, server: str
) -> None:
    ledger = open_ledger()
    assert (
        tracking_address(StoredStudy.read(ledger.folder), None) is None
    )  # The journal of an older version.
    ledger.append(StudyResumed(tracking=server))
    assert tracking_address(StoredStudy.read(ledger.folder), None) == server
    assert (
        tracking_address(StoredStudy.read(ledger.folder), "http://moved:5000")
        == "http://moved:5000"
    )
    assert check_tracking(StoredStudy.read(ledger.folder), None) == []
    ledger.append(StudyResumed(tracking=None))
    assert tracking_address(StoredStudy.read(ledger.folder), None) is None


def test_a_relative_database_path_is_stored_as_absolute(
    open_ledger: OpenLedger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = open_ledger().folder
    monkeypatch.chdir(tmp_path)
    assert (
        tracking_address(StoredStudy.read(folder), "sqlite:///shared.db")
        == f"sqlite:///{tmp_path}/shared.db"
    )
    assert (
        tracking_address(StoredStudy.read(folder), "sqlite:///runs/a study/mlflow.db") is None
    )  # May be moved.


def test_an_unreachable_server_causes_a_warning_and_as_an_option_an_error(
    open_ledger: OpenLedger,
) -> None:
    ledger = open_ledger()
    ledger.append(StudyResumed(tracking="http://127.0.0.1:9"))
    [warning] = check_tracking(StoredStudy.read(ledger.folder), None)
    assert warning.startswith("MLflow at http://127.0.0.1:9 does not respond (")
    with pytest.raises(InputError, match="must answer a search"):
        check_tracking(StoredStudy.read(ledger.folder), "http://127.0.0.1:9")
    own = f"sqlite:///{ledger.folder.mlflow}"
    assert check_tracking(StoredStudy.read(ledger.folder), own) == []


def test_the_error_for_a_missing_database_names_the_option_to_resume_without_it(
    open_ledger: OpenLedger, tmp_path: Path
) -> None:
    ledger = open_ledger()
    ledger.append(StudyResumed(tracking=f"sqlite:///{tmp_path}/nowhere/mlflow.db"))
    with pytest.raises(InputError, match=r"so far.*can be written") as refused:
        check_tracking(StoredStudy.read(ledger.folder), None)
    own = f"sqlite:///{ledger.folder.mlflow}"
    assert str(refused.value).endswith(f"or track it in its folder with --tracking-uri {own}")


def test_a_recorded_address_that_is_malformed_causes_a_warning(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    ledger.append(StudyResumed(tracking="http://[::1"))
    [warning] = check_tracking(StoredStudy.read(ledger.folder), None)
    assert warning.startswith("MLflow at http://[::1 does not respond (")
