"""Ray on this machine, for one command: its start, its end, and the end of all its processes.

Everything that Ray starts inherits a mark in its environment, by which it is found at the end even
if the process that started it is dead. The token that Ray requires is in the environment too: it
is new for every start, and no file of it is left.
"""

import os
import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

import psutil
import ray
from rich.console import Console

from study.engine.authentication import authentication
from study.engine.console.lines import warn
from study.errors import InputError

MARK = "ADALORA_RS_RAY"
"""Environment variable of the processes of a local Ray."""
SYSTEM_CONFIG = {
    # A dead head does not come back: the driver exits and can be resumed.
    "gcs_rpc_server_reconnect_timeout_s": 10,
    # On a loaded machine a head that responds slowly is not dead.
    "health_check_failure_threshold": 100,
}
NEEDED = ("gcs_server", "raylet")
"""Processes of Ray without which no trial can end."""
SOCKET = "/ray/session_2026-11-30_12-00-00_000000_1234567/sockets/plasma_store"
"""The longest path that Ray adds to its temporary folder."""
SOCKET_BYTES = 103 if sys.platform == "darwin" else 107
"""The longest path of a socket."""
SHARED_MEMORY = Path("/dev/shm")
RESUME = (
    "nothing that was reported is lost; if the folder exists, add --resume to the same command"
)
STOPPED = "error: Ray on this machine has stopped, as one of its processes died or was killed"
INTERRUPTED = 130


@contextmanager
def local_ray(store_bytes: int | None) -> Iterator[None]:
    """Runs Ray on this machine, without a dashboard; no process of it is left afterwards.

    If one of the processes that Ray needs ends, this process ends too, with exit status 1, or 130
    if SIGTERM came: it may be sent to all processes, as `timeout` does. Must be called in the main
    thread.

    Args:
        store_bytes: size of the object store; None for Ray's default.

    Raises:
        InputError: Ray cannot start.
    """
    mark, ended = secrets.token_hex(16), threading.Event()
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    with authentication({MARK: mark} | token), _noting_sigterm() as interrupted:
        try:
            _start(store_bytes)
            head = str(ray.get_runtime_context().gcs_address)
            watch = (mark, head, ended, interrupted)
            threading.Thread(target=_watch, args=watch, daemon=True).start()
            yield
        finally:
            ended.set()
            ray.shutdown()
            kill_marked(mark)


def _start(store_bytes: int | None) -> None:
    folder = temporary_folder()
    before = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(
            address="local",  # Never a cluster that runs on this machine.
            include_dashboard=False,
            object_store_memory=store_bytes,
            logging_level="ERROR",
            log_to_driver=False,
            _system_config=SYSTEM_CONFIG,
            _temp_dir=str(folder),
            _plasma_directory=_store_folder(folder),
        )
    except SystemExit:  # Ray's own handler of SIGTERM, while it starts.
        raise KeyboardInterrupt from None
    except Exception as error:  # Ray raises plain exceptions; nothing of this package runs in it.
        raise _no_start(error, folder) from error
    finally:
        signal.signal(signal.SIGTERM, before)


def temporary_folder() -> Path:
    """Returns the folder for Ray's sockets and logs: /tmp/ray if TMPDIR is too long a path.

    Raises:
        InputError: RAY_TMPDIR is too long a path.
    """
    own = os.environ.get("RAY_TMPDIR")
    chosen = Path(own or os.environ.get("TMPDIR") or "/tmp").absolute()
    most = SOCKET_BYTES - len(SOCKET)
    if len(os.fsencode(chosen)) <= most:
        return chosen / "ray"
    if own:
        raise InputError(
            f"RAY_TMPDIR: must be a path of at most {most} bytes, as Ray's sockets are in it, but "
            f"got {len(os.fsencode(chosen))}: {chosen}; set a shorter one"
        )
    return Path("/tmp/ray")


def _store_folder(folder: Path) -> str | None:
    """Returns where Ray keeps objects: None for shared memory, `folder` if that is read-only."""
    if not SHARED_MEMORY.is_dir() or os.access(SHARED_MEMORY, os.W_OK):
        return None
    warn(f"{SHARED_MEMORY} is not writable, so Ray keeps the data of trials in {folder}")
    folder.mkdir(parents=True, exist_ok=True)
    return str(folder)


def _no_start(error: Exception, folder: Path) -> InputError:
    found = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, OSError):
        fix = "set RAY_TMPDIR to a writable folder with free space"
    elif "timed out" in found or isinstance(error, TimeoutError):
        fix = f"free space in {folder}, or end other programs, and start again"
    else:
        fix = f"free memory, or space in {folder}, and start again"
    return InputError(
        f"Ray: must start on this machine, but got {found}; {fix} (logs: {folder}/session_latest)"
    )


@contextmanager
def _noting_sigterm() -> Iterator[threading.Event]:
    """Yields an event that SIGTERM sets, which otherwise does what it did before."""
    came, before = threading.Event(), signal.getsignal(signal.SIGTERM)

    def note(number: int, frame: FrameType | None) -> None:
        came.set()
        assert callable(before)
        before(number, frame)

    if callable(before):
        signal.signal(signal.SIGTERM, note)
    try:
        yield came
    finally:
        signal.signal(signal.SIGTERM, before)


def _watch(mark: str, head: str, ended: threading.Event, interrupted: threading.Event) -> None:
    """Ends this process and Ray's as soon as one that Ray needs ends; runs in a thread.

    The main thread may wait for Ray for ever, or until Ray itself ends the process.
    """
    needed = [one for one in psutil.Process().children() if one.name() in NEEDED]
    while not ended.wait(1.0):
        works = all(_lives(one) for one in needed) and _serves(head)
        if not works and not ended.is_set():
            kill_marked(mark)
            Console().show_cursor()
            reason = "interrupted" if interrupted.is_set() else STOPPED
            print(f"\n{reason}\n{RESUME}", file=sys.stderr, flush=True)  # noqa: T201
            os._exit(INTERRUPTED if interrupted.is_set() else 1)


def _serves(head: str) -> bool:
    """Whether Ray's head accepts connections; after SIGTERM its process lives on without."""
    host, _, port = head.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), 1.0).close()
    except ConnectionRefusedError:
        return False
    except OSError:  # On a loaded machine it takes longer.
        pass
    return True


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def kill_marked(mark: str) -> None:
    """Kills all other processes with the mark in their environment, and waits for their end."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.pid != os.getpid() and process.environ().get(MARK) == mark:
                process.kill()
                found.append(process)
    deadline = time.monotonic() + 5.0
    while any(_lives(process) for process in found) and time.monotonic() < deadline:
        time.sleep(0.05)
