"""Ray on this machine: its folders, its failures in one line, the end of its processes."""

import os
import queue
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import ray

from study.engine import local_ray as module
from study.engine.authentication import authentication
from study.engine.local_ray import MARK, kill_marked, local_ray, temporary_folder
from study.errors import InputError

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


@pytest.fixture
def head() -> Iterator[socket.socket]:
    """A socket that accepts connections as Ray's head does."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


@pytest.fixture
def start_as(
    monkeypatch: pytest.MonkeyPatch, head: socket.socket
) -> Callable[[Callable[..., object]], None]:
    """Replaces what starts Ray and what ends it."""
    context = SimpleNamespace(gcs_address=f"127.0.0.1:{head.getsockname()[1]}")

    def replace(init: Callable[..., object]) -> None:
        monkeypatch.setattr(ray, "init", init)
        monkeypatch.setattr(ray, "get_runtime_context", lambda: context)
        monkeypatch.setattr(ray, "shutdown", lambda: None)

    return replace


@pytest.fixture
def processes() -> Iterator[list["subprocess.Popen[bytes]"]]:
    """Processes that do not outlive the test."""
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        process.kill()
        process.wait()


def test_ray_is_in_a_short_folder_when_tmpdir_is_too_long_for_its_sockets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    monkeypatch.setenv("TMPDIR", "/" + "t" * 38)
    assert temporary_folder() == Path("/" + "t" * 38 + "/ray")
    monkeypatch.setenv("TMPDIR", "/" + "t" * 39)
    assert temporary_folder() == Path("/tmp/ray")
    monkeypatch.setenv("RAY_TMPDIR", "/" + "é" * 20)
    with pytest.raises(InputError, match=r"at most 39 bytes, .* but got 41: /é"):
        temporary_folder()


def test_sockets_have_room_in_the_longest_folder() -> None:
    longest = Path("/" + "t" * 38 + "/ray")
    session = "session_2026-11-30_19-40-27_062401_4194304"  # The largest id of a process.
    assert len(str(longest / session / "sockets" / "plasma_store")) == 107


def test_a_read_only_shared_memory_is_replaced_by_the_folder_with_a_warning(
    tmp_path: Path,
    start_as: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given: dict[str, Any] = {}
    start_as(given.update)
    monkeypatch.setenv("RAY_TMPDIR", "/tmp")
    monkeypatch.setattr(module, "SHARED_MEMORY", tmp_path)
    with local_ray(10**8):
        assert given["_plasma_directory"] is None
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)
    with local_ray(10**8):
        assert given["_plasma_directory"] == "/tmp/ray"
    assert "is not writable, so Ray keeps the data" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("raised", "found", "fix"),
    [
        (
            Exception("The current node timed out during startup.\nSee"),
            "timed out",
            "or end other",
        ),
        (PermissionError(13, "Permission denied", "/x/ray"), "Permission denied", "RAY_TMPDIR"),
        (ValueError("The requested memory is greater"), "is greater", "free memory"),
        (RuntimeError(""), "but got RuntimeError", "/ray/session_latest"),
    ],
)
def test_what_prevents_a_start_is_one_line_with_a_fix(
    start_as: Callable[..., None], raised: Exception, found: str, fix: str
) -> None:
    def fail(**options: object) -> None:
        raise raised

    start_as(fail)
    with pytest.raises(InputError, match=r"^Ray: must start") as error, local_ray(None):
        pass
    assert found in str(error.value)
    assert fix in str(error.value)
    assert "\n" not in str(error.value)


def test_sigterm_during_the_start_interrupts_and_leaves_no_process(
    start_as: Callable[..., None], processes: list["subprocess.Popen[bytes]"]
) -> None:
    def end(**options: object) -> None:
        processes.append(subprocess.Popen(SLEEP))
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(number))  # As Ray does.
        signal.raise_signal(signal.SIGTERM)

    start_as(end)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), local_ray(None):
        pass
    assert processes[0].wait(timeout=10) == -signal.SIGKILL
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("needed", module.NEEDED)
def test_the_death_of_ray_ends_its_other_processes_and_this_one(
    needed: str,
    tmp_path: Path,
    start_as: Callable[..., None],
    processes: list["subprocess.Popen[bytes]"],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copy(shutil.which("sleep") or "", tmp_path / needed)
    statuses: queue.Queue[int] = queue.Queue()

    def start(**options: object) -> None:
        processes.append(subprocess.Popen([str(tmp_path / needed), "60"]))
        processes.append(subprocess.Popen(SLEEP))

    start_as(start)
    monkeypatch.setattr(os, "_exit", statuses.put)
    with local_ray(None):
        processes[0].kill()
        assert statuses.get(timeout=30) == 1
        assert processes[1].wait(timeout=10) == -signal.SIGKILL
    printed = capsys.readouterr().err
    assert "error: Ray on this machine has stopped" in printed
    assert "--resume" in printed


def test_sigterm_for_all_processes_ends_ray_with_the_status_of_an_interruption(
    start_as: Callable[..., None],
    head: socket.socket,
    processes: list["subprocess.Popen[bytes]"],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    statuses: queue.Queue[int] = queue.Queue()
    start_as(lambda **options: processes.append(subprocess.Popen(SLEEP)))
    monkeypatch.setattr(os, "_exit", statuses.put)
    handled: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: handled.append(number))
    try:
        with local_ray(None):
            signal.raise_signal(signal.SIGTERM)
            head.close()  # Ray's head no longer serves, but its process has not ended.
            assert statuses.get(timeout=30) == 130
            assert processes[0].wait(timeout=10) == -signal.SIGKILL
    finally:
        signal.signal(signal.SIGTERM, before)
    assert handled == [signal.SIGTERM]
    printed = capsys.readouterr().err
    assert "interrupted" in printed
    assert "--resume" in printed


def test_only_processes_with_the_mark_are_killed(
    processes: list["subprocess.Popen[bytes]"],
) -> None:
    for mark in ("mine", "other"):
        processes.append(subprocess.Popen(SLEEP, env=os.environ | {MARK: mark}))
    kill_marked("mine")
    assert processes[0].wait(timeout=10) == -signal.SIGKILL
    assert processes[1].poll() is None


def test_a_local_ray_has_a_new_token_and_leaves_the_environment_as_it_was(
    start_as: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = []
    start_as(lambda **options: tokens.append(os.environ["RAY_AUTH_TOKEN"]))
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    before = dict(os.environ)
    for _ in range(2):
        with local_ray(None):
            assert os.environ["RAY_AUTH_MODE"] == "token"
        assert dict(os.environ) == before
    assert len({*tokens}) == 2
    assert all(len(token) == 64 for token in tokens)


def test_settings_of_authentication_reach_ray_in_this_process() -> None:
    from ray._raylet import AuthenticationMode, get_authentication_mode

    with authentication({"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "secret"}):
        assert get_authentication_mode() == AuthenticationMode.TOKEN
    with authentication({"RAY_AUTH_MODE": "disabled"}):
        assert get_authentication_mode() == AuthenticationMode.DISABLED
