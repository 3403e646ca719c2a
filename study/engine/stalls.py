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
from typing import Any

import ray
from ray import tune
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
from typing_extensions import override

from study.storage.durable import replacing
from study.storage.events import Event, TrialCrashed, TrialEnded, TrialStalled
from study.storage.folder import StudyFolder
from study.storage.ledger import Ledger
from study.storage.record import StudyRecord, TrialRecord
from study.storage.stalls import SHARE, STALLED, stall_limit

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
        self._clock, self._kill = clock, kill or kill_process
        self._looked = clock()
        self._silent: dict[int, tuple[int, float]] = {}
        for file in ledger.folder.heartbeats.glob("*"):
            with suppress(OSError):
                file.unlink()

    def __call__(self, event: Event, record: StudyRecord) -> None:
        """Forgets a worker that no longer works on a trial."""
        if isinstance(event, TrialCrashed | TrialEnded):
            self._silent.pop(event.trial, None)
            if isinstance(event, TrialEnded):
                self.ledger.stalled.pop(event.trial, None)
            with suppress(OSError):
                self.ledger.folder.heartbeat(event.trial).unlink()

    @override
    def on_step_begin(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Looks at all running workers, now and then."""
        now = self._clock()
        if now - self._looked < BEAT_SECONDS:
            return
        passed, self._looked = min(now - self._looked, LONGEST_LOOK), now
        for trial in self.ledger.record.in_state("running"):
            self._look(trial, passed)

    def _look(self, trial: TrialRecord, passed: float) -> None:
        file = self.ledger.folder.heartbeat(trial.number)
        try:
            stamp = file.stat().st_mtime_ns
        except OSError:  # It waits for a worker.
            return
        if trial.number in self.ledger.stalled:  # Ray will report the end of its process.
            return
        before, silent = self._silent.get(trial.number, (0, 0.0))
        silent = silent + passed if stamp == before else 0.0
        self._silent[trial.number] = stamp, silent
        limit = stall_limit(self.ledger.record, self.stall_minutes)
        if silent / 60 >= limit:
            self._end(trial, limit)
        elif (silent / 60 >= SHARE * limit) != (trial.stalled is not None):
            minutes = silent / 60
            self.ledger.append(TrialStalled(trial=trial.number, minutes=minutes, limit=limit))

    def _end(self, trial: TrialRecord, limit: float) -> None:
        """Kills a worker; Ray then reports its end, by which the trial is tried again."""
        try:
            process = json.loads(self.ledger.folder.heartbeat(trial.number).read_bytes())
            node, pid = str(process["node"]), int(process["pid"])
        except (OSError, ValueError, KeyError, TypeError):
            return
        self.ledger.stalled[trial.number] = (
            f"{STALLED}: no sign of life for {limit:.3g} min, so its process was killed"
        )
        self._kill(node, pid)


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
