"""Ray's Searcher of a benchmark, in which runs need different resources."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from typing_extensions import override

from study.engine.benchmark.runs import BenchmarkRun
from study.engine.resources import Resources
from study.engine.scheduling.dispatch import Capacity, unlimited
from study.engine.scheduling.runs import RunSearcher
from study.spec import TaskSpec
from study.storage.ledger import Ledger
from study.storage.runs import Key, key_of
from study.training.plan import make_plan


@dataclass(frozen=True)
class BenchmarkPlanner:
    """Run -> (optimizer steps, reports); a class, as Ray pickles it."""

    train_rows: Mapping[TaskSpec, int]

    def __call__(self, run: BenchmarkRun) -> tuple[int, int]:
        """Returns the steps and reports of a run; a baseline has one of each."""
        if run.cell.is_baseline:
            return 1, 1
        plan = make_plan(run.spec, self.train_rows[run.spec.task], matrices=1)
        return plan.total_steps, len(plan.report_steps)


class BenchmarkSearcher(RunSearcher[BenchmarkRun]):
    """Suggests the runs whose backbone and task are available, in order."""

    def __init__(
        self,
        ledger: Ledger,
        runs: Sequence[BenchmarkRun],
        available: Sequence[BenchmarkRun],
        planner: BenchmarkPlanner,
        trial_resources: Mapping[Key, Resources],
        capacity: Capacity = unlimited,
    ) -> None:
        super().__init__(ledger, lambda record: available, planner, capacity)
        self.trial_resources = trial_resources
        self._places: dict[Key, int] = {key_of(run): place for place, run in enumerate(runs)}

    @override
    def _share(self, run: BenchmarkRun) -> dict[str, Any]:
        key = key_of(run)
        share = self.trial_resources[key]
        return {"run": self._places[key], "cpus": share.cpus, "gpus": share.gpus}

    @override
    def _successes(self) -> int:
        """Returns the number of reports of runs with a backbone: baselines train none."""
        trials = self.ledger.record.trials.values()
        return sum(len(trial.reports) for trial in trials if trial.labels["backbone"])
