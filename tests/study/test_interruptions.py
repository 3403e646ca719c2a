"""A study ended by Ctrl-C or SIGTERM, while Ray starts and while it trains, and its resume."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pytest

ROOT = Path(__file__).parent.parent.parent
TINY = [
    "--set", "adapter.deltaT=2", "--set", "training.steps=8", "--set", "training.batch_size=4",
    "--set", "task.train=32", "--set", "task.dev=32", "--set", "task.test=32",
]  # fmt: skip


def start(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    """Starts the command in `folder` as a user would."""
    return subprocess.Popen(
        [sys.executable, "-m", "study.run", "--space", "smoke", *TINY, *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def events(folder: Path) -> list[dict[str, Any]]:
    path = folder / "runs" / "smoke" / "events.jsonl"
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]


def wait_for_reports(folder: Path, process: "subprocess.Popen[str]", reports: int) -> None:
    """Waits until the journal has a number of reports."""
    pause = threading.Event()
    for _ in range(1800):
        if sum(event["event"] == "report" for event in events(folder)) >= reports:
            return
        assert process.poll() is None, process.stdout.read() if process.stdout else ""
        pause.wait(0.1)
    raise AssertionError("no report came")


def output(process: "subprocess.Popen[str]") -> str:
    text, _ = process.communicate(timeout=300)
    return text


def descendants(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)


def is_alive(process: psutil.Process) -> bool:
    """A process that init has not reaped yet has ended."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.ray
@pytest.mark.slow
def test_sigterm_while_ray_starts_leaves_no_process_and_no_folder(tmp_path: Path) -> None:
    process = start(tmp_path)
    while not (found := descendants(process.pid)):
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    printed = output(process)
    assert process.returncode == 130, printed
    assert printed.endswith("\ninterrupted\n")
    assert not [one for one in found if is_alive(one)]
    assert not (tmp_path / "runs").exists()


@pytest.mark.ray
@pytest.mark.slow
def test_ctrl_c_and_sigterm_end_the_study_cleanly_and_a_resume_repeats_nothing(
    tmp_path: Path,
) -> None:
    before: list[dict[str, Any]] = []
    again = ("--resume", "--max-concurrent=1")  # Starting a worker takes longest here.
    for interruption, reports in ((signal.SIGINT, 2), (signal.SIGTERM, 5)):
        process = start(tmp_path, *(again if before else ()))
        wait_for_reports(tmp_path, process, reports)
        process.send_signal(interruption)
        printed = output(process)
        assert process.returncode == 130, printed
        assert "--resume" in printed
        assert "Traceback" not in printed
        assert events(tmp_path)[: len(before)] == before
        before = events(tmp_path)

    assert start_and_wait(tmp_path, *again) == 0
    after = events(tmp_path)
    assert after[: len(before)] == before
    assert_sound(after, trials=4)


def start_and_wait(folder: Path, *arguments: str) -> int:
    process = start(folder, *arguments)
    printed = output(process)
    assert "Traceback" not in printed, printed
    return process.returncode


def assert_sound(journal: list[dict[str, Any]], trials: int) -> None:
    """Every trial was created and ended once, every report made once, one winner chosen."""
    counts = Counter(event["event"] for event in journal)
    assert counts["created"] == counts["ended"] == trials
    assert counts["winner"] == counts["study"] == 1
    reports = [(e["trial"], e["report"]) for e in journal if e["event"] == "report"]
    assert len(reports) == len(set(reports))
    for number in range(trials):
        indices = [report for trial, report in reports if trial == number]
        assert indices == list(range(1, len(indices) + 1))
