"""Runs the race of a study's finalists, in the comparison folder `finalists/`.

The best trials of the search train again with fresh seeds in rounds of successive halving; the
last one is the winner, and its score is estimated with further seeds (storage/race.py). The runs
of a round depend on the scores of earlier ones, so they are not fixed at the start.
"""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from study.engine.comparison.execution import RunContext, execute_runs, open_comparison
from study.engine.comparison.runs import ComparisonRun, Configuration
from study.engine.console.display import Display
from study.engine.driver import record_new_address
from study.engine.resources import Resources
from study.engine.tracking.database import sqlite_uri
from study.engine.tracking.subject import experiment_of, of_race
from study.engine.tracking.tracker import Tracker
from study.errors import InputError
from study.models.info import BackboneInfo
from study.spec import resolve
from study.spec.comparison.schema import ConfigurationsSpec, dump_comparison
from study.storage.events import CandidateScores, RaceDecided, RaceResult
from study.storage.folder import StudyFolder
from study.storage.ledger import Ledger, StudyLedger
from study.storage.live.building import study_snapshot
from study.storage.live.snapshot import Snapshot
from study.storage.race import (
    Race,
    RaceScores,
    current_race,
    decided_race,
    fresh_seeds,
    planned_runs,
)
from study.storage.record import StudyRecord, TrialRecord
from study.storage.runs import key_of, label_of_trial, latest_trials
from study.storage.stored import StoredStudy
from study.training.encoding import EncodedTask

REPORTS = 2
"""Reports of a run: the last one has the score, the others only write checkpoints."""


@dataclass(frozen=True)
class RaceOutcome:
    """The result of a race, or why there is none."""

    race: RaceResult | None
    """None if the race has not finished, or if there were fewer than two candidates."""
    winner: int | None
    """None if it is not known yet, or if no trial is complete."""
    gave_up: str = ""
    """Why the race was given up; else empty."""


class Candidates:
    """The candidates of a study, their runs, and the state of the race between them."""

    def __init__(self, ledger: StudyLedger) -> None:
        self.ledger = ledger
        self.search = {trial.number: float(trial.value or 0) for trial in ledger.finalists()}
        trials = ledger.record.trials
        self._of = {number: self._configuration(trials[number]) for number in self.search}

    def _configuration(self, trial: TrialRecord) -> Configuration:
        spec = resolve(self.ledger.spec, trial.params)
        reports = min(REPORTS, spec.training.reports)
        training = spec.training.model_copy(update={"reports": reports})
        changes = {"training": training, "mask_probe": None}
        return Configuration(label_of_trial(trial), spec.model_copy(update=changes))

    @property
    def configurations(self) -> list[Configuration]:
        """The configurations of the candidates, the best in the search first."""
        return list(self._of.values())

    def run(self, trial: int, repeat: int) -> ComparisonRun:
        """Returns the run of a candidate with the `repeat`-th fresh seeds, from 0."""
        seeds = fresh_seeds(self.ledger.spec.seeds.model_dump(), repeat)
        return ComparisonRun.of(self._of[trial], **seeds)

    def scores(self, record: StudyRecord) -> RaceScores:
        """Returns the scores of all runs that have ended, including those of an earlier race."""
        trials, scores = latest_trials(record), {}
        for trial in self.search:
            runs = {k: trials.get(key_of(self.run(trial, k))) for k in range(self._most)}
            scores[trial] = {
                k: run.value if run.state == "complete" else None
                for k, run in runs.items()
                if run is not None and run.state != "running"
            }
        return scores

    def check(self, record: StudyRecord) -> None:
        """Checks that the runs of a race are of this study's trials.

        Raises:
            InputError: some have other settings. This happens if an older copy of the study's
                journal was restored and its later trials were created again.
        """
        trials = {label_of_trial(trial): trial for trial in self.ledger.record.trials.values()}
        for run in record.trials.values():
            label = str(run.labels["configuration"])
            trial = trials.get(label)
            if trial is None or not _agree(self._configuration(trial).settings, run.settings):
                raise InputError(
                    f"{self.ledger.folder.finalists}: the runs of a race must be of the study's "
                    f"trials, but got other settings for {label}; restore the newest "
                    "events.jsonl of the study, or remove this folder, and the race is run again"
                )

    @property
    def _most(self) -> int:
        """An upper bound of the number of fresh seeds of a candidate."""
        return 2 * len(self.search) + self.ledger.spec.finalists.confirm

    @property
    def decision(self) -> RaceDecided | None:
        """The recorded decision between these candidates, if there is one."""
        decision = self.ledger.record.finalists
        return decision if decision and set(decision.candidates) == set(self.search) else None

    def race(self, record: StudyRecord) -> Race:
        """Returns the state of the race; a decision that has been recorded is kept."""
        confirm = self.ledger.spec.finalists.confirm
        if self.decision is not None:
            return decided_race(self.decision, confirm)
        return current_race(self.search, self.scores(record), self.ledger.maximize, confirm)

    def deciding_runs(self, record: StudyRecord) -> list[ComparisonRun]:
        """Returns the runs so far that decide the winner; a `Source` of `execute_runs`."""
        race = self.race(record)
        chosen = len(race.runs) - len(race.confirming)
        return [self.run(*one) for one in race.runs[:chosen]]

    def all_runs(self, record: StudyRecord) -> list[ComparisonRun]:
        """Returns all runs so far, with those that estimate the winner's score; a `Source`."""
        return [self.run(*one) for one in self.race(record).runs]

    def reported_runs(self) -> list[ComparisonRun]:
        """Returns the runs that estimate the winner's score; empty before the decision."""
        if self.decision is None:
            return []
        race = decided_race(self.decision, self.ledger.spec.finalists.confirm)
        return [self.run(self.decision.winner, k) for k in race.confirming]

    def record_decision(self, race: Race) -> None:
        """Records the decision, before the winner is evaluated on the test split."""
        assert race.winner is not None
        self.ledger.append(
            RaceDecided(candidates=list(self.search), rounds=race.rounds, winner=race.winner)
        )


def run_race(
    ledger: StudyLedger,
    info: BackboneInfo,
    data: EncodedTask,
    trial_resources: Resources,
    tracking_uri: str | None,
    display: Display,
) -> RaceOutcome:
    """Runs the race of a study whose trials have all ended; resumes an interrupted race.

    Only the runs that estimate the winner's score are evaluated on the test split. With
    `task.resplit` the data seed of a run draws train and dev from the rows outside of test.

    Raises:
        InputError: earlier runs of the race are of other trials.
    """
    candidates = Candidates(ledger)
    if len(candidates.search) < 2:
        return RaceOutcome(None, next(iter(candidates.search), None))
    # No row by which settings were chosen may become a test row.
    data = data.with_test_held_out()
    stored = StoredStudy.read(StudyFolder(ledger.folder.finalists))
    candidates.check(stored.record(ledger.metric))
    spec = {one.label: one.spec for one in candidates.configurations}
    text = dump_comparison(ConfigurationsSpec(configurations=spec))
    uri = _address(ledger, tracking_uri)
    runs = open_comparison(
        stored, text, ledger.metric, info, data, uri, experiment_of(ledger.record)
    )
    tracker = _tracker(ledger, runs, uri)
    with tracker.ending(runs.record):
        context = RunContext(
            info,
            data,
            trial_resources,
            lambda run: _splits(candidates, run),
            lambda run: run in candidates.reported_runs(),
        )
        outcome = _run(candidates, runs, context, tracker, display)
        tracker.close(runs.record, "KILLED" if outcome.race is None else "FINISHED")
    return outcome


def bring_race_up_to_date(ledger: StudyLedger, tracking_uri: str | None) -> None:
    """Writes those entries of a finished race to MLflow that are missing there."""
    folder = StudyFolder(ledger.folder.finalists)
    if folder.journal.exists():
        uri, runs = _address(ledger, tracking_uri), Ledger(folder, ledger.metric)
        runs.drop_torn_line()
        record_new_address(runs, uri)
        _tracker(ledger, runs, uri).close(runs.record, "FINISHED")


def _address(ledger: StudyLedger, tracking_uri: str | None) -> str:
    """Returns the MLflow address of the race, that of the study."""
    return tracking_uri or sqlite_uri(ledger.folder.mlflow)


def _tracker(ledger: StudyLedger, runs: Ledger, uri: str) -> Tracker:
    return Tracker(runs, uri, of_race(ledger, runs))


def _run(
    candidates: Candidates, runs: Ledger, context: RunContext, tracker: Tracker, display: Display
) -> RaceOutcome:
    """Runs the rounds of the race, then the runs that estimate the winner's score."""
    total = planned_runs(len(candidates.search), candidates.ledger.spec.finalists.confirm)
    display.phase(f"the race: {len(candidates.search)} candidates, {total} runs with fresh seeds")
    ledger = candidates.ledger
    name, workers = ledger.folder.path.name, context.resources.concurrent

    def look(now: float) -> Snapshot:
        return study_snapshot(name, ledger.spec, ledger.record, runs.record, now, workers)

    gave_up = ""
    if candidates.decision is None:
        gave_up = execute_runs(runs, candidates.deciding_runs, context, tracker, display, look)
        race = candidates.race(runs.record)
        if not gave_up and race.winner is not None:
            candidates.record_decision(race)
    if candidates.decision is not None:
        gave_up = execute_runs(runs, candidates.all_runs, context, tracker, display, look)
    race = candidates.race(runs.record)
    if gave_up or race.winner is None or not race.over(candidates.scores(runs.record)):
        return RaceOutcome(None, None, gave_up)
    discard_other_weights(runs, candidates.reported_runs())
    return RaceOutcome(_race_result(candidates, race, runs.record), race.winner)


def discard_other_weights(ledger: Ledger, reported: Sequence[ComparisonRun]) -> None:
    """Deletes the weights of all runs but `reported`.

    An earlier race, before the study was extended, may have had another winner.
    """
    trials = latest_trials(ledger.record)
    kept = {ledger.folder.run_weights(trials[key_of(run)].number) for run in reported}
    for folder in set(ledger.folder.weights.glob("*")) - kept:
        shutil.rmtree(folder, ignore_errors=True)


def _agree(settings: Mapping[str, Any], others: Mapping[str, Any]) -> bool:
    """Whether settings that are in both are equal; another version may have more settings."""
    return all(settings[name] == value for name, value in others.items() if name in settings)


def _splits(candidates: Candidates, run: ComparisonRun) -> tuple[str, ...]:
    return ("dev", "test") if run in candidates.reported_runs() else ("dev",)


def _race_result(candidates: Candidates, race: Race, record: StudyRecord) -> RaceResult:
    """Returns the race as it is recorded in the journal."""
    assert race.winner is not None
    scores, trials = candidates.scores(record), latest_trials(record)
    reporting = [candidates.run(race.winner, k) for k in race.confirming]
    metrics = [trials[key_of(one)].metrics for one in reporting]
    return RaceResult(
        candidates=[
            CandidateScores(trial=trial, search=score, fresh=list(scores[trial].values()))
            for trial, score in candidates.search.items()
        ],
        rounds=race.rounds,
        seeds=[one.seeds for one in reporting],
        failed=sum(scores[race.winner][k] is None for k in race.confirming),
        dev=_by_metric("dev", metrics),
        test=_by_metric("test", metrics),
    )


def _by_metric(split: str, metrics: Sequence[Mapping[str, Any]]) -> dict[str, list[float | None]]:
    """Returns the values of a split's metrics, one per run."""
    names = dict.fromkeys(name for values in metrics for name in values)
    return {
        name: [values.get(name) for values in metrics]
        for name in names
        if name.startswith(f"{split}_")
    }
