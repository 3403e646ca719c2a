"""Workers without a sign of life: named, killed once, forgotten when they work again."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import ray

from study.engine import stalls
from study.engine.stalls import BEAT_SECONDS, Heartbeat, StallWatch
from study.storage.events import Event, TrialCrashed, TrialStalled
from study.storage.ledger import StudyLedger
from study.storage.stalls import stall_limit
from tests.study.ledgers import OpenLedger, create


class Clock:
    """A clock that tests move."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Watched:
    """A watch over a study with one trial, and what it does."""

    def __init__(self, ledger: StudyLedger, minutes: float | None) -> None:
        self.ledger, self.clock = ledger, Clock()
        self.killed: list[tuple[str, int]] = []
        self.watch = StallWatch(
            ledger, minutes, self.clock, lambda node, pid: self.killed.append((node, pid))
        )
        self.events: list[Event] = []
        ledger.listeners += [self.watch, lambda event, record: self.events.append(event)]
        self.file = ledger.folder.heartbeat(0)

    def beat(self) -> None:
        """The worker gives a sign: the file has a time that it never had."""
        os.utime(self.file, (self.clock.now, self.clock.now))

    def wait(self, minutes: float, **beats: Any) -> None:
        """Lets time pass, in which the driver looks every two seconds."""
        for _ in range(int(minutes * 60 / BEAT_SECONDS)):
            self.clock.now += BEAT_SECONDS
            if beats:
                self.beat()
            self.watch.on_step_begin(0, [])


@pytest.fixture
def ledger(open_ledger: OpenLedger) -> StudyLedger:
    ledger = open_ledger()
    create(ledger, 0)
    return ledger


def test_a_worker_that_gives_signs_is_left_alone(ledger: StudyLedger) -> None:
    watched = Watched(ledger, 1)
    Heartbeat(ledger.folder, 0)
    watched.wait(30, beats=True)
    assert watched.killed == watched.events == []


def test_a_silent_worker_is_named_then_killed_once(ledger: StudyLedger) -> None:
    watched = Watched(ledger, 10)
    Heartbeat(ledger.folder, 0)
    watched.wait(1.9)
    assert watched.events == []
    watched.wait(0.2)
    [named] = watched.events
    assert isinstance(named, TrialStalled)
    assert (named.trial, round(named.minutes, 1), named.limit) == (0, 2.0, 10)
    assert ledger.record.trials[0].stalled == named
    watched.wait(7.8)
    assert watched.killed == []
    watched.wait(30)
    assert watched.killed == [("", os.getpid())]
    assert watched.events == [named]
    assert ledger.stalled[0] == "stalled: no sign of life for 10 min, so its process was killed"


def test_a_worker_that_works_again_is_no_longer_named(ledger: StudyLedger) -> None:
    watched = Watched(ledger, 10)
    Heartbeat(ledger.folder, 0)
    watched.wait(5)
    watched.beat()
    watched.wait(1)
    _, again = watched.events
    assert isinstance(again, TrialStalled)
    assert again.minutes == 0
    assert ledger.record.trials[0].stalled is None
    watched.wait(8.5)
    assert watched.killed == []


def test_a_trial_that_waits_for_a_worker_is_not_stalled(ledger: StudyLedger) -> None:
    watched = Watched(ledger, 1)
    watched.wait(60)
    assert watched.killed == watched.events == []


def test_the_time_in_which_the_driver_was_stopped_does_not_count(ledger: StudyLedger) -> None:
    watched = Watched(ledger, 10)
    Heartbeat(ledger.folder, 0)
    watched.wait(0.5)
    watched.clock.now += 3600
    watched.wait(0.4)
    assert watched.killed == watched.events == []


def test_a_crash_ends_the_watch_until_the_next_worker_starts(ledger: StudyLedger) -> None:
    watched = Watched(ledger, 1)
    Heartbeat(ledger.folder, 0)
    watched.wait(2)
    ledger.stalled.pop(0)  # As the record of the crash does.
    ledger.append(TrialCrashed(trial=0, attempt=1, fault=False, reason="stalled"))
    assert ledger.record.trials[0].stalled is None
    assert not watched.file.exists()
    watched.wait(5)
    assert len(watched.killed) == 1
    Heartbeat(ledger.folder, 0)
    watched.wait(2)
    assert len(watched.killed) == 2


def test_signs_of_an_earlier_session_are_removed(ledger: StudyLedger) -> None:
    Heartbeat(ledger.folder, 0)
    assert not Watched(ledger, 1).file.exists()


def test_a_heartbeat_names_its_process_and_touches_its_file_now_and_then(
    ledger: StudyLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(stalls.time, "monotonic", clock)
    heartbeat, file = Heartbeat(ledger.folder, 0), ledger.folder.heartbeat(0)
    assert json.loads(file.read_text()) == {"node": "", "pid": os.getpid()}
    os.utime(file, (1.0, 1.0))
    heartbeat.beat()
    assert file.stat().st_mtime == 1.0
    clock.now += BEAT_SECONDS
    heartbeat.beat()
    assert file.stat().st_mtime > 1.0


def test_a_heartbeat_that_cannot_be_written_is_no_error(
    ledger: StudyLedger, tmp_path: Path
) -> None:
    ledger.folder.heartbeats.write_text("a file in its place")
    Heartbeat(ledger.folder, 0).beat()


def test_a_task_without_a_sign_of_life_is_named_killed_once_and_waited_for(
    ledger: StudyLedger, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock, killed = Clock(), []
    Heartbeat(ledger.folder, 0)

    def wait(tasks: list[str], timeout: float) -> tuple[list[str], list[str]]:
        clock.now += timeout
        return (tasks, []) if clock.now > 40 * 60 else ([], tasks)

    monkeypatch.setattr(ray, "wait", wait)
    monkeypatch.setattr(ray, "get", lambda task: f"result of {task}")
    kill = lambda node, pid: killed.append(pid)  # noqa: E731
    assert stalls.result_of("task", ledger, 0, 10, clock, kill) == "result of task"
    assert killed == [os.getpid()]
    named, ended = capsys.readouterr().err.splitlines()
    assert "trial 0: its worker has given no sign of life for 2" in named
    assert "trial 0: stalled: no sign of life for 10 min, so its process was killed" in ended
    assert not ledger.folder.heartbeat(0).exists()


def test_the_limit_follows_the_longest_time_between_reports(open_ledger: OpenLedger) -> None:
    record = open_ledger().record
    assert stall_limit(record, None) == 15
    record.longest_interval = 60.0
    assert stall_limit(record, None) == 15
    record.longest_interval = 240.0
    assert stall_limit(record, None) == 40
    assert stall_limit(record, 5.0) == 5.0
