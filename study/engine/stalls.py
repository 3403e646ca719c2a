"""Signs of life of workers, and the end of workers that give none.

A worker has a file in `heartbeats/` of the study folder, and touches it with every batch. A
process that was stopped, waits for ever for a GPU or for a file system does not. The driver counts
how long the time of the file has not changed, by its own clock: clocks of nodes may differ.
"""

import json
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
from typing_extensions import override

from study.engine.console.lines import warn
from study.storage.durable import replacing
from study.storage.events import Event, TrialCrashed, TrialEnded, TrialStalled
from study.storage.folder import StudyFolder
from study.storage.ledger import Ledger
from study.storage.record import StudyRecord, TrialRecord
from study.storage.stalls import SHARE, STALLED, stall_limit, stall_text

BEAT_SECONDS = 2.0
"""The shortest time between two signs of life, and between two looks of the driver."""
LONGEST_LOOK = 60.0
"""Seconds that count at most between two looks, as the driver itself may have been stopped."""
Kill = Callable[[str, int], None]
"""Kills the process with an id on a node."""


class Heartbeat:
    """The sign of life of one trial's worker.

    A file that cannot be written is no error: the worker is then not watched.
    """

    def __init__(self, folder: StudyFolder, trial: int) -> None:
        """Gives the first sign, with the process that gives it."""
        self._file, self._last = folder.heartbeat(trial), time.monotonic()
        node = ray.get_runtime_context().get_node_id() if ray.is_initialized() else ""
        with suppress(OSError):
            self._file.parent.mkdir(exist_ok=True)
            with replacing(self._file) as file:
                file.write(json.dumps({"node": node, "pid": os.getpid()}).encode())

    def beat(self) -> None:
        """Gives a sign, at most one every `BEAT_SECONDS`."""
        now = time.monotonic()
        if now - self._last >= BEAT_SECONDS:
            self._last = now
            with suppress(OSError):
                os.utime(self._file)


class _Silence:
    """For how long the files of workers have not changed, by the driver's clock."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._looked = clock, clock()
        self._stamps: dict[Path, tuple[int, float]] = {}

    def passed(self) -> float | None:
        """Returns the seconds since the last look; None if it is too early for the next."""
        now = self._clock()
        if now - self._looked < BEAT_SECONDS:
            return None
        passed, self._looked = min(now - self._looked, LONGEST_LOOK), now
        return passed

    def seconds(self, file: Path, passed: float) -> float | None:
        """Returns how long a file has not changed; None without a file."""
        try:
            stamp = file.stat().st_mtime_ns
        except OSError:  # It waits for a worker.
            return None
        before, silent = self._stamps.get(file, (0, 0.0))
        silent = silent + passed if stamp == before else 0.0
        self._stamps[file] = stamp, silent
        return silent

    def forget(self, file: Path) -> None:
        """Removes the file of a worker that no longer works on a trial."""
        self._stamps.pop(file, None)
        with suppress(OSError):
            file.unlink()


class StallWatch(tune.Callback):  # type: ignore[misc]
    """Names and kills workers without a sign of life; a callback of Ray Tune and a listener.

    Their trials are tried again, as after any crash.
    """

    def __init__(
        self,
        ledger: Ledger,
        stall_minutes: float | None,
        clock: Callable[[], float] = time.monotonic,
        kill: Kill | None = None,
    ) -> None:
        """Begins a session, in which no worker has started yet."""
        self.ledger, self.stall_minutes = ledger, stall_minutes
        self._silence, self._kill = _Silence(clock), kill or kill_process
        for file in ledger.folder.heartbeats.glob("*"):
            with suppress(OSError):
                file.unlink()

    def __call__(self, event: Event, record: StudyRecord) -> None:
        """Forgets a worker that no longer works on a trial."""
        if isinstance(event, TrialCrashed | TrialEnded):
            if isinstance(event, TrialEnded):
                self.ledger.stalled.pop(event.trial, None)
            self._silence.forget(self.ledger.folder.heartbeat(event.trial))

    @override
    def on_step_begin(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Looks at all running workers, now and then."""
        passed = self._silence.passed()
        if passed is not None:
            for trial in self.ledger.record.in_state("running"):
                self._look(trial, passed)

    def _look(self, trial: TrialRecord, passed: float) -> None:
        silent = self._silence.seconds(self.ledger.folder.heartbeat(trial.number), passed)
        if silent is None or trial.number in self.ledger.stalled:  # Ray will report its end.
            return
        limit = stall_limit(self.ledger.record, self.stall_minutes)
        if silent / 60 >= limit:
            self._end(trial, limit)
        elif (silent / 60 >= SHARE * limit) != (trial.stalled is not None):
            minutes = silent / 60
            self.ledger.append(TrialStalled(trial=trial.number, minutes=minutes, limit=limit))

    def _end(self, trial: TrialRecord, limit: float) -> None:
        """Kills a worker; Ray then reports its end, by which the trial is tried again."""
        process = _process(self.ledger.folder.heartbeat(trial.number))
        if process is not None:
            self.ledger.stalled[trial.number] = _killed(limit)
            self._kill(*process)


def result_of(
    task: Any,
    ledger: Ledger,
    trial: int,
    stall_minutes: float | None,
    clock: Callable[[], float] = time.monotonic,
    kill: Kill | None = None,
) -> Any:
    """Returns the result of a task of Ray with a `Heartbeat` of `trial`.

    A worker without a sign of life is named in a warning, then killed; Ray tries the task again.

    Raises:
        Exception: as `ray.get`.
    """
    silence, file, named = _Silence(clock), ledger.folder.heartbeat(trial), False
    try:
        while not ray.wait([task], timeout=BEAT_SECONDS)[0]:
            passed, limit = silence.passed(), stall_limit(ledger.record, stall_minutes)
            silent = None if passed is None else silence.seconds(file, passed)
            if silent is None:
                continue
            minutes = silent / 60
            if minutes >= limit and (process := _process(file)) is not None:
                warn(f"trial {trial}: {_killed(limit)}")
                (kill or kill_process)(*process)
                silence.forget(file)
            elif minutes >= SHARE * limit and not named:
                warn(stall_text(TrialStalled(trial=trial, minutes=minutes, limit=limit)))
            named = minutes >= SHARE * limit
        return ray.get(task)
    finally:
        silence.forget(file)


def _killed(limit: float) -> str:
    return f"{STALLED}: no sign of life for {limit:.3g} min, so its process was killed"


def _process(file: Path) -> tuple[str, int] | None:
    """Returns node and id of the process that a worker's file names; None if it is damaged."""
    try:
        process = json.loads(file.read_bytes())
        return str(process["node"]), int(process["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def kill_process(node: str, pid: int) -> None:
    """Kills a process of the cluster; on another node by a task there."""
    if node == ray.get_runtime_context().get_node_id():
        _kill_here(pid)
        return
    there = NodeAffinitySchedulingStrategy(node, soft=False)
    ray.remote(_kill_here).options(num_cpus=0, scheduling_strategy=there).remote(pid)


def _kill_here(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
