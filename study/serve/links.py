"""Whether MLflow and optuna-dashboard run on this machine, at their usual ports."""

import http.client
import time
from dataclasses import dataclass

SECONDS = 0.5
"""How long an answer is waited for."""
REMEMBERED = 30.0
"""Seconds for which an answer is remembered."""


@dataclass(frozen=True)
class Service:
    """A program whose pages the list links to."""

    name: str
    port: int
    path: str
    """That answers with status 200 if the program runs."""
    contains: bytes
    """In the answer."""

    @property
    def address(self) -> str:
        """Where a browser finds it."""
        return f"http://127.0.0.1:{self.port}/"

    def runs(self) -> bool:
        """Whether it answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        try:
            connection.request("GET", self.path)
            answer = connection.getresponse()
            return answer.status == 200 and self.contains in answer.read(20_000)
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


SERVICES = (
    Service("MLflow", 5000, "/health", b"OK"),
    Service("optuna-dashboard", 8080, "/dashboard/", b"ptuna"),
)


class Links:
    """The services that run; looks again now and then."""

    def __init__(self, services: tuple[Service, ...] = SERVICES) -> None:
        """Looks at the first call."""
        self._services, self._next = services, 0.0
        self._running: list[Service] = []

    def running(self) -> list[Service]:
        """Returns the services that run."""
        if time.monotonic() >= self._next:
            self._running = [service for service in self._services if service.runs()]
            self._next = time.monotonic() + REMEMBERED
        return self._running
