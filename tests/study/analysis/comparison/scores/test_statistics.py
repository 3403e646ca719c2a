"""IQM, CVaR, stratified bootstrap, P(improvement), Holm against hand-computed values and scipy."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu, trim_mean

from study.analysis.comparison.scores.statistics import (
    SeedBootstrap,
    cvar,
    holm,
    iqm,
    limits,
    probability_of_improvement,
    weighted_improvement,
    weighted_iqm,
    win_matrix,
)

SCORES = st.lists(st.floats(-1, 1), min_size=1, max_size=30)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([0.7], 0.7),
        ([0.0, 1.0], 0.5),
        ([1, 2, 3, 100], 2.5),
        # Of five, 1.25 are cut at each end: 0.75 of 2 and of 4 remain.
        ([1, 2, 3, 4, 100], (0.75 * 2 + 3 + 0.75 * 4) / 2.5),
    ],
)
def test_the_iqm_is_the_mean_of_the_middle_half(scores: list[float], expected: float) -> None:
    assert iqm(scores) == pytest.approx(expected)


def test_the_iqm_of_a_multiple_of_four_is_scipys_trimmed_mean() -> None:
    scores = rng().standard_normal(44)
    assert iqm(scores.tolist()) == pytest.approx(trim_mean(scores, 0.25))


def test_the_iqm_agrees_with_rliable_where_that_can_be_imported() -> None:
    metrics = pytest.importorskip("rliable.metrics", exc_type=Exception)
    scores = rng().standard_normal((8, 2))
    assert iqm(scores.ravel().tolist()) == pytest.approx(metrics.aggregate_iqm(scores))


@given(SCORES)
def test_the_iqm_lies_within_the_scores(scores: list[float]) -> None:
    assert min(scores) - 1e-9 <= iqm(scores) <= max(scores) + 1e-9


def test_a_weight_counts_a_run_as_often() -> None:
    scores, weights = np.array([3.0, 1.0, 2.0]), np.array([[1.0, 2.0, 1.0], [0.0, 0.0, 4.0]])
    assert weighted_iqm(scores, weights) == pytest.approx([iqm([1, 1, 2, 3]), 2.0])


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0.25, (1 + 2 + 0.25 * 3) / 2.25), (0.1, 1.0), (1.0, 5.0)],
)
def test_cvar_is_the_mean_of_the_worst_part(share: float, expected: float) -> None:
    assert cvar([9, 8, 7, 6, 5, 4, 3, 2, 1], share) == pytest.approx(expected)


@given(SCORES, SCORES)
def test_the_probability_of_improvement_is_mann_whitneys_u(a: list[float], b: list[float]) -> None:
    found = probability_of_improvement(win_matrix(np.array(a), np.array(b)))
    u = mannwhitneyu(a, b, method="asymptotic").statistic if len(set(a + b)) > 1 else None
    assert found == pytest.approx(0.5 if u is None else u / (len(a) * len(b)))


def test_failed_runs_lose_and_tie_with_each_other() -> None:
    a, b = np.array([0.5, -np.inf]), np.array([-np.inf, 0.1])
    assert win_matrix(a, b).tolist() == [[1, 1], [0.5, 0]]


def test_weighted_wins_count_runs_as_often_as_they_were_drawn() -> None:
    wins = win_matrix(np.array([1.0, 3.0]), np.array([2.0]))
    drawn = weighted_improvement(wins, np.array([[1.0, 3.0], [0, 0]]), np.array([[2.0], [1.0]]))
    assert drawn[0] == pytest.approx(0.75)
    assert np.isnan(drawn[1])


def test_every_factor_is_drawn_among_its_own_seeds() -> None:
    seeds = np.array(list(product(range(5), range(3), range(2))))
    weights = SeedBootstrap(seeds, rng(), 500).weights(seeds).reshape(500, 5, 3, 2)
    assert weights.sum(axis=(1, 2, 3)) == pytest.approx(30)
    masks = weights.sum(axis=(2, 3)) / 6
    assert np.unique(masks).tolist() == pytest.approx(range(int(masks.max()) + 1))
    assert masks.mean(axis=0) == pytest.approx(1, abs=0.15)
    # Runs that share a mask seed are drawn together.
    assert np.allclose(weights * masks.sum() / masks.sum(), weights)
    assert ((masks == 0)[:, :, None, None] <= (weights == 0)).all()


def test_a_configuration_without_mask_is_drawn_by_its_init_and_data_seeds() -> None:
    seeds = np.array(list(product(range(5), range(3), range(3))))
    bootstrap = SeedBootstrap(seeds, rng(), 200)
    plain = np.array([(-1, i, d) for i, d in product(range(3), range(3))])
    ours = bootstrap.weights(seeds).reshape(200, 5, 9).sum(axis=1)
    assert np.allclose(ours, 5 * bootstrap.weights(plain))


def test_seeds_that_always_change_together_are_drawn_once() -> None:
    seeds = np.array([(n, 10 + n, 20 + n) for n in range(40)])
    scores = rng(1).standard_normal(40)
    weights = SeedBootstrap(seeds, rng(2), 4000).weights(seeds)
    means = weights @ scores / weights.sum(axis=1)
    assert means.std() == pytest.approx(scores.std() / np.sqrt(40), rel=0.1)
    low, high = limits(means, float(scores.mean()), 1.0)
    assert high - low == pytest.approx(2 * 1.96 * scores.std() / np.sqrt(40), rel=0.1)


@pytest.mark.parametrize("runs", [5, 12])
def test_intervals_of_few_runs_hold(runs: int) -> None:
    draw, middle, improvement, studies = rng(3), 0, 0, 200
    seeds = np.array([(n, n, n) for n in range(runs)])
    for _ in range(studies):
        a, b = draw.standard_normal((2, runs))
        bootstrap = SeedBootstrap(seeds, draw, 300)
        weights = bootstrap.weights(seeds)
        own = iqm(list(a))
        low, high = limits(weighted_iqm(a, weights), own, bootstrap.widening)
        middle += low <= 0 <= high
        wins = win_matrix(a, b)
        drawn = weighted_improvement(wins, weights, weights)
        low, high = limits(drawn, float(wins.mean()), bootstrap.widening, 0.0, 1.0)
        improvement += low <= 0.5 <= high
    assert middle >= 0.92 * studies
    assert improvement >= 0.92 * studies


def test_intervals_stay_in_the_range_of_the_statistic() -> None:
    assert limits(np.array([0.9, 0.95, 1.0]), 0.95, 3.0, 0.0, 1.0)[1] == 1.0


def test_holms_correction_equals_hand_computed_values() -> None:
    assert holm([0.01, 0.04, None, 0.03]) == pytest.approx([0.03, 0.06, None, 0.06])
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([]) == []
