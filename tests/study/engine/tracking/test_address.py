"""The tracking address of a study, and errors for unusable addresses."""

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from study.engine.tracking.address import check_tracking, check_tracking_uri, tracking_address
from study.errors import InputError
from study.storage.events import StudyResumed
from study.storage.stored import StoredStudy
from tests.study.ledgers import OpenLedger


class _Healthy(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        known = self.path == "/health" or self.path.startswith("/api/2.0/mlflow/experiments/")
        self.send_response(200 if known else 404)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), _Healthy) as http:
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


def test_a_server_that_answers_is_accepted(server: str) -> None:
    check_tracking_uri(server)
    check_tracking_uri(server + "/")


def test_a_server_that_does_not_answer_is_refused(server: str) -> None:
    with pytest.raises(InputError, match=r"must respond to /health .* but got "):
        check_tracking_uri("http://127.0.0.1:9")
    with pytest.raises(InputError, match="Not Found"):
        check_tracking_uri(server + "/elsewhere")


def test_a_server_without_mlflow_or_with_a_missing_password_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Polite(_Healthy):
        def do_GET(self) -> None:
            known = self.headers["Authorization"] == "Basic bWU6c2VjcmV0"  # me:secret
            self.send_response(200 if known or self.path == "/health" else 401)
            self.end_headers()

    with HTTPServer(("127.0.0.1", 0), Polite) as http:
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        with pytest.raises(InputError, match=r"its experiments, but got Unauthorized"):
            check_tracking_uri(f"http://127.0.0.1:{http.server_port}")
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "me")
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "secret")
        check_tracking_uri(f"http://127.0.0.1:{http.server_port}")
        http.shutdown()
        thread.join()


def test_a_service_that_does_not_speak_http_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:

        def greet() -> None:
            connection, _ = other.accept()
            connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
            connection.close()

        thread = threading.Thread(target=greet, daemon=True)
        thread.start()
        with pytest.raises(InputError, match=r"must respond to /health"):
            check_tracking_uri(f"http://127.0.0.1:{other.getsockname()[1]}")
        thread.join()


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


def test_an_invalid_address_is_refused_as_an_option_and_causes_a_warning_in_the_journal(
    open_ledger: OpenLedger,
) -> None:
    ledger = open_ledger()
    with pytest.raises(InputError, match=r"must respond to /health .* but got Invalid IPv6 URL;"):
        check_tracking(StoredStudy.read(ledger.folder), "http://[::1")
    ledger.append(StudyResumed(tracking="http://[::1"))
    warning = check_tracking(StoredStudy.read(ledger.folder), None)
    assert warning is not None
    assert warning.startswith("MLflow at http://[::1 does not respond (Invalid IPv6 URL)")


@pytest.mark.parametrize(
    "uri",
    [
        "mlruns",
        "file:///tmp/runs",
        "ftp://host",
        "http://",
        "http://localhost:abc",
        "http://a b",
    ],
)
def test_an_address_that_is_not_a_servers_is_refused(uri: str) -> None:
    with pytest.raises(InputError, match=r"--tracking-uri"):
        check_tracking_uri(uri)


def test_a_database_in_a_missing_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    check_tracking_uri(f"sqlite:///{tmp_path}/elsewhere/mlflow.db")
    with pytest.raises(InputError, match="must be in a folder that can be written"):
        check_tracking_uri(f"sqlite:///{tmp_path}/nowhere/mlflow.db")


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
    assert check_tracking(StoredStudy.read(ledger.folder), None) is None
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
    warning = check_tracking(StoredStudy.read(ledger.folder), None)
    assert warning is not None
    assert warning.startswith("MLflow at http://127.0.0.1:9 does not respond (")
    with pytest.raises(InputError, match="must respond"):
        check_tracking(StoredStudy.read(ledger.folder), "http://127.0.0.1:9")
    own = f"sqlite:///{ledger.folder.mlflow}"
    assert check_tracking(StoredStudy.read(ledger.folder), own) is None


def test_the_error_for_a_missing_database_names_the_option_to_resume_without_it(
    open_ledger: OpenLedger, tmp_path: Path
) -> None:
    ledger = open_ledger()
    ledger.append(StudyResumed(tracking=f"sqlite:///{tmp_path}/nowhere/mlflow.db"))
    with pytest.raises(InputError, match=r"so far.*can be written") as refused:
        check_tracking(StoredStudy.read(ledger.folder), None)
    own = f"sqlite:///{ledger.folder.mlflow}"
    assert str(refused.value).endswith(f"or track it in its folder with --tracking-uri {own}")
