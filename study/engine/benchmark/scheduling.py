"""Ray's Searcher and scheduler of a benchmark: hand out the runs, journal what they report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from study.engine.benchmark.runs import Key, Run, key_of, left_to_do, standing
from study.engine.crashes import note_crash
from study.engine.dispatch import Capacity, Dispatcher, unlimited
from study.engine.ledger import Ledger
from study.engine.record import STATE_AFTER, TrialRecord
from study.engine.reports import take
from study.engine.resources import Resources
from study.engine.stopping import verdict
from study.spec import TaskSpec
from study.training.plan import make_plan


@dataclass(frozen=True)
class Planner:
    """Run -> (optimizer steps, reports); picklable, as Ray wants."""

    train_rows: Mapping[TaskSpec, int]

    def __call__(self, run: Run) -> tuple[int, int]:
        """Plans one run; a baseline is one step and one report."""
        if run.cell.is_baseline:
            return 1, 1
        plan = make_plan(run.spec, self.train_rows[run.spec.task], matrices=1)
        return plan.total_steps, len(plan.report_steps)


class RunSearcher(Dispatcher):
    """Hands out the runs that are left, in order, each with its share of the cluster."""

    def __init__(
        self,
        ledger: Ledger,
        runs: Sequence[Run],
        available: Sequence[Run],
        planner: Planner,
        wanted: Mapping[Key, Resources],
        capacity: Capacity = unlimited,
    ) -> None:
        super().__init__(ledger, "max", capacity)
        self.planner, self.wanted = planner, wanted
        self._left = left_to_do(available, ledger.record)
        self._places: dict[Key, int] = {run.key: place for place, run in enumerate(runs)}

    def _next(self) -> int | None:
        if not self._left:
            return None
        run = self._left.pop(0)
        trial = standing(self.ledger.record).get(run.key)
        return self._create(run) if trial is None or trial.state != "running" else trial.number

    def _config(self, trial: TrialRecord) -> dict[str, Any]:
        key = key_of(trial)
        share = self.wanted[key]
        return {"run": self._places[key], "cpus": share.cpus, "gpus": share.gpus}

    def _works(self) -> bool:
        """Whether some run that trains has reported: a baseline works without a backbone."""
        trials = self.ledger.record.trials.values()
        return any(trial.reports for trial in trials if trial.params["backbone"])

    def _create(self, run: Run) -> int:
        number = len(self.ledger.record.trials)
        steps, reports = self.planner(run)
        self.ledger.note(
            "created",
            trial=number,
            params=run.labels,
            settings=run.settings,
            seeds=run.spec.seeds.model_dump() if run.seed is not None else {},
            total_steps=steps,
            reports=reports,
            optuna={},
        )
        return number


class RunRecorder(FIFOScheduler):  # type: ignore[misc]
    """Journals every report and how a run ends; stops none that goes well."""

    def __init__(self, ledger: Ledger, max_failures: int) -> None:
        super().__init__()
        self.ledger = ledger
        self.max_failures = max_failures
        for trial in ledger.record.in_state("running"):
            self._decide(trial)  # What a crash of the driver left unsaid.

    def set_search_properties(self, metric: str | None, mode: str | None, **spec: Any) -> bool:
        """The metric is the benchmark's; Ray may not set another."""
        return True

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """Journals the report, and the end if it is the last."""
        record = self.ledger.record.trials[trial.config["trial"]]
        take(self.ledger, record, result)
        self._decide(record)
        running = record.state == "running"
        return str(TrialScheduler.CONTINUE if running else TrialScheduler.STOP)

    def on_trial_error(self, tune_controller: Any, trial: Trial) -> None:
        """Journals the crash of a worker."""
        note_crash(self.ledger, trial, self.max_failures)

    def _decide(self, trial: TrialRecord) -> None:
        ending = verdict(trial) if trial.reports else None
        if ending is not None:
            decision, reason = ending
            self.ledger.end(trial, STATE_AFTER[decision], reason)

    def __reduce__(self) -> tuple[Any, ...]:
        return (RunRecorder, (self.ledger, self.max_failures))
