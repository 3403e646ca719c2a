"""Clusters started by hand with `ray start`, each process with a home of its own."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from study.storage.folder import StudyFolder
from study.storage.stored import StoredStudy

pytestmark = pytest.mark.chaos

ROOT = Path(__file__).parents[3]
RAY = [sys.executable, "-m", "ray.scripts.scripts"]
NODE = ["--block", "--num-cpus=1", "--object-store-memory=100000000"]
NODE += ["--dashboard-agent-listen-port=0"]
TINY = ("task.train=64", "task.dev=32", "task.test=32", "training.steps=8", "adapter.deltaT=2")
PATIENCE = 240.0


class Machine:
    """Processes with one home folder and environment, as on one machine of a cluster."""

    def __init__(self, home: Path, **environment: str) -> None:
        self.home = home
        (home / ".ray").mkdir(parents=True)
        own = {"HOME": str(home), "PYTHONPATH": str(ROOT), "RAY_USAGE_STATS_ENABLED": "0"}
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
        self.environment = inherited | own | {"RAY_worker_niceness": "0"} | environment
        self.log = home / "log.txt"
        self.processes: list[subprocess.Popen[bytes]] = []

    @property
    def token(self) -> Path:
        return self.home / ".ray" / "auth_token"

    def start(self, *arguments: str, until: str) -> None:
        """Starts Ray's command, and waits for words in its output."""
        with self.log.open("w") as log:
            process = subprocess.Popen(
                [*RAY, *arguments], cwd=self.home, env=self.environment, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        self.processes.append(process)
        deadline = time.monotonic() + PATIENCE
        while until not in self.log.read_text():
            assert process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.2)

    def run(
        self, command: list[str], changes: Mapping[str, str] | None = None
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            command, cwd=self.home, env=self.environment | (changes or {}), capture_output=True,
            text=True, check=False, timeout=PATIENCE * 2,
        )  # fmt: skip

    def stop(self) -> None:
        for process in self.processes:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture
def machines() -> Iterator[dict[str, Machine]]:
    """Homes of a head, another node and the driver; their paths are short, for Ray's sockets."""
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp") as folder:
        made = {name: Machine(Path(folder) / name) for name in ("head", "node", "driver")}
        yield made
        for machine in made.values():
            machine.stop()


def start_head(head: Machine) -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    options = [f"--port={port}", f"--temp-dir={head.home}", "--include-dashboard=false"]
    head.start("start", "--head", *NODE, *options, until="This command will now block")
    return f"{socket.gethostbyname(socket.gethostname())}:{port}"


def study_command(driver: Machine, address: str, *options: str) -> list[str]:
    study = ["--space", "smoke", "--storage", str(driver.home / "runs"), "--address", address]
    settings = [word for setting in TINY for word in ("--set", setting)]
    return [sys.executable, "-m", "study.run", *study, "--trials", "2", *settings, *options]


def assert_finished(driver: Machine) -> None:
    record = StoredStudy.read(StudyFolder(driver.home / "runs" / "smoke")).study_record()
    assert len(record.in_state("complete", "pruned")) == 2
    assert record.winner is not None


def test_a_study_runs_on_two_nodes_that_share_a_token(machines: dict[str, Machine]) -> None:
    head, node, driver = (machines[name] for name in ("head", "node", "driver"))
    made = head.run([*RAY, "get-auth-token", "--generate"])
    assert made.returncode == 0, made.stderr
    head.environment["RAY_AUTH_MODE"] = "token"
    address = start_head(head)

    shutil.copy(head.token, node.token)
    refused = node.run([*RAY, "start", *NODE, f"--address={address}"])
    assert "AuthenticationError" in refused.stderr  # The file alone is not enough.
    node.environment["RAY_AUTH_MODE"] = "token"
    node.start("start", *NODE, f"--address={address}", until="This command will now block")

    command = study_command(driver, address)
    for changes, message in (
        ({}, "the cluster's token must be in RAY_AUTH_TOKEN"),
        ({"RAY_AUTH_TOKEN": "0" * 64}, "a Ray cluster with the token given here must be there"),
        ({"RAY_AUTH_TOKEN": "0" * 64, "RAY_AUTH_MODE": "disabled"}, "RAY_AUTH_MODE: must be"),
    ):
        failed = driver.run(command, changes)
        assert failed.returncode == 2, failed.stdout + failed.stderr
        assert message in failed.stderr.splitlines()[-1]
        assert "Traceback" not in failed.stderr
    assert not (driver.home / "runs" / "smoke").exists()

    shutil.copy(head.token, driver.token)
    done = driver.run(command)
    assert done.returncode == 0, done.stdout + done.stderr
    assert_finished(driver)


def test_a_cluster_without_tokens_is_refused_unless_asked_for(
    machines: dict[str, Machine],
) -> None:
    head, driver = machines["head"], machines["driver"]
    address = start_head(head)
    driver.environment["RAY_AUTH_TOKEN"] = "0" * 64
    refused = driver.run(study_command(driver, address))
    assert refused.returncode == 2, refused.stdout + refused.stderr
    assert "RAY_AUTH_MODE: must be token where Ray is started" in refused.stderr.splitlines()[-1]
    done = driver.run(study_command(driver, address, "--no-token"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert_finished(driver)


def test_a_study_on_this_machine_leaves_nothing_that_changes_a_later_ray_start(
    machines: dict[str, Machine],
) -> None:
    head, node = machines["head"], machines["node"]
    local = [w for w in study_command(head, "") if w not in ("--address", "")]
    done = head.run(local, {"RAY_AUTH_MODE": "disabled"})
    assert done.returncode == 0, done.stdout + done.stderr
    assert not head.token.exists()
    address = start_head(head)
    node.start("start", *NODE, f"--address={address}", until="This command will now block")
