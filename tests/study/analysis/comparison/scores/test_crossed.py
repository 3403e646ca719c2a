"""The mean of scores that share seeds: components, intervals, p-values."""

from itertools import product

import numpy as np
import pytest
from scipy.stats import t, ttest_1samp

from study.analysis.comparison.scores.crossed import Layout, MeanEstimate, estimate_mean, layout_of
from tests.study.analysis.comparison.components.simulated_scores import SCENARIOS, SEEDS, simulated


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_a_crossed_design_has_a_term_for_each_way_to_share_seeds() -> None:
    layout = Layout(SEEDS)
    assert layout.terms == [
        "mask", "init", "data", "mask:init", "mask:data", "init:data", "mask:init:data",
    ]  # fmt: skip
    assert layout.weights == pytest.approx([1 / 5, 1 / 3, 1 / 3, 1 / 15, 1 / 15, 1 / 9, 1 / 45])


def test_seeds_that_change_together_and_single_seeds_are_no_separate_terms() -> None:
    assert Layout(np.array([(n, n, n) for n in range(6)])).terms == ["mask"]
    assert Layout(np.array([(0, i, d) for i, d in product(range(3), range(3))])).terms == [
        "init", "data", "init:data",
    ]  # fmt: skip


def test_a_term_that_coarser_ones_explain_is_left_out() -> None:
    assert Layout(np.array([(0, 0, 0), (0, 1, 0), (1, 0, 0)])).terms == ["mask", "init"]


def test_components_of_a_complete_design_are_those_of_the_analysis_of_variance() -> None:
    # Far from zero, so that none is cut.
    sd = {"mask": 3, "init": 3, "data": 3, "mask:init": 1, "mask:data": 1, "init:data": 1}
    y = simulated(rng(3), {**sd, "mask:init:data": 0.1}, 1)[0]
    cube = y.reshape(5, 3, 3)
    main, pair = cube.mean((1, 2)), cube.mean(2)
    mask_square = 9 * np.var(main, ddof=1)
    interaction = pair - main[:, None] - cube.mean((0, 2)) + cube.mean()
    init_square = 3 * (interaction**2).sum() / 8
    other = cube.mean(1) - main[:, None] - cube.mean((0, 1)) + cube.mean()
    data_square = 3 * (other**2).sum() / 8
    sigma = dict(zip(Layout(SEEDS).terms, Layout(SEEDS).components(y), strict=True))
    rest = sigma["mask:init:data"]
    assert sigma["mask:init"] == pytest.approx((init_square - rest) / 3)
    assert sigma["mask"] == pytest.approx((mask_square - init_square - data_square + rest) / 9)


def test_components_are_unbiased_if_cells_are_missing() -> None:
    kept = np.delete(np.arange(45), [0, 7, 19, 20, 31, 44])
    sd = {"mask": 3, "init": 3, "data": 3, "mask:init": 2, "mask:data": 2, "init:data": 2}
    y = simulated(rng(1), {**sd, "mask:init:data": 1}, 20_000)[:, kept]
    found = Layout(SEEDS[kept]).components(y).mean(axis=0)
    assert found == pytest.approx([9, 9, 9, 4, 4, 4, 1], rel=0.05)


def test_independent_runs_have_students_interval() -> None:
    y = rng(2).standard_normal(12)
    found = estimate_mean(y, Layout(np.array([(n, n, n) for n in range(12)])), rng())
    half = t.ppf(0.975, 11) * y.std(ddof=1) / np.sqrt(12)
    assert found.low is not None
    assert found.high is not None
    assert (found.low, found.high) == pytest.approx((y.mean() - half, y.mean() + half))
    assert found.p_value == pytest.approx(ttest_1samp(y, 0).pvalue, abs=0.03)


def test_sign_flips_of_independent_runs_are_the_exact_test() -> None:
    y = np.array([0.3, 0.1, 0.45, 0.2])
    found = estimate_mean(y, Layout(np.array([(n, n, n) for n in range(4)])), rng())
    assert found.p_value == 2 / 16


def test_a_clear_difference_has_a_small_p_value() -> None:
    y = 1 + 0.1 * simulated(rng(), SCENARIOS["mask effect 1"], 1)[0]
    found = estimate_mean(y, Layout(SEEDS), rng(), 999)
    assert found.p_value == pytest.approx(0.001)
    assert found.low is not None
    assert found.low > 0.5


def test_two_by_two_runs_cannot_have_a_p_value_below_an_eighth() -> None:
    seeds = np.array([(n, i, d) for n, (i, d) in enumerate(product(range(2), range(2)))])
    generator = rng(7)
    sets = generator.normal(size=(200, 4)) + 3 * generator.normal(size=(200, 1))
    found = [estimate_mean(y, Layout(seeds[:, 1:]), generator, 199).p_value for y in sets]
    assert min(p for p in found if p is not None) >= 0.125


def test_the_same_generator_gives_the_same_numbers() -> None:
    y = simulated(rng(), SCENARIOS["mask effect 1"], 1)[0]
    assert estimate_mean(y, Layout(SEEDS), rng(4)) == estimate_mean(y, Layout(SEEDS), rng(4))


def test_one_run_has_a_mean_and_nothing_else() -> None:
    assert estimate_mean(np.array([0.5]), layout_of(((0, 0, 0),)), rng()) == MeanEstimate(1, 0.5)
    assert np.isnan(estimate_mean(np.array([]), layout_of(()), rng()).mean)


def test_scores_that_never_differ_have_no_interval_and_no_p_value_unless_they_are_zero() -> None:
    found = estimate_mean(np.full(45, 0.2), Layout(SEEDS), rng())
    assert (found.low, found.high, found.p_value) == (None, None, None)
    assert estimate_mean(np.zeros(45), Layout(SEEDS), rng()).p_value == 1


@pytest.mark.parametrize("scenario", ["exchangeable", "mask effect 1"])
def test_at_most_five_percent_are_false_positives_without_a_difference(
    scenario: str,
) -> None:
    # tests/benchmarks/bench_comparisons.py: more data sets and other variance components.
    sets, generator, layout = simulated(rng(11), SCENARIOS[scenario], 600), rng(12), Layout(SEEDS)
    found = [estimate_mean(y, layout, generator, 199) for y in sets]
    assert 0.01 < np.mean([(one.p_value or 0) <= 0.05 for one in found]) < 0.07
    held = [(one.low or 0) <= 0 <= (one.high or 0) for one in found]
    assert np.mean(held) == pytest.approx(0.95, abs=0.03)


def test_flipping_only_cells_would_give_far_more_false_positives() -> None:
    """Why mask effects are flipped separately: they are shared by all (init, data) cells."""
    generator = rng(5)
    sets = simulated(generator, SCENARIOS["mask effect 2"], 300).reshape(300, 5, 9).mean(axis=1)
    flips = generator.choice([-1.0, 1.0], (199, 9))
    beyond = np.abs(sets @ flips.T) >= np.abs(sets.sum(axis=1))[:, None]
    assert np.mean((1 + beyond.sum(axis=1)) / 200 <= 0.05) > 0.2
