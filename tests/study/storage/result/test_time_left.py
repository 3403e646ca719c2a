"""The time that is left, against journals of studies of known costs."""

import statistics

import pytest

from study.spec import StudySpec
from study.storage.events import StudyOpened, TrialCreated, TrialEnded
from study.storage.record import StudyRecord
from study.storage.result.time_left import (
    LEAST_ENDED,
    TimeLeft,
    most_at_once,
    runs_time_left,
    study_time_left,
)
from tests.study.ledgers import ReadSpec
from tests.study.storage.result.made_journals import MadeStudy
from tests.study.storage.result.replays import Moment, replay


def moments_of(spec: StudySpec, workers: int, step: float, seed: int) -> list[Moment]:
    made = MadeStudy(spec, workers, step, seed)
    return replay(spec, made.events, made.race)


@pytest.mark.parametrize(
    ("trials", "workers", "step", "scheduler"),
    [(16, 2, 1.0, "asha"), (16, 1, 0.3, "none"), (24, 4, 3.0, "asha"), (8, 2, 10.0, "asha")],
)
def test_from_the_third_trial_on_most_predictions_are_within_30_percent(
    read_spec: ReadSpec, trials: int, workers: int, step: float, scheduler: str
) -> None:
    spec = read_spec(f"search.trials={trials}", f"scheduler.name={scheduler}")
    moments = [one for seed in range(3) for one in moments_of(spec, workers, step, seed)]
    errors = [abs(moment.error) for moment in moments]
    inside = [one.predicted.low <= one.real <= one.predicted.high for one in moments]
    assert statistics.fmean(error <= 0.3 for error in errors) >= 0.8
    assert statistics.fmean(inside) >= 0.7


def test_nothing_is_said_before_the_third_trial_has_ended(read_spec: ReadSpec) -> None:
    spec = read_spec("search.trials=16")
    made = MadeStudy(spec, 2, 1.0)
    record, ended = StudyRecord(spec.objective), 0
    for event in made.events[:-1]:
        record.apply(event)
        ended += isinstance(event, TrialEnded)
        left = study_time_left(spec, record, None, event.time)
        assert (left is not None) == (ended >= LEAST_ENDED)


def test_the_race_and_the_evaluation_of_the_winner_are_part_of_it(read_spec: ReadSpec) -> None:
    parts = {}
    for candidates in (0, 16):
        spec = read_spec("search.trials=16", f"finalists.candidates={candidates}")
        made = MadeStudy(spec, 2, 1.0)
        record = StudyRecord(spec.objective)
        for event in made.events[:-1]:
            record.apply(event)
        left = study_time_left(spec, record, None, made.events[-2].time)
        assert left is not None
        parts[candidates] = left.parts
    assert parts[0] == {"search": 0.0, "race": 0.0, "winner": pytest.approx(10.5, rel=0.1)}
    # Rounds of 4 and 2 runs, then 4 that confirm: 5 times 40 steps, and two starts of workers.
    assert parts[16]["race"] == pytest.approx(5 * 40 * 1.0 + 2 * 20, rel=0.25)


def test_a_study_whose_trials_gave_no_report_has_no_time_left(read_spec: ReadSpec) -> None:
    spec, record = read_spec(), StudyRecord("dev_mcc")
    record.apply(StudyOpened(time=0.0))
    assert study_time_left(spec, record, None, 1.0) is None
    for number in range(4):
        seeds = {"init": 0, "data": 0, "mask": 0}
        created = TrialCreated(
            time=1.0,
            trial=number,
            params={},
            settings={},
            seeds=seeds,
            total_steps=40,
            reports=4,
            optuna={},
        )
        record.apply(created)
        record.apply(TrialEnded(time=2.0, trial=number, state="failed", reason="crashed"))
    assert study_time_left(spec, record, None, 3.0) is None
    assert most_at_once(record) == 4


def test_runs_take_as_long_as_those_before_them(read_spec: ReadSpec) -> None:
    spec = read_spec("search.trials=16", "scheduler.name=none", "finalists.candidates=0")
    made = MadeStudy(spec, 2, 1.0, spread=0.01)
    record, lefts = StudyRecord(spec.objective), dict[float, TimeLeft | None]()
    for event in made.events[:-1]:
        record.apply(event)
        lefts[event.time] = runs_time_left(16, record, event.time)
    end = made.events[-2].time
    known = {time: left for time, left in lefts.items() if left is not None}
    assert len(known) > 20
    assert all(left.seconds == pytest.approx(end - time, abs=5) for time, left in known.items())
