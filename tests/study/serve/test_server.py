"""The server of studies: what it shows, and to whom."""

import http.client
import json
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from study.serve.__main__ import main
from study.serve.library import Library
from study.serve.links import Links
from study.serve.server import Server, Site
from study.spec import dump_spec
from study.storage.events import StudyOpened
from study.storage.ledger import StudyLedger
from study.storage.opening import open_folder
from tests.browser import CHROMIUM, WHY_NOT, browser
from tests.study.ledgers import ReadSpec, create, report

NAME = "a study"
SECRET = "nobody may read this"


@pytest.fixture
def ledger(tmp_path: Path, read_spec: ReadSpec) -> StudyLedger:
    """Returns the ledger of a study with one trial, in a storage with secrets beside and in it."""
    spec = read_spec()
    ledger = StudyLedger(open_folder(tmp_path / "runs" / NAME, dump_spec(spec)), spec)
    ledger.append(StudyOpened(version=1, name="<b>name</b>", spec="spec.yaml"))
    create(ledger, 0)
    report(ledger, 0, 1, 0.25)
    (tmp_path / "secret.txt").write_text(SECRET)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "spec.yaml").write_text(SECRET)
    (tmp_path / "runs" / "link").symlink_to(tmp_path / "other")
    folder = ledger.folder.path
    (folder / "figures").mkdir()
    (folder / "figures" / "curves.csv").write_text("step,score\n")
    (folder / "figures" / "stolen.csv").symlink_to(tmp_path / "secret.txt")
    (folder / "figures" / "notes.md").write_text(SECRET)
    return ledger


@pytest.fixture
def server(ledger: StudyLedger) -> Iterator[Server]:
    """Returns a server of the storage that runs."""
    site = Site(Library(ledger.folder.path.parent), Links(()))
    with Server(0, site) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def ask(
    server: Server, path: str, method: str = "GET", host: str = "localhost"
) -> tuple[int, str, dict[str, str]]:
    """Sends a request as it is; returns status, content and headers."""
    with socket.create_connection(server.server_address[:2], 5) as connection:  # type: ignore[arg-type]
        text = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        connection.sendall(text.encode("latin-1"))
        with http.client.HTTPResponse(connection, method=method) as answer:
            answer.begin()
            return answer.status, answer.read().decode(), dict(answer.getheaders())


def test_the_list_has_every_study_of_the_folder_and_no_link_out_of_it(server: Server) -> None:
    status, text, headers = ask(server, "/")
    assert status == 200
    assert f'<a href="/{quote(NAME)}/">{NAME}</a>' in text
    assert "0 of 6" in text
    assert '"/link/"' not in text
    assert headers["Refresh"] == "10"


@pytest.mark.skipif(CHROMIUM is None, reason=WHY_NOT)
def test_a_browser_loads_the_page_again_at_the_same_place(
    server: Server, ledger: StudyLedger
) -> None:
    address = f"http://127.0.0.1:{server.server_address[1]}/a%20study/"
    inner = "document.getElementById('page').contentWindow"
    with browser() as chromium:
        tab = chromium.page()
        tab.resize(1000, 700)
        tab.call("Page.navigate", url=address)
        tab.until(f"document.title && {inner}.document.title && version !== null")
        tab.until(f"{inner}.document.documentElement.dataset.drawn")
        tab.run(f"{inner}.scrollTo(0, 700), {inner}.marked = true")
        server.site.library._pages[NAME].next = 0.0
        ledger.end(ledger.record.trials[0], "complete", "")
        tab.run("look()")
        tab.until(f"!{inner}.marked && {inner}.scrollY === 700")
        assert "1 of 6 trials" in tab.run("document.getElementById('state').textContent")
        assert tab.errors == []
        here = address.removesuffix("a%20study/")
        assert [one for one in tab.requests if not one.startswith((here, "data:"))] == []


def test_the_page_is_made_again_when_the_journal_has_changed(
    server: Server, ledger: StudyLedger
) -> None:
    address = f"/{quote(NAME)}"
    before = sorted(ledger.folder.path.rglob("*"))
    assert ask(server, address)[2]["Location"] == f"{address}/"
    assert '<iframe id="page" src="report.html"' in ask(server, f"{address}/")[1]
    first = json.loads(ask(server, f"{address}/version.json")[1])
    assert "0 of 6 trials" in first["state"]
    page = ask(server, f"{address}/report.html")[1]
    assert "&lt;b&gt;name&lt;/b&gt;" in page
    assert "<b>name</b>" not in page
    again = json.loads(ask(server, f"{address}/version.json")[1])
    assert again["version"] == first["version"]
    server.site.library._pages[NAME].next = 0.0
    ledger.end(ledger.record.trials[0], "complete", "")
    later = json.loads(ask(server, f"{address}/version.json")[1])
    assert later["version"] == first["version"] + 1
    assert "1 of 6 trials" in later["state"]
    assert json.loads(ask(server, f"{address}/status.json")[1])["counts"]["complete"] == 1
    assert sorted(ledger.folder.path.rglob("*")) == before


def test_a_study_without_a_sign_of_life_has_no_time_left(
    server: Server, ledger: StudyLedger
) -> None:
    os.utime(ledger.folder.journal, (1000.0, 1000.0))
    version = json.loads(ask(server, f"/{quote(NAME)}/version.json")[1])
    for text in (ask(server, "/")[1], version["state"]):
        assert "no sign of life for " in text
        assert "time left not known yet" not in text


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/../../../../../../etc/passwd",
        "//etc/passwd",
        "/%2e%2e/secret.txt",
        "/%2e%2e%2fsecret.txt",
        "/a%20study/../../secret.txt",
        "/a%20study/figures/../../../secret.txt",
        "/a%20study/figures/%2e%2e%2f%2e%2e%2fsecret.txt",
        "/a%20study/figures/stolen.csv",
        "/a%20study/figures/notes.md",
        "/a%20study/events.jsonl",
        "/a%20study/spec.yaml",
        "/a%20study/figures/curves.csv%00.txt",
        "/a%20study%00/report.html",
        "/link/spec.yaml",
        "/link/",
        "/a%20study\\..\\..\\secret.txt",
        "/%ff%fe/",
        "/" + "a" * 5000,
        "http://localhost/../secret.txt",
        "*",
    ],
)
def test_nothing_but_the_pages_of_studies_can_be_read(server: Server, path: str) -> None:
    status, text, _ = ask(server, path)
    assert status == 404
    assert SECRET not in text
    assert "root:" not in text


def test_a_report_that_is_newer_than_the_journal_is_shown_as_it_is(
    server: Server, ledger: StudyLedger
) -> None:
    ledger.folder.report.write_text("the whole report")
    assert ask(server, "/a%20study/report.html")[1] == "the whole report"
    server.site.library._pages[NAME].next = 0.0
    report(ledger, 0, 2, 0.3)
    os.utime(ledger.folder.report, (1.0, 1.0))
    assert "the whole report" not in ask(server, "/a%20study/report.html")[1]


def test_files_that_a_page_links_to_are_sent_as_text(server: Server) -> None:
    status, text, headers = ask(server, "/a%20study/figures/curves.csv")
    assert (status, text) == (200, "step,score\n")
    assert headers["Content-Type"].startswith("text/csv")
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost@evil", ""])
def test_other_names_of_the_host_get_no_answer(server: Server, host: str) -> None:
    status, text, _ = ask(server, "/", host=host)
    assert status == 403
    assert NAME not in text


@pytest.mark.parametrize("host", ["localhost:9000", "127.0.0.1:8765", "[::1]:80", "LocalHost"])
def test_names_of_this_machine_are_answered_also_through_a_tunnel(
    server: Server, host: str
) -> None:
    assert ask(server, "/live.js", host=host)[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "NONSENSE"])
def test_only_reading_is_allowed(server: Server, method: str) -> None:
    status, _, headers = ask(server, "/", method)
    assert status == 405
    assert headers["Allow"] == "GET, HEAD"
    assert ask(server, "/live.js", "HEAD")[:2] == (200, "")


def test_a_study_that_cannot_be_read_is_listed_with_the_reason(
    server: Server, ledger: StudyLedger
) -> None:
    ledger.folder.journal.write_text("nonsense\n")
    assert "cannot be read:" in ask(server, "/")[1]
    status, text, _ = ask(server, "/a%20study/report.html")
    assert status == 409
    assert "every line must be a JSON object" in text


def test_it_listens_on_the_loopback_address_only(server: Server) -> None:
    assert server.socket.getsockname()[0] == "127.0.0.1"


@pytest.mark.parametrize("arguments", [["none"], ["."], [".", "--port", "70000"]])
def test_bad_input_is_one_line(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, *others = arguments
    (tmp_path / "spec.yaml").touch()
    if others:
        (tmp_path / "spec.yaml").unlink()
    assert main([str(tmp_path / folder), *others]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_port_in_use_is_refused(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path), "--port", str(server.server_address[1])]) == 2
    assert "must be one that is free" in capsys.readouterr().err
