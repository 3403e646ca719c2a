"""The driver of a study without Ray and without training, to measure its own cost.

Searcher, scheduler, ledger and listeners are the real ones. Reports are made up and passed on as
Ray does, one after the other or in real time. Trials are at different stages, as in a study that
has run for a while: the first ones start at different times, and some are slower than others.
"""

import heapq
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from ray.tune.schedulers import TrialScheduler

from study.engine.scheduling.asha import AshaScheduler
from study.engine.scheduling.search import OptunaSearcher
from study.spec import StudySpec, dump_spec, load_spec
from study.storage.events import StudyOpened
from study.storage.folder import StudyFolder
from study.storage.ledger import StudyLedger
from study.storage.opening import open_folder

STEPS_A_REPORT = 20
METRICS = (
    *("dev_auc", "dev_f1", "dev_accuracy", "dev_loss", "adapter_parameters", "kept_parameters"),
    *("head_parameters", "trainable_parameters", "train_seconds", "peak_memory_gib", "budget"),
    *("kept", "reintroduced", "dropped", "rank", "missing_gradients", "start_seconds"),
)
"""Metrics of a report besides the objective and the training loss."""


def driver_spec(trials: int, reports: int, *overrides: str) -> StudySpec:
    """Returns the main space with `trials` trials of `reports` reports."""
    steps = f"training.steps={STEPS_A_REPORT * reports}"
    settings = (f"search.trials={trials}", f"training.reports={reports}", steps, *overrides)
    return load_spec("adalora_rs", settings)


def open_ledger(path: Path, spec: StudySpec) -> StudyLedger:
    """Returns the ledger of the study in the folder, or of a new one."""
    folder = StudyFolder(path) if path.exists() else open_folder(path, dump_spec(spec))
    ledger = StudyLedger(folder, spec)
    if not ledger.opened:
        ledger.append(StudyOpened(version=1, name=path.name, spec="spec.yaml"))
    return ledger


def plan(resolved: StudySpec) -> tuple[int, int]:
    """Returns the numbers of steps and reports of a trial."""
    return int(resolved.training.steps or 0), int(resolved.training.reports)


def report_of(spec: StudySpec, report: int, quality: float, noise: float) -> dict[str, Any]:
    """Returns a report as a worker sends it, with a score that rises to `quality`."""
    score = quality * report / spec.training.reports + 0.05 * noise
    values = dict.fromkeys(METRICS, score) | {spec.objective: score, "train_loss": 0.5}
    result = {f"metrics/{name}": value for name, value in values.items()}
    return result | {
        "report": report,
        "step": STEPS_A_REPORT * report,
        spec.objective: score,
    }


@dataclass(order=True)
class _Running:
    due: float
    number: int
    trial: Any = field(compare=False)
    quality: float = field(compare=False)
    interval: float = field(compare=False)
    report: int = field(default=0, compare=False)


class Driver:
    """Replaces Ray Tune. A trial reports every 0.7 to 1.3 units of time, 1 on average."""

    def __init__(self, ledger: StudyLedger, concurrent: int) -> None:
        self.ledger = ledger
        self.searcher = OptunaSearcher(ledger, plan)
        self.scheduler = AshaScheduler(ledger)
        self.concurrent = concurrent
        self.reports = 0
        self.suggestions = 0
        self._running: list[_Running] = []
        self._now, self._unit, self._origin = 0.0, 0.0, 0.0
        self._draw = np.random.default_rng(0)

    def pace(self, every: float) -> None:
        """Sets the seconds of a unit of time from now on; before, no time passes."""
        self._unit = every
        self._origin = time.monotonic() - every * self._now

    def run(self) -> Iterator[int]:
        """Yields the number of each trial that has reported."""
        while self._fill():
            one = heapq.heappop(self._running)
            self._now = one.due
            if self._unit:
                time.sleep(max(0.0, self._origin + self._unit * one.due - time.monotonic()))
            one.report += 1
            one.due += one.interval
            self.reports += 1
            result = report_of(self.ledger.spec, one.report, one.quality, self._draw.random())
            if self.scheduler.on_trial_result(None, one.trial, result) == TrialScheduler.STOP:
                self.searcher.on_trial_complete(one.trial.trial_id, {})
            else:
                heapq.heappush(self._running, one)
            yield one.number

    def _fill(self) -> bool:
        while len(self._running) < self.concurrent:
            name = f"simulated-{self.suggestions}"
            suggestion = self.searcher.suggest(name)
            if not isinstance(suggestion, dict):
                break
            self.suggestions += 1
            trial = SimpleNamespace(config=suggestion, trial_id=name)
            self.scheduler.on_trial_add(None, trial)
            quality, interval = self._draw.random(), self._draw.uniform(0.7, 1.3)
            due = self._now + interval
            if self.suggestions <= self.concurrent:
                due += self.ledger.spec.training.reports * self._draw.random()
            one = _Running(due, suggestion["trial"], trial, quality, interval)
            heapq.heappush(self._running, one)
        return bool(self._running)
