"""A simulated Ray Tune for comparisons: no Ray, no training, invented reports."""

from collections import deque
from types import SimpleNamespace
from typing import Any

from study.engine.comparison.runs import ComparisonRun
from study.engine.comparison.scheduling import ComparisonSearcher
from study.engine.comparison.shared_prefixes import SharedPrefixes
from study.engine.scheduling.runs import RunRecorder
from study.storage.events import TrialCrashed
from study.storage.ledger import Ledger
from study.storage.runs import Source
from tests.study.engine.comparison.small import ROWS


class Driver:
    """Runs `concurrent` runs at once, which report in turn; counts what it was handed."""

    def __init__(self, ledger: Ledger, source: Source[ComparisonRun], concurrent: int = 2) -> None:
        self.ledger = ledger
        self.prefixes = SharedPrefixes(ledger.folder, ROWS)
        self.searcher = ComparisonSearcher(
            ledger, source, self.prefixes, lambda run: ("dev", "test")
        )
        self.recorder = RunRecorder(ledger, max_failures=1)
        self.concurrent = concurrent
        self.handed: list[dict[str, Any]] = []
        self.answers: list[Any] = []
        self.running: deque[Any] = deque()

    def fill(self) -> None:
        """Asks for runs while there is room."""
        while len(self.running) < self.concurrent:
            name = f"simulated-{len(self.handed)}"
            found = self.searcher.suggest(name)
            self.answers.append(found)
            if not isinstance(found, dict):
                return
            self.handed.append(found)
            self.running.append(SimpleNamespace(config=found, trial_id=name))

    def report(self, value: float = 0.5, **metrics: Any) -> int:
        """The run that has waited longest reports, with a score at its end; returns its number."""
        ray_trial = self.running.popleft()
        number = int(ray_trial.config["trial"])
        report = len(self.ledger.record.trials[number].reports) + 1
        scored = {"dev_mcc": value} if report == 2 else {}
        message = {"train_loss": 0.1} | scored | metrics
        result = {f"metrics/{name}": found for name, found in message.items()}
        answer = self.recorder.on_trial_result(
            None, ray_trial, {"report": report, "step": 4 * report, **result}
        )
        if answer == "STOP":
            self.searcher.on_trial_complete(ray_trial.trial_id, {})
        else:
            self.running.append(ray_trial)
        return number

    def crash(self, fault: bool = True) -> int:
        """The run that has waited longest crashes; returns its number."""
        ray_trial = self.running.popleft()
        trial = self.ledger.record.trials[ray_trial.config["trial"]]
        self.ledger.append(
            TrialCrashed(
                trial=trial.number, attempt=trial.crashes + 1, fault=fault, reason="a bug"
            )
        )
        if trial.crashes > self.recorder.max_failures:
            self.ledger.end(trial, "failed", "crashed 2 times, the last time: a bug")
        self.searcher.on_trial_complete(ray_trial.trial_id, error=True)
        return trial.number

    def finish(self) -> None:
        """Runs everything that comes to its end."""
        self.fill()
        while self.running:
            self.report()
            self.fill()
