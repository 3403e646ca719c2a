"""Which trials cannot be told from the winner."""

import pytest

from study.spec.goals import Objective
from study.storage.events import RaceDecided
from study.storage.race import decided_race
from study.storage.result.as_good import as_good
from study.storage.result.estimates import estimate
from study.storage.result.fields import Headline, TrialResult
from study.storage.result.racing import RaceSoFar

MCC = Objective("dev_mcc", maximize=True)
CONFIRMING = [0.50, 0.52, 0.48, 0.50]


def trial(number: int, score: object = None, **given: object) -> TrialResult:
    values = {
        "number": number,
        "state": "complete",
        "word": "complete",
        "reason": "",
        "params": {},
        "settings": {},
        "seeds": {},
        "score": score,
        "curve": (),
        "metrics": {},
        "feasible": True,
        "reports": 1,
        "reports_planned": 1,
        "steps": 1,
        "total_steps": 1,
        "seconds": 1.0,
        "created": 0.0,
        "ended": 1.0,
    }
    return TrialResult(**{**values, **given})  # type: ignore[arg-type]


def headline(confirmed: bool = True) -> Headline:
    dev = estimate("dev_mcc", CONFIRMING)
    assert dev is not None
    return Headline(0, {}, {}, confirmed, True, {"dev_mcc": dev}, {}, (), 0.55, 0.05, {})


def race(fresh: list[float]) -> RaceSoFar:
    """A race between trials 0 and 1 that the first has won."""
    decision = RaceDecided(candidates=[0, 1], rounds=[[0, 1]], winner=0)
    scores = {0: dict(enumerate(fresh)), 1: {0: 0.47}}
    return RaceSoFar({0: 0.55, 1: 0.54}, scores, decided_race(decision, 4), 4)


def test_trials_within_the_noise_of_the_winner_are_as_good() -> None:
    so_far = race([0.51, *CONFIRMING])
    assert so_far.noise is not None
    assert so_far.noise.freedom == 4
    assert so_far.noise.sd == pytest.approx(0.0148, abs=0.0001)
    trials = [
        trial(0, 0.55, estimate=0.5, error=0.011),
        trial(1, 0.54, estimate=0.47, error=0.011),
        trial(2, 0.49),
        trial(3, 0.53),
        trial(4, 0.42),
    ]
    # t with 4 degrees of freedom is 2.78; the errors are 0.013 and 0.017.
    assert as_good(trials, headline(), so_far, MCC) == (3, 2, 1)
    smaller = Objective("dev_mcc", maximize=False)
    assert as_good(trials, headline(), so_far, smaller) == (4, 1, 2, 3)


@pytest.mark.parametrize(
    "given", [{"state": "pruned"}, {"state": "failed"}, {"feasible": False}, {"score": None}]
)
def test_trials_without_a_score_of_a_whole_training_are_not_judged(
    given: dict[str, object],
) -> None:
    trials = [trial(0, 0.55), trial(2, **{"score": 0.5, **given})]
    assert as_good(trials, headline(), race([0.51, *CONFIRMING]), MCC) == ()


def test_without_a_race_that_is_over_nothing_is_known() -> None:
    trials = [trial(0, 0.55), trial(1, 0.54)]
    assert as_good(trials, None, None, MCC) is None
    assert as_good(trials, headline(confirmed=False), None, MCC) is None
    assert as_good(trials, headline(), None, MCC) is None
    assert as_good(trials, headline(), race([0.5]), MCC) is None
