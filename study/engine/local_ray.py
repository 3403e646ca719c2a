"""Ray on this machine, for one command: its start, its end, and the end of all its processes.

Everything that Ray starts inherits a mark in its environment, by which it is found at the end even
if the process that started it is dead. The token that Ray requires is in the environment too: it
is new for every start, and no file of it is left.
"""

import os
import secrets
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

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
STOPPED = (
    "\nerror: Ray on this machine has stopped, as one of its processes died or was killed\n"
    "nothing that was reported is lost; if the folder exists, add --resume to the same command"
)


@contextmanager
def local_ray(store_bytes: int | None) -> Iterator[None]:
    """Runs Ray on this machine, without a dashboard; no process of it is left afterwards.

    If one of the processes that Ray needs dies, this process ends too, with exit status 1. Must be
    called in the main thread.

    Args:
        store_bytes: size of the object store; None for Ray's default.

    Raises:
        InputError: Ray cannot start.
    """
    mark, ended = secrets.token_hex(16), threading.Event()
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    with authentication({MARK: mark} | token):
        try:
            _start(store_bytes)
            threading.Thread(target=_watch, args=(mark, ended), daemon=True).start()
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


def _watch(mark: str, ended: threading.Event) -> None:
    """Ends this process and Ray's as soon as one that Ray needs is dead; runs in a thread.

    The main thread may wait for Ray for ever, or until Ray itself ends the process.
    """
    needed = [one for one in psutil.Process().children() if one.name() in NEEDED]
    while not ended.wait(1.0):
        dead = [one for one in needed if not _lives(one)]
        if dead and not ended.is_set():
            kill_marked(mark)
            Console().show_cursor()
            print(STOPPED, file=sys.stderr, flush=True)  # noqa: T201
            os._exit(1)


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
