"""A Hugging Face hub in miniature on loopback: what its client asks for to download a model."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "c0ffee" * 6 + "c0ff"


@contextmanager
def hub_of(folders: dict[str, Path]) -> Iterator[tuple[str, list[str]]]:
    """Serves folders by repository id; yields the address and the paths asked for so far."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def _answer(self, with_body: bool) -> None:
            path = self.path.split("?")[0].strip("/")
            asked.append(path)
            parts = path.removeprefix("api/models/").split("/")
            folder = folders.get("/".join(parts[:2]))
            if folder is None:
                return self._refuse("RepoNotFound")
            if path.startswith("api/models/"):
                files = [{"rfilename": p.name} for p in sorted(folder.iterdir())]
                answer = {"id": "/".join(parts[:2]), "sha": COMMIT, "siblings": files}
                return self._send(json.dumps(answer).encode(), with_body, "application/json")
            revision, name = parts[3], "/".join(parts[4:])
            if revision not in ("main", COMMIT):
                return self._refuse("RevisionNotFound")
            if not (folder / name).is_file():
                return self._refuse("EntryNotFound")
            return self._send((folder / name).read_bytes(), with_body, "application/octet-stream")

        def _send(self, body: bytes, with_body: bool, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
            self.end_headers()
            if with_body:
                self.wfile.write(body)

        def _refuse(self, code: str) -> None:
            self.send_response(404)
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
