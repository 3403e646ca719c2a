"""Ray's Searcher and scheduler of single runs: hand them out, journal what they report."""

from collections.abc import Callable
from typing import Any, Generic

from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from typing_extensions import override

from study.engine.scheduling.dispatch import Capacity, Dispatcher, unlimited
from study.engine.scheduling.outcomes import note_crash, take, verdict
from study.storage.events import TrialCreated
from study.storage.ledger import Ledger
from study.storage.record import STATE_AFTER, TrialRecord
from study.storage.runs import Asked, Source, is_open, key_of, standing

Planner = Callable[[Asked], tuple[int, int]]
"""Run -> (optimizer steps, reports)."""


class RunSearcher(Dispatcher, Generic[Asked]):
    """Hands out the runs that its source wants, in that order, each once a session.

    Those of an earlier session that are not done come as the trials that they were; those that
    crashed then as new ones. The source is asked again whenever there is room.
    """

    def __init__(
        self,
        ledger: Ledger,
        source: Source[Asked],
        planner: Planner[Asked],
        capacity: Capacity = unlimited,
    ) -> None:
        super().__init__(ledger, "max", capacity)
        self.source, self.planner = source, planner
        self._crashed_before = {
            trial.number
            for trial in ledger.record.trials.values()
            if trial.state != "running" and is_open(trial)
        }
        self._handed: dict[int, Asked] = {}

    @override
    def _next(self) -> int | None:
        stands = standing(self.ledger.record)
        for run in self.source(self.ledger.record):
            trial = stands.get(key_of(run))
            if trial is None or trial.number in self._crashed_before:
                number = self._create(run)
            elif trial.state == "running" and trial.number not in self._handed:
                number = trial.number
            else:
                continue
            self._handed[number] = run
            return number
        return None

    @override
    def _config(self, trial: TrialRecord) -> dict[str, Any]:
        return self._share(self._handed[trial.number])

    def _share(self, run: Asked) -> dict[str, Any]:
        """Returns what a worker must know of a run, beside its number and labels."""
        raise NotImplementedError

    def _create(self, run: Asked) -> int:
        number = len(self.ledger.record.trials)
        steps, reports = self.planner(run)
        self.ledger.append(
            TrialCreated(
                trial=number,
                params=run.labels,
                settings=run.settings,
                seeds=run.seeds,
                total_steps=steps,
                reports=reports,
                optuna={},
            )
        )
        return number

    @override
    def __getstate__(self) -> dict[str, Any]:
        return {"ledger": self.ledger}


class RunRecorder(FIFOScheduler):  # type: ignore[misc]
    """Journals every report and how a run ends; stops none that goes well."""

    def __init__(self, ledger: Ledger, max_failures: int) -> None:
        super().__init__()
        self.ledger = ledger
        self.max_failures = max_failures
        for trial in ledger.record.in_state("running"):
            self._decide(trial)  # What a crash of the driver left unsaid.

    @override
    def set_search_properties(self, metric: str | None, mode: str | None, **spec: Any) -> bool:
        """The metric is the ledger's; Ray may not set another."""
        return True

    @override
    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """Journals the report, and the end if it is the last."""
        record = self.ledger.record.trials[trial.config["trial"]]
        with self.ledger.batch():
            take(self.ledger, record, result)
            self._decide(record)
        running = record.state == "running"
        return str(TrialScheduler.CONTINUE if running else TrialScheduler.STOP)

    @override
    def on_trial_error(self, tune_controller: Any, trial: Trial) -> None:
        """Journals the crash of a worker."""
        note_crash(self.ledger, trial, self.max_failures)

    def _decide(self, trial: TrialRecord) -> None:
        ending = verdict(trial) if trial.reports else None
        if ending is not None:
            decision, reason = ending
            self.ledger.end(trial, STATE_AFTER[decision], reason)

    @override
    def __reduce__(self) -> tuple[Any, ...]:
        return (RunRecorder, (self.ledger, self.max_failures))
