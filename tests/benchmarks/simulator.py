"""Simulates studies in event time, with the real searcher and scheduler on recorded curves.

Nothing trains and Ray does not run. Suggestions come from `OptunaSearcher`, decisions from
`AshaScheduler`, and both use a ledger on disk, as in a real study. Workers are simulated: a report
is due after the seconds that it took in the recording, the median over configurations (settings
hardly change the cost of a step; most variation came from other load on the recording machine). A
suggested configuration gets the curve of the nearest recorded one (`CurveTable.nearest`). So no
score exceeds the best of the table, and suggestions close to each other get the same scores.
"""

import heapq
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from ray.tune.schedulers import TrialScheduler
from ray.tune.search import Searcher

from study.engine.scheduling.asha import AshaScheduler
from study.engine.scheduling.search import OptunaSearcher
from study.spec import StudySpec, dump_spec
from study.storage.events import StudyOpened
from study.storage.ledger import StudyLedger
from study.storage.opening import open_folder
from tests.benchmarks.curve_tables import CurveTable

MEMORY = Path("/dev/shm")
"""A file system in memory, if there is one: syncing a line to disk takes no time."""
TRIALS = 1000
"""More trials than a simulated study starts."""


@dataclass
class Simulated:
    """The results of a simulated study."""

    finishes: list[tuple[float, float]] = field(default_factory=list)
    """(seconds, final score) of every complete trial."""
    suggested: int = 0
    stopped: int = 0

    def reaches(self, level: float) -> float:
        """Returns the seconds until a complete trial reaches `level`; infinity if none does."""
        return next((time for time, score in self.finishes if score >= level), np.inf)

    def best_at(self, seconds: float) -> float:
        """Returns the best final score up to `seconds`; NaN before the first."""
        scores = [score for time, score in self.finishes if time <= seconds]
        return max(scores, default=np.nan)


def simulated_spec(
    table: CurveTable, sampler: dict[str, Any], scheduler: dict[str, Any], seed: int
) -> StudySpec:
    """Returns the spec of a study on the table's space."""
    values = table.spec.model_dump()
    values["search"] = {"trials": TRIALS, "seed": seed, "sampler": sampler}
    values["scheduler"] = scheduler
    return StudySpec.model_validate(values)


def simulate(table: CurveTable, spec: StudySpec, workers: int, seconds: float) -> Simulated:
    """Returns the results of a study on `workers` simulated workers after `seconds`."""
    with ledger_in_memory(spec) as ledger:
        return _Simulation(table, ledger).run(workers, seconds)


@contextmanager
def ledger_in_memory(spec: StudySpec) -> Iterator[StudyLedger]:
    """Yields the ledger of a temporary study folder."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        ledger = StudyLedger(open_folder(Path(folder) / "simulated", dump_spec(spec)), spec)
        ledger.append(StudyOpened(version=1, name="simulated", spec="spec.yaml"))
        yield ledger


@dataclass(order=True)
class _Due:
    """A report that a worker will make at `time`."""

    time: float
    trial: int
    report: int = field(compare=False)
    configuration: int = field(compare=False)
    started: float = field(compare=False)


class _Simulation:
    """Replaces Ray Tune: asks for trials, passes reports on, ends trials."""

    def __init__(self, table: CurveTable, ledger: StudyLedger) -> None:
        self.table, self.ledger = table, ledger
        self.searcher = OptunaSearcher(ledger, self._plan)
        self.scheduler = AshaScheduler(ledger)
        self.due: list[_Due] = []
        self.found = Simulated()

    def _plan(self, resolved: StudySpec) -> tuple[int, int]:
        return self.table.steps[-1], len(self.table.steps)

    def run(self, workers: int, seconds: float) -> Simulated:
        """Handles reports in order of time until `seconds` have passed."""
        for _ in range(workers):
            self._start(0.0)
        while self.due and self.due[0].time <= seconds:
            due = heapq.heappop(self.due)
            if self._continues(due):
                self._expect(due.trial, due.report + 1, due.configuration, due.started)
            else:
                self._end(due)
                self._start(due.time)
        return self.found

    def _start(self, now: float) -> None:
        suggestion = self.searcher.suggest(f"simulated-{self.found.suggested}")
        if suggestion == Searcher.FINISHED or suggestion is None:
            return
        self.found.suggested += 1
        self.scheduler.on_trial_add(None, ray_trial(suggestion["trial"]))
        configuration = self.table.nearest(suggestion["params"])
        self._expect(suggestion["trial"], 1, configuration, now)

    def _expect(self, trial: int, report: int, configuration: int, started: float) -> None:
        time = started + float(self.table.pace[report - 1])
        heapq.heappush(self.due, _Due(time, trial, report, configuration, started))

    def _continues(self, due: _Due) -> bool:
        metric = self.ledger.spec.objective
        result = result_of(self.table, due.configuration, due.report, metric)
        action = self.scheduler.on_trial_result(None, ray_trial(due.trial), result)
        return bool(action == TrialScheduler.CONTINUE)

    def _end(self, due: _Due) -> None:
        self.searcher.on_trial_complete(f"simulated-{due.trial}", {})
        if self.ledger.record.trials[due.trial].state == "complete":
            self.found.finishes.append((due.time, float(self.table.final[due.configuration])))
        else:
            self.found.stopped += 1


def ray_trial(number: int) -> Any:
    """Returns an object with the attributes of Ray's trial that the scheduler uses."""
    return SimpleNamespace(config={"trial": number}, trial_id=f"simulated-{number}")


def result_of(table: CurveTable, configuration: int, report: int, metric: str) -> dict[str, Any]:
    """Returns a report of a recorded configuration as a worker would send it."""
    place = configuration, report - 1
    plain, at_bT = float(table.plain[place]), float(table.at_bT[place])
    return {
        "report": report,
        "step": table.steps[report - 1],
        f"metrics/{metric}": plain,
        f"metrics/{metric}_at_bT": at_bT,
        "metrics/train_loss": 0.5,
        metric: plain,
    }
