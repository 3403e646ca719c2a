"""Ray's Searcher of replicates: what the source wants, those that share a beginning in turn."""

from collections.abc import Callable, Sequence
from typing import Any

from typing_extensions import override

from study.engine.comparison.prefixes import SharedPrefixes
from study.engine.comparison.replicates import Replicate
from study.engine.scheduling.dispatch import Capacity, unlimited
from study.engine.scheduling.runs import RunSearcher
from study.spec import dump_spec
from study.storage.ledger import Ledger
from study.storage.runs import Source
from study.training.plan import make_plan

Splits = Callable[[Replicate], Sequence[str]]
"""Run -> the splits that it is scored on at its end."""


class ReplicateSearcher(RunSearcher[Replicate]):
    """Hands out the replicates that a source wants and whose beginning nobody is at work on."""

    def __init__(
        self,
        ledger: Ledger,
        source: Source[Replicate],
        prefixes: SharedPrefixes,
        splits: Splits,
        capacity: Capacity = unlimited,
    ) -> None:
        self.prefixes, self.splits = prefixes, splits
        self.wanted = source
        super().__init__(ledger, self._ready, self._plan, capacity)

    def _ready(self, record: Any) -> list[Replicate]:
        return self.prefixes.ready(self.wanted(record), record)

    def _plan(self, run: Replicate) -> tuple[int, int]:
        plan = make_plan(run.spec, self.prefixes.train_rows, matrices=1)
        return plan.total_steps, len(plan.report_steps)

    @override
    def _share(self, run: Replicate) -> dict[str, Any]:
        record = self.ledger.record
        prefix = self.prefixes.shared(run, self.wanted(record), record)
        return {"spec": dump_spec(run.spec), "prefix": prefix, "splits": self.splits(run)}
