"""Ray's Searcher and scheduler of runs without early stopping, as of a benchmark."""

from collections.abc import Callable
from typing import Any, Generic

from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from typing_extensions import override

from study.engine.scheduling.dispatch import Capacity, Dispatcher, unlimited
from study.engine.scheduling.outcomes import final_decision, record_crash, record_report
from study.storage.ledger import Ledger
from study.storage.record import STATE_AFTER, TrialRecord
from study.storage.runs import RunT, Source, created, is_unfinished, key_of, latest_trials

RunPlanner = Callable[[RunT], tuple[int, int]]
"""Run -> (optimizer steps, reports)."""


class RunSearcher(Dispatcher, Generic[RunT]):
    """Suggests the runs of a source in order, each once a session.

    An unfinished run of an earlier session continues as the same trial; a run that crashed there
    becomes a new trial. The source is called for every suggestion.
    """

    def __init__(
        self,
        ledger: Ledger,
        source: Source[RunT],
        planner: RunPlanner[RunT],
        capacity: Capacity = unlimited,
    ) -> None:
        super().__init__(ledger, "max", capacity)
        self.source, self.planner = source, planner
        self._crashed_before = {
            trial.number
            for trial in ledger.record.trials.values()
            if trial.state != "running" and is_unfinished(trial)
        }
        self._suggested: dict[int, RunT] = {}

    @override
    def _next(self) -> int | None:
        trials = latest_trials(self.ledger.record)
        for run in self.source(self.ledger.record):
            trial = trials.get(key_of(run))
            if trial is None or trial.number in self._crashed_before:
                number = self._create(run)
            elif trial.state == "running" and trial.number not in self._suggested:
                number = trial.number
            else:
                continue
            self._suggested[number] = run
            return number
        return None

    @override
    def _config(self, trial: TrialRecord) -> dict[str, Any]:
        return self._share(self._suggested[trial.number])

    def _share(self, run: RunT) -> dict[str, Any]:
        """Returns further entries of a run's configuration for the worker."""
        raise NotImplementedError

    def _create(self, run: RunT) -> int:
        number = len(self.ledger.record.trials)
        steps, reports = self.planner(run)
        self.ledger.append(created(number, run, steps, reports))
        return number

    @override
    def __getstate__(self) -> dict[str, Any]:
        return {"ledger": self.ledger}


class RunRecorder(FIFOScheduler):  # type: ignore[misc]
    """Journals every report and the end of a run; stops only runs that fail."""

    def __init__(self, ledger: Ledger, max_failures: int) -> None:
        super().__init__()
        self.ledger = ledger
        self.max_failures = max_failures
        for trial in ledger.record.in_state("running"):
            self._decide(trial)  # A crash of the driver may have prevented it.

    @override
    def set_search_properties(self, metric: str | None, mode: str | None, **spec: Any) -> bool:
        """Does nothing: the metric is the ledger's."""
        return True

    @override
    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """Journals the report, and the end of the run after the last one."""
        record = self.ledger.record.trials[trial.config["trial"]]
        with self.ledger.batch():
            record_report(self.ledger, record, result)
            self._decide(record)
        running = record.state == "running"
        return str(TrialScheduler.CONTINUE if running else TrialScheduler.STOP)

    @override
    def on_trial_error(self, tune_controller: Any, trial: Trial) -> None:
        """Journals the crash of a worker."""
        record_crash(self.ledger, trial, self.max_failures)

    def _decide(self, trial: TrialRecord) -> None:
        ending = final_decision(trial) if trial.reports else None
        if ending is not None:
            decision, reason = ending
            self.ledger.end(trial, STATE_AFTER[decision], reason)

    @override
    def __reduce__(self) -> tuple[Any, ...]:
        return (RunRecorder, (self.ledger, self.max_failures))
