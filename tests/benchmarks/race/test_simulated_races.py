"""Simulated races: their rule is the real one; what the weight of the search score costs."""

import numpy as np
import pytest

from study.storage.race import SEARCH_WEIGHT, RaceScores, current_race
from tests.benchmarks.race.bench_race import SIZES, WEIGHTS
from tests.benchmarks.race.simulated_races import CASES, Case, Field, field, race


def winner_of_the_real_race(simulated: Field, study: int) -> int:
    search = dict(enumerate(simulated.search[study].tolist()))
    fresh = simulated.fresh[study].tolist()
    scores: RaceScores = {trial: dict(enumerate(runs)) for trial, runs in enumerate(fresh)}
    winner = current_race(search, scores, maximize=True, confirm=0).winner
    assert winner is not None
    return winner


@pytest.mark.parametrize("count", [2, 4, 7, 16])
def test_simulated_races_are_decided_as_real_ones(count: int) -> None:
    simulated = field(CASES[-1], 0.5, 2 * count, count, 40, np.random.default_rng(count))
    winners = race(simulated, SEARCH_WEIGHT).tolist()
    assert winners == [winner_of_the_real_race(simulated, study) for study in range(40)]
    assert len(set(winners)) > 1


def losses(size: tuple[int, int, int]) -> np.ndarray:
    """Returns the largest loss of each weight over all cases, against the best of a case."""
    _, complete, count = size
    worst = np.zeros(len(WEIGHTS))
    for case in CASES:
        for spread in (0.3, 1.0):
            simulated = field(case, spread, complete, count, 2000, np.random.default_rng(1))
            found = np.array([simulated.regret(race(simulated, w)).mean() for w in WEIGHTS])
            worst = np.maximum(worst, found - found.min())
    return worst


def test_half_a_weight_loses_least_in_the_worst_case_of_both_sizes() -> None:
    worst = dict(zip(WEIGHTS, np.maximum(*map(losses, SIZES)), strict=True))
    assert worst[SEARCH_WEIGHT] < 0.015
    assert worst[SEARCH_WEIGHT] < min(worst[0.0], worst[0.25], worst[1.0])


def test_with_equal_noise_the_search_score_is_worth_a_fresh_one() -> None:
    simulated = field(CASES[0], 1.0, 36, 16, 8000, np.random.default_rng(2))
    found = {weight: simulated.regret(race(simulated, weight)).mean() for weight in WEIGHTS}
    assert found[1.0] == min(found.values())
    single = simulated.regret(np.zeros(8000, int)).mean()
    assert found[1.0] < single / 3


def test_noise_has_the_same_variance_in_every_case() -> None:
    for case in (*CASES, Case("unequal and heavy", unequal=True, heavy=True)):
        simulated = field(case, 0.0, 2, 2, 40000, np.random.default_rng(3))
        assert simulated.fresh.var() == pytest.approx(1.0, rel=0.15), case.name
