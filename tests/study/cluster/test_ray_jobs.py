"""A study submitted with `ray job submit` to a head on this machine, as to any other."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from study.storage.folder import StudyFolder
from study.storage.stored import StoredStudy

# Ray Jobs need the dashboard, which only ray[default] has.
for needed in ("aiohttp_cors", "grpc", "opencensus", "prometheus_client"):
    pytest.importorskip(needed)

ROOT = Path(__file__).parents[3]
RAY = [sys.executable, "-m", "ray.scripts.scripts"]
SMALL = ("task.train=64", "task.dev=32", "task.test=32", "training.steps=8", "adapter.deltaT=2")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    """Sets a token of the cluster, which other users of the network do not know."""
    own = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    own |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0", "OMP_NUM_THREADS": "1"}
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | own


@pytest.fixture(scope="module")
def dashboard(
    environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The dashboard of a head, at its default address."""
    folder = tmp_path_factory.mktemp("ray")  # Short: sockets lie in it.
    port = free_port()
    start = ["start", "--head", "--block", "--num-cpus=2", f"--port={free_port()}"]
    options = [f"--dashboard-port={port}", "--object-store-memory=100000000"]
    with (folder / "log.txt").open("w") as log:
        head = subprocess.Popen(
            [*RAY, *start, *options, f"--temp-dir={folder}"],
            env=environment, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        deadline = time.monotonic() + 120
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert head.poll() is None, (folder / "log.txt").read_text()
                assert time.monotonic() < deadline, (folder / "log.txt").read_text()
                time.sleep(0.5)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(head.pid, signal.SIGKILL)  # By SIGTERM it would wait for half a minute.
        head.wait()


@pytest.mark.chaos
def test_a_submitted_study_runs_from_the_submitted_folder(
    dashboard: str, environment: dict[str, str], tmp_path: Path
) -> None:
    study = ["--space", "smoke", "--storage", str(tmp_path / "runs"), "--trials", "2"]
    study += [word for setting in SMALL for word in ("--set", setting)]
    submit = ["job", "submit", "--address", dashboard, "--working-dir", "."]
    entry = [sys.executable, "-m", "study.run", "--address", "auto", *study]
    done = subprocess.run(
        [*RAY, *submit, "--", *entry],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "succeeded" in done.stdout + done.stderr
    folder = StudyFolder(tmp_path / "runs" / "smoke")
    record = StoredStudy.read(folder).study_record()
    assert len(record.in_state("complete", "pruned")) == 2
    assert folder.report.is_file()


@pytest.mark.chaos
def test_the_dashboard_is_on_loopback_only_and_requires_the_token(
    dashboard: str, environment: dict[str, str]
) -> None:
    port = int(dashboard.rpartition(":")[2])
    for address in {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), port)}:
        if not str(address).startswith("127.") and address != "::1":
            with pytest.raises(OSError, match="refused"):
                socket.create_connection((address, port), timeout=2)
    other = environment | {"RAY_AUTH_TOKEN": secrets.token_hex(32)}
    done = subprocess.run(
        [*RAY, "job", "list", "--address", dashboard],
        env=other, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode != 0
    assert "Invalid authentication token" in done.stderr
