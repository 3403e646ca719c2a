"""A study in separate processes, which can be killed at random moments.

Every process that a study starts inherits a mark in its environment, by which it is found.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safetensors.numpy import load_file

from study.doctor.examination import examine

ROOT = Path(__file__).resolve().parents[2]
MARK = "ADALORA_RS_CHAOS"
TINY = (
    "--set=task.train=64",
    "--set=task.dev=32",
    "--set=task.test=16",
    "--set=adapter.deltaT=2",
    "--set=training.steps=12",
    "--set=training.reports=4",
    "--set=training.batch_size=4",
    # Kills are not the trial's fault here.
    "--set=resources.max_failures=1000",
)
TARGETS = ("driver", "worker", "head", "everything")
LEFT_OUT = ("seconds", "peak_memory_gib", "system")
"""Parts of the names of what the clock and the machine decide."""


class Study:
    """One study folder, and the driver that is at work in it."""

    def __init__(self, root: Path, *options: str) -> None:
        self.root, self.options = root, options
        self.mark = f"{os.getpid()}-{root.name}-{time.time_ns()}"
        self.process: subprocess.Popen[str] | None = None

    @property
    def folder(self) -> Path:
        """Where the study is."""
        return self.root / "runs" / "smoke"

    def start(self) -> None:
        """Starts the driver, as a user would, or resumes."""
        arguments = ["--space", "smoke", *TINY, *self.options]
        if (self.folder / "spec.yaml").exists():
            arguments.append("--resume")
        log = (self.root / "log.txt").open("a")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "study.run", *arguments],
            cwd=self.root,
            env=os.environ | {"PYTHONPATH": str(ROOT), MARK: self.mark},
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        log.close()

    def wait(self, timeout: float = 300) -> int:
        """Waits for the driver's end, then for that of all it has started."""
        assert self.process is not None
        status = self.process.wait(timeout)
        for pid in self.pids():
            kill(pid)
        self.process = None
        return status

    def run(self) -> None:
        """Runs the study to its end."""
        if self.process is None:
            self.start()
        assert self.wait() == 0, (self.root / "log.txt").read_text()

    def events(self) -> list[dict[str, Any]]:
        """The complete lines of the journal."""
        path = self.folder / "events.jsonl"
        lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
        return [json.loads(line) for line in lines if line.endswith(b"\n")]

    def pids(self) -> list[int]:
        """All living processes of the study but the driver."""
        found = []
        for entry in Path("/proc").iterdir():
            try:
                marked = f"{MARK}={self.mark}".encode() in (entry / "environ").read_bytes()
            except OSError:
                continue
            if marked and self.process is not None and int(entry.name) != self.process.pid:
                found.append(int(entry.name))
        return found

    def kill(self, target: str) -> bool:
        """Kills a target with -9; returns whether it was there."""
        assert self.process is not None
        others = {pid: command_of(pid) for pid in self.pids()}
        workers = [p for p, c in others.items() if is_worker(c)]
        victims = {
            "driver": [self.process.pid],
            "worker": workers,
            "head": [pid for pid, c in others.items() if "gcs_server" in c or "raylet/" in c],
            "everything": [self.process.pid, *others],
        }[target]
        for pid in victims:
            kill(pid)
        return bool(victims)

    def kill_at_random(self, target: str, rng: random.Random) -> bool:
        """Kills a target at a random moment; returns whether the study was there to be killed.

        A driver is started if there is none. One that has lost a worker continues; one that has
        lost Ray must end by itself.
        """
        if self.process is None:
            self.start()
        assert self.process is not None
        events_before_kill, delay = len(self.events()) + rng.randrange(6), rng.uniform(0, 0.3)
        while self.process.poll() is None and len(self.events()) < events_before_kill:
            time.sleep(0.02)
        time.sleep(delay)
        there = False
        while self.process.poll() is None and not there:
            there = self.kill(target)  # Just after a start there may be no worker yet.
        if target != "worker" or not there:
            self.wait()
            self.assert_undamaged()
        return there

    def assert_undamaged(self) -> None:
        """Asserts that, without a running driver, the doctor finds only what `--resume` fixes."""
        if (self.folder / "spec.yaml").exists():
            damage = [one for one in examine(self.folder) if not one.unfinished]
            assert damage == []


def is_worker(command: str) -> bool:
    """Whether a process runs a trial, or evaluates the winner.

    Those that Ray keeps idle do not count: while it starts it waits for the first of them, for
    ever if they have been killed.
    """
    return command.startswith("ray::") and "Agent" not in command and "IDLE" not in command


def command_of(pid: int) -> str:
    """The command line of a process, "" if it has gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def kill(pid: int) -> None:
    """Kills a process that may have gone."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def history(events: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What happened in a study, without interruptions and without what the clock decides."""
    kept = [
        e for e in events if e["event"] in ("created", "report", "decision", "ended", "winner")
    ]
    return [_timeless(event) for event in kept]


def _timeless(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    left_out = [k for k in value if k == "time" or any(part in k for part in LEFT_OUT)]
    return {k: _timeless(v) for k, v in value.items() if k not in left_out}


def weights(study: Study) -> dict[str, bytes]:
    """The winner's weights, byte by byte."""
    files = study.folder.glob("best/*.safetensors")
    return {name: values.tobytes() for file in files for name, values in load_file(file).items()}
