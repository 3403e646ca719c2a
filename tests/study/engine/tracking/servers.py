"""Small web servers that answer as a tracking server does, or as it should not."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

SEARCH = "/api/2.0/mlflow/experiments/search"


@dataclass(frozen=True)
class Answer:
    """What a server answers to a search of experiments; to all else 404."""

    body: str = '{"experiments": []}'
    status: int = 200
    authorization: str | None = None
    """The header without which it answers 401."""


Serve = Callable[[Answer], str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts servers; returns their addresses."""
    servers: list[tuple[HTTPServer, threading.Thread]] = []

    def start(answer: Answer) -> str:
        http = HTTPServer(("127.0.0.1", 0), _handler(answer))
        thread = threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        servers.append((http, thread))
        return f"http://127.0.0.1:{http.server_port}"

    yield start
    for http, thread in servers:
        http.shutdown()
        thread.join()
        http.server_close()


def _handler(answer: Answer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answer.status, answer.body
            if not self.path.startswith(SEARCH):
                status, body = 404, "<html>no such page</html>"
            elif answer.authorization not in (None, self.headers["Authorization"]):
                status, body = 401, "a password is needed"
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *arguments: object) -> None:
            pass

    return Handler
