"""Prefix sharing: runs that are identical until their first mask event train these steps once.

The prefix of a run is its training up to the step before the first mask event. Runs that differ
only in the mask seed, or in how the mask is drawn, have the same prefix. The first of them saves
its state at the end of the prefix in `prefixes/`; the others wait for it, continue from this state
and repeat the reports made so far. Their numbers are bit for bit those
of runs that share no prefix.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from study.engine.comparison.runs import ComparisonRun
from study.spec import StudySpec
from study.storage.folder import StudyFolder
from study.storage.record import StudyRecord
from study.storage.runs import key_of, latest_trials
from study.training.plan import TrainingPlan, make_plan

_DRAWING = {"method", "p", "p_reintroduce", "final_mask"}
"""Settings that only affect how masks are drawn; the method adalora is adalora_rs with p = 0."""
SHARED = ("shared_steps", "shared_seconds")
"""Metrics of a run that continued from a saved prefix: the training that it took over."""


def prefix_key(spec: StudySpec) -> str:
    """Returns a hash of everything that affects a run before its first mask event."""
    decides = {
        "backbone": spec.backbone.model_dump(mode="json"),
        "task": spec.task.model_dump(mode="json"),
        "adapter": spec.adapter.model_dump(mode="json", exclude=_DRAWING),
        "training": spec.training.model_dump(mode="json"),
        "seeds": spec.seeds.model_dump(exclude={"mask"}),
    }
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:24]


def prefix_state(state: dict[str, Any]) -> dict[str, Any]:
    """Returns a trial's state without the allocator's settings of drawing.

    No mask has been drawn yet, so that runs with other such settings continue from it.
    """
    allocator = state["allocator"]
    drawing = _DRAWING | {"mask_seed"}
    settings = {n: value for n, value in allocator["settings"].items() if n not in drawing}
    return state | {"allocator": allocator | {"settings": settings}}


def prefix_steps(plan: TrainingPlan) -> int:
    """Returns the last step before the first mask event; 0 if there is no mask event."""
    return 0 if plan.budget is None else plan.budget.events()[0][0] - 1


class Prefixes:
    """The prefixes of runs: their keys, and the steps that sharing saves."""

    def __init__(self, train_rows: int) -> None:
        self.train_rows = train_rows
        self._known: dict[tuple[object, ...], tuple[str, int]] = {}

    def key(self, run: ComparisonRun) -> str | None:
        """Returns the key of a run's prefix; None without a mask event."""
        key, steps = self._of(run)
        return key if steps else None

    def saving(self, runs: Iterable[ComparisonRun]) -> int:
        """Returns the number of steps that need no training if `runs` share their prefixes."""
        prefixes = [self._of(run) for run in runs]
        return sum(steps for _, steps in prefixes) - sum(dict(prefixes).values())

    def _of(self, run: ComparisonRun) -> tuple[str, int]:
        """The key of a run's prefix, and its number of steps."""
        place = (run.configuration.label, run.init, run.data)
        if place not in self._known:
            spec = run.spec
            steps = prefix_steps(make_plan(spec, self.train_rows, matrices=1))
            self._known[place] = (prefix_key(spec), steps)
        return self._known[place]


class SharedPrefixes(Prefixes):
    """The prefixes of a folder: which runs share them, and which runs have to wait for one."""

    def __init__(self, folder: StudyFolder, train_rows: int) -> None:
        super().__init__(train_rows)
        self.folder = folder

    def ready(self, runs: Sequence[ComparisonRun], record: StudyRecord) -> list[ComparisonRun]:
        """Returns the runs that can start: all but those whose prefix another run is training."""
        trials = latest_trials(record)
        training = {
            self.key(run)
            for run in runs
            if key_of(run) in trials and trials[key_of(run)].state == "running"
        }
        ready = []
        for run in runs:
            key = self.key(run)
            if key is None or key_of(run) in trials or self._exists(key):
                ready.append(run)
            elif key not in training:
                training.add(key)
                ready.append(run)
        return ready

    def shared(
        self, run: ComparisonRun, runs: Iterable[ComparisonRun], record: StudyRecord
    ) -> str | None:
        """Returns the key of the prefix that a run shares with others; None if it shares none."""
        key = self.key(run)
        if key is None or self._exists(key):
            return key
        return key if self._needed(runs, record)[key] > 1 else None

    def discard_unneeded(self, runs: Iterable[ComparisonRun], record: StudyRecord) -> None:
        """Deletes the prefixes that no run will continue from, damaged ones included.

        Files that cannot be deleted are kept; they only take space.
        """
        needed = self._needed(runs, record)
        for file in self.folder.prefixes.glob("*"):
            if file.name.partition(".")[0] not in needed:
                try:
                    file.unlink(missing_ok=True)
                except OSError:
                    continue

    def _exists(self, key: str) -> bool:
        return self.folder.prefix(key).exists()

    def _needed(self, runs: Iterable[ComparisonRun], record: StudyRecord) -> Counter[str]:
        """Returns the number of runs that have not ended, by the key of their prefix."""
        trials = latest_trials(record)
        return Counter(
            key
            for run in runs
            if (key := self.key(run)) is not None
            and (key_of(run) not in trials or trials[key_of(run)].state == "running")
        )
