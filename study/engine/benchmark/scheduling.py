"""Ray's Searcher and scheduler of a benchmark: hand out the runs, journal what they report."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from study.engine.benchmark.runs import Key, Run, left_to_do, standing
from study.engine.ledger import Ledger
from study.engine.resources import Resources
from study.engine.stopping import STATE_AFTER, verdict
from study.engine.worker import metrics_of
from study.spec import TaskSpec
from study.training.plan import make_plan

GIVE_UP_AFTER = 3
"""A benchmark in which the first runs all crash does not go on to crash in all others."""


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


class RunSearcher(Searcher):  # type: ignore[misc]
    """Hands out the runs that are left, in order, each with its share of the cluster."""

    def __init__(
        self,
        ledger: Ledger,
        runs: Sequence[Run],
        available: Sequence[Run],
        planner: Planner,
        wanted: Mapping[Key, Resources],
    ) -> None:
        super().__init__(metric=ledger.metric, mode="max")
        self.ledger = ledger
        self.runs, self.planner, self.wanted = runs, planner, wanted
        self.gave_up = ""
        self._left = left_to_do(available, ledger.record)
        self._places: dict[Key, int] = {run.key: place for place, run in enumerate(runs)}
        self._numbers: dict[str, int] = {}
        self._crashed = 0

    def suggest(self, trial_id: str) -> dict[str, Any] | str:
        """Returns the configuration of the next run, or FINISHED."""
        if not self._left or self._hopeless():
            return str(Searcher.FINISHED)
        run = self._left.pop(0)
        trial = standing(self.ledger.record).get(run.key)
        number = self._create(run) if trial is None or trial.state != "running" else trial.number
        self._numbers[trial_id] = number
        wanted = self.wanted[run.key]
        return {
            "trial": number,
            "run": self._places[run.key],
            "params": run.labels,
            "cpus": wanted.cpus,
            "gpus": wanted.gpus,
            "assigned": time.time(),
        }

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Nothing to do: the scheduler journals the report."""

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Journals a crash; how else a run ended the scheduler has journalled."""
        if error:
            self._crashed += 1
            trial = self.ledger.record.trials[self._numbers[trial_id]]
            self.ledger.end(trial, "failed", "crashed")

    def save(self, checkpoint_path: str) -> None:
        """Nothing to save: the journal is the state."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing to restore: the journal is the state."""

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

    def _hopeless(self) -> bool:
        trials = self.ledger.record.trials.values()
        reported = any(trial.reports for trial in trials if trial.params["backbone"])
        if self._crashed < GIVE_UP_AFTER or reported:
            return False
        self.gave_up = f"the first {self._crashed} runs all crashed before their first report"
        return True


class RunRecorder(FIFOScheduler):  # type: ignore[misc]
    """Journals every report and how a run ends; stops none that goes well."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__()
        self.ledger = ledger
        for trial in ledger.record.in_state("running"):
            self._decide(trial.number)  # What a crash of the driver left unsaid.

    def set_search_properties(self, metric: str | None, mode: str | None, **spec: Any) -> bool:
        """The metric is the benchmark's; Ray may not set another."""
        return True

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """Journals the report, and the end if it is the last."""
        number, report = trial.config["trial"], int(result["report"])
        if report > len(self.ledger.record.trials[number].reports):
            self.ledger.note(
                "report",
                trial=number,
                report=report,
                step=int(result["step"]),
                metrics=metrics_of(result),
            )
        ended = self._decide(number)
        return str(TrialScheduler.STOP if ended else TrialScheduler.CONTINUE)

    def _decide(self, number: int) -> bool:
        trial = self.ledger.record.trials[number]
        ending = verdict(trial) if trial.reports else None
        if ending is not None:
            decision, reason = ending
            self.ledger.end(trial, STATE_AFTER[decision], reason)
        return ending is not None

    def __reduce__(self) -> tuple[Any, ...]:
        return (RunRecorder, (self.ledger,))
