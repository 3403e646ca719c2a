"""Answers requests: only of this machine, only reading, and only for studies that are listed.

A path of a request is split into words that are compared with names; no file name is made of it.
The name of the host must be one of this machine: a page of another site whose name was made to
lead here (DNS rebinding) gets no answer.
"""

import json
import re
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from typing_extensions import override

from study.analysis import html
from study.engine.console.view import counts_text, duration, silence_text, time_left_text
from study.errors import InputError
from study.serve.library import Entry, Library
from study.serve.links import Links
from study.storage.live.snapshot import Snapshot

HERE = Path(__file__).parent
HOSTS = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?", re.IGNORECASE)
SECONDS = 10
"""After which the list is loaded again."""
TIMEOUT = 20.0
"""Seconds after which a silent connection is closed."""
HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
LIVE_POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; frame-src 'self'; "
    "style-src 'unsafe-inline'; img-src data:"
)
HTML, JSON = "text/html; charset=utf-8", "application/json"
TEXTS = {".csv": "text/csv; charset=utf-8", ".txt": "text/plain; charset=utf-8"}


@dataclass(frozen=True)
class Answer:
    """The answer to a request."""

    content: bytes
    kind: str = HTML
    status: HTTPStatus = HTTPStatus.OK
    headers: tuple[tuple[str, str], ...] = ()


NOT_FOUND = Answer(b"not found\n", TEXTS[".txt"], HTTPStatus.NOT_FOUND)


class Site:
    """The pages of a library."""

    def __init__(self, library: Library, links: Links) -> None:
        self.library, self.links = library, links

    def answer(self, path: str) -> Answer:
        """Returns the answer to a request for the path of an address."""
        words = [unquote(word, errors="replace") for word in path.split("/")[1:]]
        if words == [""]:
            return self._list()
        if words == ["live.js"]:
            return Answer((HERE / "live.js").read_bytes(), "text/javascript; charset=utf-8")
        name, *rest = words or [""]
        if name not in self.library.names():
            return NOT_FOUND
        if not rest:
            moved = (("Location", f"/{quote(name)}/"),)
            return Answer(b"", status=HTTPStatus.MOVED_PERMANENTLY, headers=moved)
        try:
            return self._of_study(name, rest)
        except InputError as error:
            return Answer(f"{error}\n".encode(), TEXTS[".txt"], HTTPStatus.CONFLICT)

    def _of_study(self, name: str, words: list[str]) -> Answer:
        match words:
            case [""]:
                state = _state(self.library.snapshot(name))
                text = _template("live.html.jinja").render(name=name, state=state)
                policy = (("Content-Security-Policy", LIVE_POLICY),)
                return Answer(text.encode(), headers=policy)
            case ["report.html"]:
                return Answer(self.library.page(name)[0])
            case ["version.json"]:
                state = _state(self.library.snapshot(name))
                version = self.library.page(name)[1]
                return Answer(json.dumps({"version": version, "state": state}).encode(), JSON)
            case ["status.json"]:
                fields = self.library.snapshot(name).as_json()
                return Answer(json.dumps(fields, indent=2).encode(), JSON)
            case [folder, file]:
                content = self.library.attached(name, folder, file)
                if content is not None:
                    return Answer(content, TEXTS[Path(file).suffix])
        return NOT_FOUND

    def _list(self) -> Answer:
        entries = self.library.entries()
        studies = [one.name for one in entries if one.snapshot and one.snapshot.kind == "study"]
        first = studies[0] if studies else "NAME"
        content = {
            "storage": str(self.library.storage),
            "entries": [_row(entry) for entry in entries],
            "services": self.links.running(),
            "example": str(self.library.storage / first),
            "seconds": SECONDS,
        }
        text = html.page(HERE / "list.html.jinja", content)
        return Answer(text.encode(), headers=(("Refresh", str(SECONDS)),))


def _row(entry: Entry) -> dict[str, object]:
    one = entry.snapshot
    row: dict[str, object] = {"name": entry.name, "address": quote(entry.name)}
    if one is None:
        return row | {"state": "", "problem": entry.problem}
    best, silence = one.headline, silence_text(one)
    score = best and next(iter(best.dev.values()), None)
    return row | {
        "state": one.phase,
        "cells": [
            one.kind,
            f"{one.phase}; {silence}" if silence else one.phase,
            f"{one.over} of {one.planned}",
            one.counts["running"],
            one.counts["failed"],
            f"{score.metric} {score.mean:.4f}" if score else "",
            "" if one.is_over or silence else time_left_text(one.time_left),
        ],
    }


def _state(one: Snapshot) -> str:
    what = "trials" if one.kind == "study" else "runs"
    text = f"{one.name}: {one.phase}, {one.over} of {one.planned} {what} ({counts_text(one)})"
    if one.is_over:
        return f"{text}; took {duration(one.seconds)}"
    rest = silence_text(one) or time_left_text(one.time_left)
    return f"{text}; {duration(one.seconds)}, {rest}"


@cache
def _template(name: str):  # type: ignore[no-untyped-def]
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined
    )
    return environment.get_template(name)


class Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD."""

    server: "Server"
    server_version, sys_version = "study.serve", ""
    protocol_version = "HTTP/1.1"
    timeout = TIMEOUT

    def do_GET(self) -> None:
        """Sends the answer."""
        self._send(self._answered())

    def do_HEAD(self) -> None:
        """Sends the answer without its content."""
        self._send(self._answered(), with_content=False)

    def _answered(self) -> Answer:
        hosts = self.headers.get_all("Host") or []
        if len(hosts) != 1 or not HOSTS.fullmatch(hosts[0].strip()):
            text = b"the name of the host must be localhost or 127.0.0.1\n"
            return Answer(text, TEXTS[".txt"], HTTPStatus.FORBIDDEN)
        return self.server.site.answer(urlsplit(self.path).path)

    def _send(self, answer: Answer, with_content: bool = True) -> None:
        self.send_response(answer.status)
        own = {"Content-Type": answer.kind, "Content-Length": str(len(answer.content))}
        for name, value in (*own.items(), *HEADERS.items(), *answer.headers):
            self.send_header(name, value)
        self.end_headers()
        if with_content:
            self.wfile.write(answer.content)

    @override
    def send_error(
        self, code: int, message: str | None = None, explain: str | None = None
    ) -> None:
        """Refuses a request that http.server cannot read, and other methods than GET and HEAD."""
        unknown = code == HTTPStatus.NOT_IMPLEMENTED
        status = HTTPStatus.METHOD_NOT_ALLOWED if unknown else HTTPStatus(code)
        self.close_connection = True
        headers = (("Allow", "GET, HEAD"), ("Connection", "close"))
        self._send(Answer(f"{status.phrase}\n".encode(), TEXTS[".txt"], status, headers))

    @override
    def log_message(self, format: str, *arguments: object) -> None:
        """Prints nothing: requests come every few seconds."""


class Server(ThreadingHTTPServer):
    """Listens on this machine's loopback address only."""

    daemon_threads = True

    def __init__(self, port: int, site: Site) -> None:
        """Listens; port 0 is any free one.

        Raises:
            OSError: the port is in use.
        """
        self.site = site
        super().__init__(("127.0.0.1", port), Handler)

    @override
    def handle_error(self, request: object, client_address: object) -> None:
        """Ignores connections that a browser has closed; anything else is printed."""
        import sys

        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]
