"""A Hugging Face hub in miniature on loopback: what its client asks for to download files."""

import hashlib
import json
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

COMMIT = "c0ffee" * 6 + "c0ff"


@contextmanager
def hub_of(
    models: Mapping[str, Path],
    datasets: Mapping[str, Path] | None = None,
    busy_once: Iterable[str] = (),
) -> Iterator[tuple[str, list[str]]]:
    """Serves folders by repository id; yields the address and the paths asked for so far.

    A path of `busy_once` is answered 503 the first time that it is asked for.
    """
    asked: list[str] = []
    busy = set(busy_once)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def _answer(self, with_body: bool) -> None:
            path = self.path.split("?")[0].strip("/")
            asked.append(path)
            if path in busy:
                busy.remove(path)
                return self._refuse(503, "Busy")
            parts, served = path.split("/"), models
            if is_api := parts[0] == "api":
                parts = parts[1:]
            if parts[0] in ("models", "datasets"):
                served = models if parts[0] == "models" else datasets or {}
                parts = parts[1:]
            name, wanted = "/".join(parts[:2]), parts[2:]
            if name not in served:
                return self._refuse(404, "RepoNotFound")
            if len(wanted) > 1 and wanted[1] not in ("main", COMMIT):
                return self._refuse(404, "RevisionNotFound")
            if is_api:
                return self._send_json(_described(name, served[name], wanted), with_body)
            file = served[name].joinpath(*wanted[2:])
            if not file.is_file():
                return self._refuse(404, "EntryNotFound")
            return self._send(file.read_bytes(), with_body, "application/octet-stream")

        def _send_json(self, answer: Any, with_body: bool) -> None:
            self._send(json.dumps(answer).encode(), with_body, "application/json")

        def _send(self, body: bytes, with_body: bool, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("ETag", f'"{_digest(body)}"')
            self.end_headers()
            if with_body:
                self.wfile.write(body)

        def _refuse(self, status: int, code: str) -> None:
            self.send_response(status)
            self.send_header("X-Error-Code", code)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


def _described(name: str, folder: Path, wanted: list[str]) -> Any:
    """The tree of a repository's files, or the repository itself."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    names = [path.relative_to(folder).as_posix() for path in files]
    if wanted[:1] != ["tree"]:
        siblings = [{"rfilename": file} for file in names]
        return {"id": name, "sha": COMMIT, "siblings": siblings}
    return [
        {"type": "file", "path": file, "size": path.stat().st_size, "oid": _digest(file.encode())}
        for file, path in zip(names, files, strict=True)
    ]


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
