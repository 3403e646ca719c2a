"""Ray's Searcher of a comparison: hands out runs; runs that share a prefix wait for it."""

from collections.abc import Callable, Sequence
from typing import Any

from typing_extensions import override

from study.engine.comparison.runs import ComparisonRun
from study.engine.comparison.shared_prefixes import SharedPrefixes
from study.engine.scheduling.dispatch import Capacity, unlimited
from study.engine.scheduling.runs import RunSearcher
from study.spec import dump_spec
from study.storage.ledger import Ledger
from study.storage.runs import Source
from study.training.plan import make_plan

Splits = Callable[[ComparisonRun], Sequence[str]]
"""Run -> the splits on which it is scored at its end."""
Keeps = Callable[[ComparisonRun], bool]
"""Run -> whether its trained weights are kept."""


class ComparisonSearcher(RunSearcher[ComparisonRun]):
    """Hands out the runs of a source whose prefix no other run is training at the moment."""

    def __init__(
        self,
        ledger: Ledger,
        source: Source[ComparisonRun],
        prefixes: SharedPrefixes,
        splits: Splits,
        capacity: Capacity = unlimited,
        keeps: Keeps = lambda run: False,
    ) -> None:
        self.prefixes, self.splits, self.keeps = prefixes, splits, keeps
        self.all_runs = source
        super().__init__(ledger, self._ready, self._plan, capacity)

    def _ready(self, record: Any) -> list[ComparisonRun]:
        return self.prefixes.ready(self.all_runs(record), record)

    def _plan(self, run: ComparisonRun) -> tuple[int, int]:
        plan = make_plan(run.spec, self.prefixes.train_rows, matrices=1)
        return plan.total_steps, len(plan.report_steps)

    @override
    def _share(self, run: ComparisonRun) -> dict[str, Any]:
        record = self.ledger.record
        prefix = self.prefixes.shared(run, self.all_runs(record), record)
        return {
            "spec": dump_spec(run.spec),
            "prefix": prefix,
            "splits": self.splits(run),
            "keep": self.keeps(run),
        }
