"""Runs that are the same until their first mask event train that beginning once.

They differ in nothing but the mask seed and in how the mask is drawn. The first of them leaves
its state before that event in `prefixes/`; the others wait for it, go on from there, and say again
what it reported so far. None of their numbers differs from those of a run that trained alone.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence

from study.engine.comparison.runs import ComparisonRun
from study.spec import StudySpec
from study.storage.folder import StudyFolder
from study.storage.record import StudyRecord
from study.storage.runs import key_of, standing
from study.training.plan import TrainingPlan, make_plan

_DRAWING = {"method", "p", "p_reintroduce", "final_mask"}
"""Settings that decide how a mask is drawn, and nothing before that. Plain AdaLoRA is p = 0."""
SHARED = ("shared_steps", "shared_seconds")
"""Metrics of a run that went on from another's beginning: what it did not train itself."""


def prefix_key(spec: StudySpec) -> str:
    """Names all that decides a run before its first mask event."""
    decides = {
        "backbone": spec.backbone.model_dump(mode="json"),
        "task": spec.task.model_dump(mode="json"),
        "adapter": spec.adapter.model_dump(mode="json", exclude=_DRAWING),
        "training": spec.training.model_dump(mode="json"),
        "seeds": spec.seeds.model_dump(exclude={"mask"}),
    }
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:24]


def fork(plan: TrainingPlan) -> int:
    """Returns the last step before the first mask event's; 0 where there is none."""
    return 0 if plan.budget is None else plan.budget.events()[0][0] - 1


class Prefixes:
    """The beginnings of runs, by name."""

    def __init__(self, train_rows: int) -> None:
        self.train_rows = train_rows
        self._known: dict[tuple[object, ...], tuple[str, int]] = {}

    def key(self, run: ComparisonRun) -> str | None:
        """Names the beginning of a run; None where no mask event ends it."""
        key, steps = self._of(run)
        return key if steps else None

    def saving(self, runs: Iterable[ComparisonRun]) -> int:
        """Returns the steps that need no training if `runs` share what they can."""
        found = [self._of(run) for run in runs]
        return sum(steps for _, steps in found) - sum(dict(found).values())

    def _of(self, run: ComparisonRun) -> tuple[str, int]:
        """The name of a run's beginning, and its steps."""
        place = (run.configuration.label, run.init, run.data)
        if place not in self._known:
            spec = run.spec
            steps = fork(make_plan(spec, self.train_rows, matrices=1))
            self._known[place] = (prefix_key(spec), steps)
        return self._known[place]


class SharedPrefixes(Prefixes):
    """Which runs of a folder are to share, and which of them must wait."""

    def __init__(self, folder: StudyFolder, train_rows: int) -> None:
        super().__init__(train_rows)
        self.folder = folder

    def ready(self, runs: Sequence[ComparisonRun], record: StudyRecord) -> list[ComparisonRun]:
        """Leaves out the runs whose beginning another is at work on, or about to be."""
        stands = standing(record)
        begun = {
            self.key(run)
            for run in runs
            if key_of(run) in stands and stands[key_of(run)].state == "running"
        }
        ready = []
        for run in runs:
            key = self.key(run)
            if key is None or key_of(run) in stands or self._is_there(key):
                ready.append(run)
            elif key not in begun:
                begun.add(key)
                ready.append(run)
        return ready

    def shared(
        self, run: ComparisonRun, runs: Iterable[ComparisonRun], record: StudyRecord
    ) -> str | None:
        """Names the beginning that a run shares with others; None if it trains it alone."""
        key = self.key(run)
        if key is None or self._is_there(key):
            return key
        return key if self._needed(runs, record)[key] > 1 else None

    def discard_unneeded(self, runs: Iterable[ComparisonRun], record: StudyRecord) -> None:
        """Deletes the beginnings that no run will go on from, damaged ones too.

        What cannot be deleted stays: it takes room, no more.
        """
        needed = self._needed(runs, record)
        for file in self.folder.prefixes.glob("*"):
            if file.name.partition(".")[0] not in needed:
                try:
                    file.unlink(missing_ok=True)
                except OSError:
                    continue

    def _is_there(self, key: str) -> bool:
        return self.folder.prefix(key).exists()

    def _needed(self, runs: Iterable[ComparisonRun], record: StudyRecord) -> Counter[str]:
        """How many runs that have not ended begin alike, by the name of that beginning."""
        stands = standing(record)
        return Counter(
            key
            for run in runs
            if (key := self.key(run)) is not None
            and (key_of(run) not in stands or stands[key_of(run)].state == "running")
        )
