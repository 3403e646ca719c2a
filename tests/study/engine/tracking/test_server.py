"""Addresses of tracking servers, and what answers there."""

import os
import socket
import threading

import pytest

from study.engine.tracking.address import check_tracking_uri
from study.engine.tracking.server import sign_in
from study.errors import InputError
from tests.study.engine.tracking.servers import Answer, Serve


def refusal(uri: str) -> str:
    with pytest.raises(InputError) as refused:
        check_tracking_uri(uri)
    return str(refused.value)


@pytest.mark.parametrize("body", ["{}", '{"experiments": [], "next_page_token": "x"}'])
def test_a_server_that_answers_a_search_of_experiments_is_accepted(
    serve: Serve, body: str
) -> None:
    uri = serve(Answer(body))
    check_tracking_uri(uri)
    check_tracking_uri(uri + "/")
    check_tracking_uri(uri.replace("http", "HTTP"))


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (Answer("<html>Welcome</html>"), "an answer that is not JSON"),
        (Answer(""), "an answer that is not JSON"),
        (Answer('{"status": "ok"}'), "an answer without experiments"),
        (Answer("[]"), "an answer without experiments"),
        (Answer("<p>away</p>", 503), "503 Service Unavailable;"),
        (Answer("Invalid Host header", 403), "403 Forbidden, Invalid Host header (set MLFLOW_TR"),
    ],
)
def test_a_server_that_answers_otherwise_is_no_tracking_server(
    serve: Serve, answer: Answer, found: str
) -> None:
    assert f"a tracking server must answer a search of its experiments, but got {found}" in (
        refusal(serve(answer))
    )


def test_a_server_that_does_not_answer_is_refused(serve: Serve) -> None:
    assert "but got [Errno 111] Connection refused; start it" in refusal("http://127.0.0.1:9")
    assert "but got 404 Not Found; start it" in refusal(serve(Answer()) + "/elsewhere")


def test_a_service_that_does_not_speak_http_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:

        def greet() -> None:
            connection, _ = other.accept()
            connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
            connection.close()

        thread = threading.Thread(target=greet, daemon=True)
        thread.start()
        assert "must answer a search" in refusal(f"http://127.0.0.1:{other.getsockname()[1]}")
        thread.join()


@pytest.mark.parametrize(
    ("uri", "advice"),
    [
        ("http://host:5000/#/experiments/1", "got one with '#'; give http://host:5000, or leave"),
        ("http://host:5000?x=1", "got one with '?'; give http://host:5000, or leave"),
        ("http://host:5000/mlflow/#", "got one with '#'; give http://host:5000/mlflow, or leave"),
        ("http://me:secret@host/#/runs", "got one with '#'; leave it out"),
    ],
)
def test_a_query_or_a_fragment_is_refused_with_the_address_of_the_server(
    uri: str, advice: str
) -> None:
    assert advice in refusal(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "http://",
        "http:host",
        "http://:5000",
        "http://localhost:abc",
        "http://h:99999",
        "http://[::1",
    ],
)
def test_an_address_without_a_host_or_with_a_wrong_port_is_refused(uri: str) -> None:
    assert "must be http://HOST:PORT or https://HOST, but got an address that" in refusal(uri)


@pytest.mark.parametrize(
    "userinfo",
    [
        "me:secret",
        "me:sec/ret",
        "me:12/ret",
        "me:sec%00ret",
        "me:sec\nret",
        "me:sec#ret",
        "me:sec?ret",
        "me:s@cret",
        "me:sec ret",
        "secret",
        ":secret",
    ],
)
def test_no_message_has_a_password(userinfo: str) -> None:
    message = refusal(f"http://{userinfo}@127.0.0.1:9/x")
    for part in ("sec", "cret", "ret", "s@"):
        assert part not in message.replace("search", "")


def test_a_user_without_a_password_is_refused_as_mlflow_does_not_send_one() -> None:
    assert "user and password must both be in the address" in refusal("http://me@127.0.0.1:9")


def test_user_and_password_become_mlflows_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "before")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "before")
    assert sign_in("http://host:5000/path") == "http://host:5000/path"
    assert os.environ["MLFLOW_TRACKING_USERNAME"] == "before"
    assert sign_in("https://m%40e:s%3Aec:ret@host/path") == "https://host/path"
    assert os.environ["MLFLOW_TRACKING_USERNAME"] == "m@e"
    assert os.environ["MLFLOW_TRACKING_PASSWORD"] == "s:ec:ret"
