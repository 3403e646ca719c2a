"""The race so far, as a result shows it: whether it runs or is over."""

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from study.spec import StudySpec
from study.storage.events import RaceDecided
from study.storage.race import (
    SEARCH_WEIGHT,
    Race,
    candidates,
    current_race,
    decided_race,
    estimates,
    planned_runs,
    repeat_of,
)
from study.storage.record import StudyRecord
from study.storage.result.fields import RaceView
from study.storage.runs import label_of_trial, latest_trials

Fresh = Mapping[int, Mapping[int, float | None]]


@dataclass(frozen=True)
class Noise:
    """How scores of the same settings differ between seeds."""

    sd: float
    freedom: int
    """Degrees of freedom of `sd`."""


@dataclass(frozen=True)
class RaceSoFar:
    """A race and the scores of its candidates."""

    search: Mapping[int, float]
    """Trial -> its score in the search, the best first."""
    fresh: Fresh
    """Trial -> repeat -> score of a run that has ended; None for a run that failed."""
    race: Race
    confirm: int

    @property
    def view(self) -> RaceView:
        """The race without its scores."""
        scores = [self.fresh.get(trial, {}).get(repeat, ...) for trial, repeat in self.race.runs]
        return RaceView(
            candidates=tuple(self.search),
            rounds=tuple(tuple(trials) for trials in self.race.rounds),
            winner=self.race.winner,
            runs_ended=sum(score is not ... for score in scores),
            runs_planned=planned_runs(len(self.search), self.confirm),
            failed=scores.count(None),
        )

    def choosing(self, trial: int) -> tuple[float | None, ...]:
        """Returns the scores of a trial that choose the winner."""
        return self._scores(trial, confirming=False)

    def confirming(self, trial: int) -> tuple[float | None, ...]:
        """Returns the scores of a trial that confirm it; empty for all but the winner."""
        return self._scores(trial, confirming=True)

    @cached_property
    def estimates(self) -> dict[int, float]:
        """Trial -> its expected score with another seed; empty before the first run has ended."""
        chosen = {t: dict(enumerate(self.choosing(t))) for t in self.search}
        if not any(chosen.values()):
            return {}
        return estimates(list(self.search), self.search, chosen)

    def error(self, trial: int) -> float | None:
        """Returns the standard error of a trial's estimate; None if the noise is not known."""
        if self.noise is None or trial not in self.estimates:
            return None
        runs = sum(score is not None for score in self.choosing(trial))
        return self.noise.sd * math.sqrt(SEARCH_WEIGHT**2 + runs) / (SEARCH_WEIGHT + runs)

    @cached_property
    def noise(self) -> Noise | None:
        """The sd between runs of the same settings; None before a trial has two scores."""
        squares, freedom = 0.0, 0
        for trial in self.search:
            runs = self.choosing(trial) + self.confirming(trial)
            known = [score for score in runs if score is not None]
            if len(known) > 1:
                squares += statistics.variance(known) * (len(known) - 1)
                freedom += len(known) - 1
        return Noise((squares / freedom) ** 0.5, freedom) if freedom else None

    def rounds(self, trial: int) -> int:
        """Returns the number of rounds that a trial has reached."""
        return sum(trial in trials for trials in self.race.rounds)

    def _scores(self, trial: int, confirming: bool) -> tuple[float | None, ...]:
        ended = self.fresh.get(trial, {})
        later = self.race.confirming if trial == self.race.winner else ()
        runs = [repeat for one, repeat in self.race.runs if one == trial and repeat in ended]
        return tuple(ended[repeat] for repeat in runs if (repeat in later) == confirming)


def race_scores(
    record: StudyRecord, spec: StudySpec, race: StudyRecord | None
) -> RaceSoFar | None:
    """Returns the race of a study; None before it begins, or without one."""
    over = record.winner.race if record.winner else None
    if record.winner is not None and over:
        search = {one.trial: one.search for one in over.candidates}
        fresh = {one.trial: dict(enumerate(one.fresh)) for one in over.candidates}
        decision = RaceDecided(
            candidates=list(search), rounds=over.rounds, winner=record.winner.trial
        )
        confirm = len(over.seeds)
        return RaceSoFar(search, fresh, decided_race(decision, confirm), confirm)
    racing = candidates(record, spec)
    if race is None or len(racing) < 2:
        return None
    search = {trial.number: float(trial.value or 0) for trial in racing}
    fresh, confirm = _ended(record, spec, race), spec.finalists.confirm
    known = record.finalists
    if known is not None and set(known.candidates) == set(search):
        return RaceSoFar(search, fresh, decided_race(known, confirm), confirm)
    maximize = spec.goals.objectives[0].maximize
    return RaceSoFar(search, fresh, current_race(search, fresh, maximize, confirm), confirm)


def _ended(
    record: StudyRecord, spec: StudySpec, race: StudyRecord
) -> dict[int, dict[int, float | None]]:
    """Returns the scores of the runs of a race that have ended, by trial and repeat."""
    numbers = {label_of_trial(trial): trial.number for trial in record.trials.values()}
    scores: dict[int, dict[int, float | None]] = {}
    seeds = spec.seeds.model_dump()
    for run in latest_trials(race).values():
        trial = numbers.get(str(run.labels["configuration"]))
        if trial is not None and run.state != "running":
            value = run.value if run.state == "complete" else None
            scores.setdefault(trial, {})[repeat_of(run.seeds, seeds)] = value
    return {trial: dict(sorted(runs.items())) for trial, runs in scores.items()}
