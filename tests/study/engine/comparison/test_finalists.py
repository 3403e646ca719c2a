"""The race of the finalists: the winner is fixed before any run uses the test split."""

from pathlib import Path
from typing import Any

import pytest

from study.doctor.examination import examine
from study.engine.comparison.finalists import Candidates, _splits, bring_race_up_to_date
from study.engine.driver import record_start
from study.engine.tracking.runs import study_key
from study.engine.tracking.subject import of_study
from study.engine.tracking.tracker import Tracker
from study.engine.tracking.view import tracked_runs
from study.errors import InputError
from study.spec import dump_spec
from study.storage.events import RaceDecided, Report, StudyOpened, StudyResumed, TrialCreated
from study.storage.folder import StudyFolder
from study.storage.ledger import Ledger, StudyLedger
from study.storage.opening import open_folder
from study.storage.race import decided_race
from tests.study.engine.comparison.simulated import Driver
from tests.study.engine.comparison.small import spec_of

CONFIRM = 2


@pytest.fixture
def study(tmp_path: Path) -> StudyLedger:
    """Eight complete trials with scores 0.0, 0.1, … 0.7: trials 7 and 6 race."""
    spec = spec_of(
        "adapter.p={type: float, low: 0.0, high: 0.3}",
        "search.trials=8",
        f"finalists.confirm={CONFIRM}",
    )
    ledger = StudyLedger(open_folder(tmp_path / "study", dump_spec(spec)), spec)
    ledger.append(StudyOpened(version=1, name="study", spec="spec.yaml"))
    seeds = {"init": 0, "data": 0, "mask": 0}
    for number in range(8):
        p: dict[str, Any] = {"p": 0.03 * number}
        about = {"trial": number, "params": p, "settings": p, "seeds": seeds}
        ledger.append(TrialCreated(**about, total_steps=8, reports=1, optuna={}))
        metrics = {ledger.metric: number / 10}
        ledger.append(Report(trial=number, report=1, step=8, metrics=metrics))
        ledger.end(ledger.record.trials[number], "complete", "")
    return ledger


def open_race(study: StudyLedger) -> Ledger:
    folder = StudyFolder(study.folder.finalists)
    if not folder.path.exists():
        open_folder(folder.path, "configurations: {}\n")
    race = Ledger(folder, study.metric)
    if not race.opened:
        race.append(StudyOpened(version=1, name="finalists"))
    return race


def run(study: StudyLedger, values: dict[str, float | None]) -> Ledger:
    """The choosing runs, one a candidate: its score by label, or None for crashes to the end."""
    race = open_race(study)
    driver = Driver(race, Candidates(study).deciding_runs, concurrent=1)
    driver.fill()
    while driver.running:
        label = race.record.trials[driver.running[0].config["trial"]].params["configuration"]
        value = values[label]
        if value is None:
            driver.crash()
        else:
            driver.report(value)
        driver.fill()
    return race


def test_the_best_trials_of_the_study_are_the_candidates(study: StudyLedger) -> None:
    assert list(Candidates(study).search) == [7, 6]
    labels = [one.label for one in Candidates(study).configurations]
    assert labels == ["trial-7", "trial-6"]


def test_no_run_uses_the_test_split_before_the_decision_is_recorded(study: StudyLedger) -> None:
    race = run(study, {"trial-7": 0.2, "trial-6": 0.7})
    candidates = Candidates(study)
    state = candidates.race(race.record)
    assert state.winner == 6
    assert {_splits(candidates, one) for one in candidates.all_runs(race.record)} == {("dev",)}
    candidates.record_decision(state)
    splits = [_splits(candidates, one) for one in candidates.all_runs(race.record)]
    assert splits == [("dev",)] * 2 + [("dev", "test")] * CONFIRM


def test_later_scores_do_not_change_the_decision(study: StudyLedger) -> None:
    race = run(study, {"trial-7": None, "trial-6": 0.1})
    candidates = Candidates(study)
    assert candidates.race(race.record).winner == 6  # The other has failed.
    candidates.record_decision(candidates.race(race.record))
    # In a later session the crashed run is repeated, and would have won.
    again = open_race(study)
    driver = Driver(again, Candidates(study).all_runs, concurrent=1)
    driver.fill()
    first = again.record.trials[driver.running[0].config["trial"]]
    assert first.params["configuration"] == "trial-7"
    driver.report(0.9), driver.report(0.9)
    assert Candidates(study).race(again.record).winner == 6
    handed = [one.labels["configuration"] for one in Candidates(study).all_runs(again.record)]
    assert handed == ["trial-7", "trial-6", "trial-6", "trial-6"]


def test_a_decision_between_other_candidates_is_ignored(study: StudyLedger) -> None:
    study.append(RaceDecided(candidates=[1, 2], rounds=[[1, 2]], winner=1))
    assert Candidates(study).decision is None
    study.append(RaceDecided(candidates=[6, 7], rounds=[[7, 6]], winner=7))
    choice = Candidates(study).decision
    assert choice is not None
    race = decided_race(choice, CONFIRM)
    assert race.runs == [(7, 0), (6, 0), (7, 1), (7, 2)]
    assert race.confirming == (1, 2)


def test_runs_of_a_trial_that_had_other_settings_are_refused(study: StudyLedger) -> None:
    race = run(study, {"trial-7": 0.2, "trial-6": 0.7})
    Candidates(study).check(race.record)
    # The journal is replaced by an older copy, and trial 6 was created again.
    study.record.trials[6].params["p"] = 0.2
    with pytest.raises(InputError, match=r"finalists: .* but got other settings for trial-6"):
        Candidates(study).check(race.record)


def test_a_finished_race_is_completed_in_mlflow(study: StudyLedger, tmp_path: Path) -> None:
    study.append(StudyResumed(version=1, tracking=None, created_with={}))
    race = run(study, {"trial-7": 0.2, "trial-6": 0.7})
    Tracker(study, None, of_study(study)).close(study.record, "FINISHED")

    def missing() -> list[str]:
        return [one.problem for one in examine(study.folder.path) if one.group == "mlflow"]

    key = study_key(race.folder, race.record)
    own = f"sqlite:///{study.folder.mlflow}"
    assert missing() == ["the race has no run", "trials 0, 1 of the race have no run"]
    bring_race_up_to_date(study, None)
    assert missing() == []
    assert {one.status for one in tracked_runs(own, key)} == {"FINISHED"}

    elsewhere = f"sqlite:///{tmp_path}/elsewhere.db"
    record_start(study, elsewhere, {})
    bring_race_up_to_date(study, elsewhere)
    for uri in (own, elsewhere):
        assert [one.status for one in tracked_runs(uri, key)] == ["FINISHED"] * 3
    events = race.journal.read()
    bring_race_up_to_date(study, elsewhere)
    assert race.journal.read() == events
