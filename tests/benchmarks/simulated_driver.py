"""The driver of a study without Ray: searcher, scheduler, ledger and listeners, fed by hand."""

import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from ray.tune.schedulers import TrialScheduler

from study.engine.folder import StudyFolder, open_folder
from study.engine.ledger import StudyLedger
from study.engine.search import OptunaSearcher
from study.engine.stopping import Scheduler
from study.spec import StudySpec, dump_spec, load_spec

REPORTS = 8
METRICS = (
    *("dev_auc", "dev_f1", "dev_accuracy", "dev_loss", "adapter_parameters", "kept_parameters"),
    *("head_parameters", "trainable_parameters", "train_seconds", "peak_memory_gib", "budget"),
    *("kept", "reintroduced", "dropped", "rank", "missing_gradients", "start_seconds"),
)
"""What a report says beside the deciding metric and the training loss."""


def driver_spec(trials: int, *overrides: str) -> StudySpec:
    """The main space with `trials` trials of 8 reports."""
    settings = (f"search.trials={trials}", f"training.reports={REPORTS}", *overrides)
    return load_spec("adalora_rs", settings)


def open_ledger(path: Path, spec: StudySpec) -> StudyLedger:
    """A new study's ledger, or that of the study in the folder."""
    folder = StudyFolder(path) if path.exists() else open_folder(path, dump_spec(spec))
    ledger = StudyLedger(folder, spec)
    if not ledger.opened:
        ledger.note("study", version=1, name=path.name, spec="spec.yaml")
    return ledger


def plan(resolved: StudySpec) -> tuple[int, int]:
    """Steps and reports of every trial."""
    return 20 * REPORTS, REPORTS


class Driver:
    """Runs trials as Ray Tune would, `concurrent` at once, each report at the next chance."""

    def __init__(self, ledger: StudyLedger, concurrent: int) -> None:
        self.ledger = ledger
        self.searcher = OptunaSearcher(ledger, plan)
        self.scheduler = Scheduler(ledger)
        self.concurrent = concurrent
        self.reports = 0
        self._draw = np.random.default_rng(0)

    def run(self) -> Iterator[int]:
        """Yields the number of each trial when it has ended."""
        running: list[dict[str, Any]] = []
        names = iter(range(10**9))
        while True:
            while len(running) < self.concurrent:
                name = f"ray-{next(names)}"
                suggestion = self.searcher.suggest(name)
                if not isinstance(suggestion, dict):
                    break
                trial = SimpleNamespace(config=suggestion, trial_id=name)
                self.scheduler.on_trial_add(None, trial)
                running.append({"trial": trial, "report": 0, "quality": self._draw.random()})
            if not running:
                return
            for one in list(running):
                if self._report(one) == TrialScheduler.STOP:
                    running.remove(one)
                    self.searcher.on_trial_complete(one["trial"].trial_id, {})
                    yield one["trial"].config["trial"]

    def _report(self, one: dict[str, Any]) -> str:
        one["report"] += 1
        self.reports += 1
        score = one["quality"] * one["report"] / REPORTS + 0.05 * self._draw.random()
        values = dict.fromkeys(METRICS, score) | {"dev_mcc": score, "train_loss": 0.5}
        result = {f"metrics/{name}": value for name, value in values.items()}
        result |= {"report": one["report"], "step": 20 * one["report"], "dev_mcc": score}
        self.searcher.on_trial_result(one["trial"].trial_id, result)
        return str(self.scheduler.on_trial_result(None, one["trial"], result))


def cpu_seconds() -> float:
    """CPU time of this process, all threads."""
    return time.process_time()
