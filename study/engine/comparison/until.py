"""Adds pairs to a comparison until a decision, or until the budget is spent."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from study.engine.comparison.design import runs_of
from study.engine.comparison.results import write_results
from study.engine.comparison.runs import ComparisonRun
from study.spec.comparison.schema import ComparisonSpec, dump_comparison
from study.storage.durable import replacing
from study.storage.folder import StudyFolder
from study.storage.record import StudyRecord
from study.storage.runs import key_of, latest_trials

ENDED = ("complete", "failed")


@dataclass(frozen=True)
class Growth:
    """How long pairs are added."""

    decided: Callable[[Path], bool]
    """Whether the runs of a comparison's folder decide what was asked; read after every pair."""
    most: int
    """Largest number of pairs."""


class PlannedRuns:
    """The runs of a comparison so far; with a `growth`, more pairs while nothing is decided.

    A `Source` of `execute_runs`. After the decision pairs of which no run has begun are planned no
    more. spec.yaml is written again before the runs of a new pair exist,
    so that a driver that is killed continues with the same pairs.
    """

    def __init__(
        self, folder: StudyFolder, spec: ComparisonSpec, metric: str, growth: Growth | None
    ) -> None:
        self.folder, self.spec, self.metric, self.growth = folder, spec, metric, growth
        self.ahead = 1
        """Pairs that are planned beyond those that have ended, so that no worker is idle."""
        self._runs = runs_of(spec)
        self._looked = -1
        self._decided = False

    def __call__(self, record: StudyRecord) -> list[ComparisonRun]:
        """Returns the runs that should exist by now."""
        if self.growth is not None and self.spec.pairs is not None and not self._decided:
            ended = self._ended_pairs(record)
            if ended > self._looked:
                self._looked = ended
                self._look(self.growth, record, ended)
        return self._runs

    def _look(self, growth: Growth, record: StudyRecord, ended: int) -> None:
        if ended:
            write_results(self.folder, self._runs, record, self.metric)
            self._decided = growth.decided(self.folder.path)
        assert self.spec.pairs is not None
        planned = len(self.spec.pairs.init)
        target = min(growth.most, max(planned, ended + self.ahead))
        begun = self._begun_pairs(record)
        target = begun if self._decided else max(target, begun)
        if target != planned:
            pairs = self.spec.pairs.resized(target)
            self.spec = self.spec.model_copy(update={"pairs": pairs})
            self._runs = runs_of(self.spec)
            with replacing(self.folder.spec) as file:
                file.write(dump_comparison(self.spec).encode())

    def _begun_pairs(self, record: StudyRecord) -> int:
        """Returns the number of pairs up to the last one with a run that has begun."""
        assert self.spec.pairs is not None
        trials, of_pair = latest_trials(record), len(self.spec.configurations)
        runs = self._runs[: of_pair * len(self.spec.pairs.init)]
        begun = [place for place, run in enumerate(runs) if key_of(run) in trials]
        return 1 + max(begun) // of_pair if begun else 0

    def _ended_pairs(self, record: StudyRecord) -> int:
        """Returns the number of pairs before the first one with a run that has not ended."""
        assert self.spec.pairs is not None
        trials = latest_trials(record)
        of_pair = len(self.spec.configurations)
        count = 0
        for run in self._runs[: of_pair * len(self.spec.pairs.init)]:
            trial = trials.get(key_of(run))
            if trial is None or trial.state not in ENDED:
                break
            count += 1
        return count // of_pair
