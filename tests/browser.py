"""A real browser for tests: Debian's chromium, driven through its pipe, without a package."""

import base64
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
WHY_NOT = "there is no chromium on this machine (Debian: apt install chromium)"
LIMIT = 60.0
"""Seconds to wait for an answer."""
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--remote-debugging-pipe",
)  # fmt: skip


class BrowserError(Exception):
    """The browser refused a command, or a script raised an error."""


class Page:
    """One tab. Console errors, exceptions and requests are collected from its start."""

    def __init__(self, browser: "Browser", session: str) -> None:
        self._browser, self._session = browser, session
        self.errors: list[str] = []
        self.requests: list[str] = []
        self._loaded = False
        browser.pages[session] = self
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Calls a method of the DevTools protocol."""
        return self._browser.call(method, self._session, **parameters)

    def on(self, method: str, parameters: dict[str, Any]) -> None:
        """Notes an event."""
        if method == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(parameters["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "warning"):
            self.errors.append(json.dumps(parameters["args"]))
        elif method == "Log.entryAdded" and parameters["entry"]["level"] == "error":
            self.errors.append(json.dumps(parameters["entry"]))
        elif method == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])
        elif method == "Page.loadEventFired":
            self._loaded = True

    def open(self, file: Path, width: int = 1400, height: int = 900, dark: bool = False) -> None:
        """Opens a file as on a screen of this size, and waits until all charts are drawn."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.resize(width, height)
        self._loaded = False
        self.call("Page.navigate", url=file.as_uri())
        self._browser.wait(lambda: self._loaded)
        self.until("!document.querySelector('.plot') || document.documentElement.dataset.drawn")

    def resize(self, width: int, height: int) -> None:
        """Gives the tab another size; below 600 pixels it is a phone."""
        size = {"width": width, "height": height, "mobile": width < 600}
        self.call("Emulation.setDeviceMetricsOverride", **size, deviceScaleFactor=1)

    def run(self, script: str) -> Any:
        """Returns the value of an expression of JavaScript."""
        answer = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise BrowserError(json.dumps(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def until(self, script: str) -> None:
        """Waits until an expression is true."""
        self._browser.wait(lambda: bool(self.run(script)))

    def screenshot(self, file: Path, height: int | None = None) -> None:
        """Saves the top of what the tab shows as PNG, by default all of its height."""
        height = height or self.run("document.documentElement.scrollHeight")
        width = self.run("innerWidth")
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        answer = self.call("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        file.write_bytes(base64.b64decode(answer["data"]))

    def pdf(self, file: Path) -> None:
        """Saves the page as it is printed."""
        answer = self.call("Page.printToPDF", printBackground=True, preferCSSPageSize=True)
        file.write_bytes(base64.b64decode(answer["data"]))


class Browser:
    """A running chromium."""

    def __init__(self, write: int, read: int) -> None:
        self._write, self._read = write, read
        self._number = 0
        self._rest = b""
        self._answers: dict[int, dict[str, Any]] = {}
        self.pages: dict[str, Page] = {}

    def page(self) -> Page:
        """Opens a tab."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        answer = self.call("Target.attachToTarget", targetId=target, flatten=True)
        return Page(self, answer["sessionId"])

    def call(self, method: str, session: str = "", **parameters: Any) -> dict[str, Any]:
        """Sends a command and returns its answer."""
        self._number += 1
        number = self._number
        message = {"id": number, "method": method, "params": parameters}
        message |= {"sessionId": session} if session else {}
        os.write(self._write, json.dumps(message).encode() + b"\0")
        self.wait(lambda: number in self._answers)
        answer = self._answers.pop(number)
        if "error" in answer:
            raise BrowserError(f"{method}: {answer['error']}")
        result: dict[str, Any] = answer["result"]
        return result

    def wait(self, done: Any) -> None:
        """Reads messages until `done()`."""
        end = time.monotonic() + LIMIT
        while not done():
            if time.monotonic() > end:
                raise BrowserError("no answer in time")
            self._take()

    def _take(self) -> None:
        with suppress(BlockingIOError):
            data = os.read(self._read, 1 << 20)
            if not data:
                raise BrowserError("the browser has ended")
            *messages, self._rest = (self._rest + data).split(b"\0")
            for message in map(json.loads, messages):
                if "id" in message:
                    self._answers[message["id"]] = message
                elif message.get("sessionId") in self.pages:
                    self.pages[message["sessionId"]].on(message["method"], message["params"])
            return
        time.sleep(0.005)


@contextmanager
def browser() -> Iterator[Browser]:
    """Starts chromium, and ends it."""
    assert CHROMIUM is not None
    to_read, to_write = os.pipe()
    from_read, from_write = os.pipe()
    # Chromium reads commands from descriptor 3 and answers on 4.
    script = f'exec "$@" 3<&{to_read} 4>&{from_write}'
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            ["bash", "-c", script, "chromium", CHROMIUM, f"--user-data-dir={profile}", *FLAGS],
            pass_fds=(to_read, from_write),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_read)
        os.close(from_write)
        os.set_blocking(from_read, False)
        try:
            yield Browser(to_write, from_read)
        finally:
            process.terminate()
            process.wait()
            os.close(to_write)
            os.close(from_read)
