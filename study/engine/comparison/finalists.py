"""The race of the finalists, run: replicates in `finalists/`, a comparison folder of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from study.engine.comparison.execution import RunContext, execute_runs, open_comparison
from study.engine.comparison.runs import ComparisonRun, Configuration
from study.engine.driver import record_new_address
from study.engine.resources import Resources
from study.engine.tracking.tracker import Tracker
from study.errors import InputError
from study.models.info import BackboneInfo
from study.spec import resolve
from study.spec.comparison.schema import ConfigurationsSpec, dump_comparison
from study.storage.events import CandidateScores, RaceDecided, RaceResult
from study.storage.folder import StudyFolder
from study.storage.journal import Journal
from study.storage.ledger import Ledger, StudyLedger
from study.storage.race import Race, Scores, fresh_seeds, rounds, stand, standing_by
from study.storage.record import StudyRecord, TrialRecord
from study.storage.runs import key_of, standing
from study.training.encoding import EncodedTask

REPORTS = 2
"""Of a replicate: what it scores in between interests nobody, but is what a crash can lose."""


@dataclass(frozen=True)
class Finish:
    """How a race ended, or why it did not."""

    race: RaceResult | None
    """As the journal keeps it with the winner; None if the race is not over."""
    winner: int | None
    gave_up: str = ""


class Field:
    """The candidates of a study, and where the record of their replicates says they stand."""

    def __init__(self, ledger: StudyLedger) -> None:
        self.ledger = ledger
        self.search = {trial.number: float(trial.value or 0) for trial in ledger.finalists()}
        trials = ledger.record.trials
        self._of = {number: self._configuration(trials[number]) for number in self.search}

    def _configuration(self, trial: TrialRecord) -> Configuration:
        spec = resolve(self.ledger.spec, trial.params)
        reports = min(REPORTS, spec.training.reports)
        training = spec.training.model_copy(update={"reports": reports})
        label = f"trial-{trial.number}"
        return Configuration(label, spec.model_copy(update={"training": training}))

    @property
    def configurations(self) -> list[Configuration]:
        """Of the candidates, the best in the search first."""
        return list(self._of.values())

    def replicate(self, trial: int, replicate: int) -> ComparisonRun:
        """A candidate with fresh seeds."""
        seeds = fresh_seeds(self.ledger.spec.seeds.model_dump(), replicate)
        return ComparisonRun.of(self._of[trial], **seeds)

    def scores(self, record: StudyRecord) -> Scores:
        """The scores of all replicates that have ended, whichever race they ran in."""
        stands, found = standing(record), {}
        for trial in self.search:
            runs = {k: stands.get(key_of(self.replicate(trial, k))) for k in range(self._most)}
            found[trial] = {
                k: run.value if run.state == "complete" else None
                for k, run in runs.items()
                if run is not None and run.state != "running"
            }
        return found

    def check(self, record: StudyRecord) -> None:
        """Checks that the runs of a race are of this study's trials.

        Raises:
            InputError: some are of other settings. Trials that a restored copy of the journal did
                not know have been made anew since.
        """
        for run in record.trials.values():
            label = str(run.params["configuration"])
            trial = self.ledger.record.trials.get(int(label.removeprefix("trial-")))
            if trial is None or not _agree(self._configuration(trial).settings, run.settings):
                raise InputError(
                    f"{self.ledger.folder.finalists}: the runs of a race must be of the study's "
                    f"trials, but those of {label} had other settings; restore the newest "
                    "events.jsonl of the study, or remove this folder, and the race is run again"
                )

    @property
    def _most(self) -> int:
        return 2 * len(self.search) + self.ledger.spec.finalists.confirm

    @property
    def choice(self) -> RaceDecided | None:
        """The winner that has been chosen among these candidates, if one has been."""
        choice = self.ledger.record.finalists
        return choice if choice and set(choice.candidates) == set(self.search) else None

    def stand(self, record: StudyRecord) -> Race:
        """How the race stands; what has been chosen stays so."""
        confirm = self.ledger.spec.finalists.confirm
        if self.choice is not None:
            return standing_by(self.choice, confirm)
        return stand(self.search, self.scores(record), self.ledger.maximize, confirm)

    def choosing(self, record: StudyRecord) -> list[ComparisonRun]:
        """The source of the replicates that choose the winner."""
        race = self.stand(record)
        chosen = len(race.wanted) - len(race.confirming)
        return [self.replicate(*one) for one in race.wanted[:chosen]]

    def all(self, record: StudyRecord) -> list[ComparisonRun]:
        """The source of all replicates, those among them that report the winner's score."""
        return [self.replicate(*one) for one in self.stand(record).wanted]

    def reporting(self) -> list[ComparisonRun]:
        """The replicates that report the winner's score, once it has been chosen."""
        if self.choice is None:
            return []
        race = standing_by(self.choice, self.ledger.spec.finalists.confirm)
        return [self.replicate(self.choice.winner, k) for k in race.confirming]

    def choose(self, race: Race) -> None:
        """Journals the choice: it is fixed before anything of the winner meets the test split."""
        assert race.winner is not None
        self.ledger.append(
            RaceDecided(candidates=list(self.search), rounds=race.rounds, winner=race.winner)
        )


def run_race(
    ledger: StudyLedger,
    info: BackboneInfo,
    data: EncodedTask,
    wanted: Resources,
    tracking_uri: str | None,
    console: Console,
) -> Finish:
    """Runs what is left of the race of a study whose trials have all ended.

    The test split is evaluated in the replicates that report the winner's score, and no others.

    Raises:
        InputError: what has been run of it is of other trials.
    """
    field = Field(ledger)
    if len(field.search) < 2:
        return Finish(None, next(iter(field.search), None))
    folder = StudyFolder(ledger.folder.finalists)
    field.check(StudyRecord.of(Journal(folder.journal).read(), ledger.metric))
    spec = {one.label: one.spec for one in field.configurations}
    text = dump_comparison(ConfigurationsSpec(configurations=spec))
    uri = _address(ledger, tracking_uri)
    runs = open_comparison(folder, text, ledger.metric, info, data, uri)
    tracker = _tracker(ledger, uri)
    with tracker.ending(runs.record):
        shared = RunContext(info, data, wanted, lambda run: _splits(field, run))
        finish = _run(field, runs, shared, tracker, console)
        tracker.close(runs.record, "KILLED" if finish.race is None else "FINISHED")
    return finish


def bring_race_up_to_date(ledger: StudyLedger, tracking_uri: str | None) -> None:
    """Writes what MLflow may lack of a race that is over, if there has been one."""
    folder = StudyFolder(ledger.folder.finalists)
    if folder.journal.exists():
        uri, runs = _address(ledger, tracking_uri), Ledger(folder, ledger.metric)
        record_new_address(runs, uri)
        _tracker(ledger, uri).close(runs.record, "FINISHED")


def _address(ledger: StudyLedger, tracking_uri: str | None) -> str:
    """Where the race is tracked: where the study is."""
    return tracking_uri or f"sqlite:///{ledger.folder.mlflow.absolute()}"


def _tracker(ledger: StudyLedger, uri: str) -> Tracker:
    folder = StudyFolder(ledger.folder.finalists)
    return Tracker(folder, uri, f"{ledger.folder.path.name}/{folder.path.name}")


def _run(
    field: Field, runs: Ledger, shared: RunContext, tracker: Tracker, console: Console
) -> Finish:
    """Lets the candidates race, then the winner confirm its score, on the test split too."""
    choosing = sum(size * more for size, more in rounds(len(field.search)))
    total = choosing + field.ledger.spec.finalists.confirm
    text = f"the race: {len(field.search)} candidates, {total} runs with fresh seeds"
    console.print(text, markup=False, highlight=False, soft_wrap=True)
    gave_up = ""
    if field.choice is None:
        gave_up = execute_runs(runs, field.choosing, shared, tracker, console, total)
        race = field.stand(runs.record)
        if not gave_up and race.winner is not None:
            field.choose(race)
    if field.choice is not None:
        gave_up = execute_runs(runs, field.all, shared, tracker, console, total)
    race = field.stand(runs.record)
    if gave_up or race.winner is None or not race.over(field.scores(runs.record)):
        return Finish(None, None, gave_up)
    return Finish(_told(field, race, runs.record), race.winner)


def _agree(settings: Mapping[str, Any], others: Mapping[str, Any]) -> bool:
    """Whether settings that both know are the same; another version may know more."""
    return all(settings[name] == value for name, value in others.items() if name in settings)


def _splits(field: Field, run: ComparisonRun) -> tuple[str, ...]:
    return ("dev", "test") if run in field.reporting() else ("dev",)


def _told(field: Field, race: Race, record: StudyRecord) -> RaceResult:
    """The race as the journal keeps it."""
    assert race.winner is not None
    scores, stands = field.scores(record), standing(record)
    reporting = [field.replicate(race.winner, k) for k in race.confirming]
    metrics = [stands[key_of(one)].metrics for one in reporting]
    return RaceResult(
        candidates=[
            CandidateScores(trial=trial, search=score, fresh=list(scores[trial].values()))
            for trial, score in field.search.items()
        ],
        rounds=race.rounds,
        seeds=[one.seeds for one in reporting],
        failed=sum(scores[race.winner][k] is None for k in race.confirming),
        dev=_by_metric("dev", metrics),
        test=_by_metric("test", metrics),
    )


def _by_metric(split: str, metrics: Sequence[Mapping[str, Any]]) -> dict[str, list[float | None]]:
    """Returns the values of a split's metrics, one a run."""
    names = dict.fromkeys(name for values in metrics for name in values)
    return {
        name: [values.get(name) for values in metrics]
        for name in names
        if name.startswith(f"{split}_")
    }
