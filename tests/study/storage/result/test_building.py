"""The result of a study at every stage: before trials end, without a race, in a race, after it."""

import json
from pathlib import Path

import pytest

from study.storage.events import (
    CandidateScores,
    RaceDecided,
    RaceResult,
    StudyOpened,
    TrialCreated,
    WinnerEvaluated,
)
from study.storage.folder import StudyFolder
from study.storage.ledger import Ledger, StudyLedger
from study.storage.race import fresh_seeds
from study.storage.result import StudyResult, read_result, study_result
from study.storage.runs import Label
from study.storage.stored import StoredStudy
from tests.study.ledgers import OpenLedger, create, report

EIGHT = ("search.trials=8", "finalists.confirm=2", "search.metric=mcc")


def ended(ledger: StudyLedger, number: int, score: float | None, state: str = "complete") -> None:
    """Journals a whole trial."""
    create(ledger, number)
    last = {"complete": 4, "pruned": 2}.get(state, 1)
    for index in range(1, last + 1):
        report(ledger, number, index, score)
    ledger.end(ledger.record.trials[number], state, "")  # type: ignore[arg-type]


def searched(open_ledger: OpenLedger) -> StudyLedger:
    """A study of eight trials that have ended; 5 and 2 are its two candidates."""
    ledger = open_ledger(*EIGHT)
    for number, score in enumerate([0.1, 0.2, 0.5, 0.3, 0.2, 0.6]):
        ended(ledger, number, score)
    ended(ledger, 6, 0.05, "pruned")
    ended(ledger, 7, None, "failed")
    return ledger


def race_run(ledger: StudyLedger, trial: int, repeat: int, score: float | None) -> None:
    """Journals a run of the race that has ended, failed without a score."""
    folder = StudyFolder(ledger.folder.finalists)
    folder.path.mkdir(exist_ok=True)
    runs = Ledger(folder, ledger.metric)
    if not runs.opened:
        runs.append(StudyOpened(name="a study/finalists"))
    number, seeds = len(runs.record.trials), fresh_seeds(ledger.spec.seeds.model_dump(), repeat)
    labels: dict[str, Label] = {"configuration": f"trial-{trial}", **seeds}
    runs.append(
        TrialCreated(
            trial=number,
            params=labels,
            settings={},
            seeds=seeds,
            total_steps=10,
            reports=1,
            optuna={},
        )
    )
    if score is not None:
        report(runs, number, 1, score)
    runs.end(runs.record.trials[number], "failed" if score is None else "complete", "")


def decided(ledger: StudyLedger) -> None:
    """Journals the race that trial 2 has won, and its scores."""
    ledger.append(RaceDecided(candidates=[5, 2], rounds=[[5, 2]], winner=2))
    race = RaceResult(
        candidates=[
            CandidateScores(trial=5, search=0.6, fresh=[0.3]),
            CandidateScores(trial=2, search=0.5, fresh=[0.45, 0.4, 0.44]),
        ],
        rounds=[[5, 2]],
        seeds=[fresh_seeds(ledger.spec.seeds.model_dump(), repeat) for repeat in (1, 2)],
        failed=0,
        dev={"dev_mcc": [0.4, 0.44], "dev_auc": [0.7, None]},
        test={"test_mcc": [0.38, 0.42]},
    )
    single = {"dev_mcc": 0.5}
    ledger.append(WinnerEvaluated(trial=2, dev=single, test={"test_mcc": 0.3}, race=race))


def result_of(ledger: StudyLedger) -> StudyResult:
    return read_result(StoredStudy.read(ledger.folder))


def test_a_study_without_trials_has_a_result(open_ledger: OpenLedger) -> None:
    result = result_of(open_ledger())
    assert (result.phase, result.headline, result.trials, result.race) == (
        "search",
        None,
        (),
        None,
    )
    assert (result.name, result.metric, result.test_metric) == ("a study", "dev_mcc", "test_mcc")
    assert result.planned == 6


def test_before_a_winner_the_headline_is_the_best_complete_trial(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(*EIGHT)
    ended(ledger, 0, 0.3)
    ended(ledger, 1, 0.9, "pruned")
    headline = result_of(ledger).headline
    assert headline is not None
    assert (headline.trial, headline.final, headline.confirmed) == (0, False, False)
    assert headline.dev["dev_mcc"].mean == 0.3
    assert not headline.test
    assert not headline.weights


def test_a_study_of_which_no_trial_is_complete_says_why(open_ledger: OpenLedger) -> None:
    ledger = open_ledger("search.trials=1")
    ended(ledger, 0, None, "failed")
    result = result_of(ledger)
    assert result.phase == "failed"
    assert result.why_none == "no trial was completed with a score"


def test_trials_have_the_words_for_their_states(open_ledger: OpenLedger) -> None:
    ledger = searched(open_ledger)
    trials = result_of(ledger).trials
    assert [trials[number].word for number in (0, 6, 7)] == ["complete", "stopped early", "failed"]
    assert trials[6].state == "pruned"
    assert (trials[6].steps, trials[6].total_steps) == (20, 40)


def test_the_scores_of_a_race_that_runs_are_with_their_trials(open_ledger: OpenLedger) -> None:
    ledger = searched(open_ledger)
    assert result_of(ledger).phase == "race"
    race_run(ledger, 5, 0, 0.3)
    result = result_of(ledger)
    assert result.race is not None
    assert (result.race.candidates, result.race.winner) == ((5, 2), None)
    assert (result.race.runs_ended, result.race.runs_planned) == (1, 4)
    assert result.trial(5).choosing == (0.3,)
    assert result.trial(2).choosing == ()
    race_run(ledger, 2, 0, 0.45)
    race_run(ledger, 2, 1, None)
    result = result_of(ledger)
    assert result.race is not None
    assert (result.race.winner, result.race.failed) == (2, 1)
    assert result.trial(2).confirming == (None,)


def test_the_headline_has_the_scores_that_the_race_confirmed(open_ledger: OpenLedger) -> None:
    ledger = searched(open_ledger)
    decided(ledger)
    result = result_of(ledger)
    headline = result.headline
    assert result.phase == "finished"
    assert headline is not None
    assert (headline.trial, headline.confirmed, headline.final) == (2, True, True)
    assert headline.dev["dev_mcc"].mean == pytest.approx(0.42)
    assert headline.test["test_mcc"].mean == pytest.approx(0.40)
    assert headline.optimism == pytest.approx(0.5 - 0.42)
    assert headline.dev["dev_auc"].failed == 1
    assert headline.weights == {"dev_mcc": 0.5, "test_mcc": 0.3}
    assert len(headline.seeds) == 2
    assert result.trial(2).choosing == (0.45,)
    assert result.trial(2).confirming == (0.4, 0.44)
    # The search is 0.175 better than the first fresh scores; it has half of their weight.
    assert result.trial(2).estimate == pytest.approx((0.1625 + 0.45) / 1.5)
    assert result.trial(0).estimate is result.trial(0).error is None


def test_a_winner_of_a_version_without_races_has_its_own_scores(open_ledger: OpenLedger) -> None:
    ledger = searched(open_ledger)
    ledger.append(WinnerEvaluated(trial=5, dev={"dev_mcc": 0.6}, test={"test_mcc": 0.4}))
    result = result_of(ledger)
    headline = result.headline
    assert headline is not None
    assert (headline.confirmed, headline.final) == (False, True)
    assert headline.test["test_mcc"].mean == 0.4
    assert result.race is None


def test_a_race_whose_confirming_runs_all_failed_confirms_nothing(open_ledger: OpenLedger) -> None:
    ledger = searched(open_ledger)
    race = RaceResult(
        candidates=[
            CandidateScores(trial=5, search=0.6, fresh=[0.3]),
            CandidateScores(trial=2, search=0.5, fresh=[0.45, None, None]),
        ],
        rounds=[[5, 2]],
        seeds=[fresh_seeds(ledger.spec.seeds.model_dump(), repeat) for repeat in (1, 2)],
        failed=2,
        dev={},
        test={},
    )
    ledger.append(
        WinnerEvaluated(trial=2, dev={"dev_mcc": 0.5}, test={"test_mcc": 0.3}, race=race)
    )
    headline = result_of(ledger).headline
    assert headline is not None
    assert not headline.confirmed
    assert headline.dev["dev_mcc"].mean == 0.5


def test_a_result_is_json(open_ledger: OpenLedger, tmp_path: Path) -> None:
    ledger = searched(open_ledger)
    decided(ledger)
    plain = json.loads(json.dumps(result_of(ledger).as_json(), allow_nan=False))
    assert plain["headline"]["dev"]["dev_mcc"]["scores"] == [0.4, 0.44]
    assert plain["trials"][6]["word"] == "stopped early"


def test_a_result_needs_no_folder(open_ledger: OpenLedger) -> None:
    ledger = searched(open_ledger)
    assert study_result(ledger.record, ledger.spec).planned == 8
