"""Estimates over seeds: mean, sd, interquartile mean, intervals."""

import numpy as np
import pytest
from scipy import stats

from study.storage.result.estimates import estimate, interquartile_mean


def test_an_estimate_has_mean_spread_and_interval() -> None:
    one = estimate("dev_mcc", [0.4, 0.5, None, 0.6], rows=400)
    assert one is not None
    assert (one.count, one.failed, one.scores) == (3, 1, (0.4, 0.5, 0.6))
    assert one.mean == pytest.approx(0.5)
    assert one.sd == pytest.approx(0.1)
    low, high = stats.t.interval(0.95, 2, 0.5, 0.1 / 3**0.5)
    assert (one.low, one.high) == pytest.approx((low, high))
    assert one.sampling_half_width == pytest.approx(1.96 * ((1 - 0.25) / 400) ** 0.5)


def test_a_single_run_has_no_spread() -> None:
    one = estimate("dev_mcc", [0.4])
    assert one is not None
    assert (one.mean, one.sd, one.iqm, one.low, one.high) == (0.4, None, None, None, None)
    assert one.sampling_half_width is None


@pytest.mark.parametrize("values", [[], [None], [None, None]])
def test_there_is_no_estimate_without_a_score(values: list[float | None]) -> None:
    assert estimate("dev_mcc", values) is None


def test_an_interval_stays_in_the_range_of_the_metric() -> None:
    one = estimate("dev_accuracy", [0.99, 0.7])
    assert one is not None
    assert one.high == 1.0
    assert one.low is not None
    assert one.low >= 0.0


@pytest.mark.parametrize(
    ("values", "expected"),
    [([1.0], 1.0), ([1.0, 3.0], 2.0), ([0.0, 1.0, 2.0, 30.0], 1.5), ([0, 0, 0, 4, 4, 4], 2.0)],
)
def test_the_interquartile_mean_is_of_the_middle_half(
    values: list[float], expected: float
) -> None:
    assert interquartile_mean(values) == pytest.approx(expected)


def test_the_interquartile_mean_of_many_values_is_the_mean_between_the_quartiles() -> None:
    values = [float(i * i) for i in range(100)]
    assert interquartile_mean(values) == pytest.approx(stats.trim_mean(values, 0.25))


def test_the_interval_over_seeds_and_splits_has_both_errors() -> None:
    one = estimate("test_mcc", [0.5, 0.52, 0.48, 0.51], rows=600)
    assert one is not None
    assert one.low is not None
    assert one.over_splits is not None
    assert one.sampling_half_width is not None
    low, high = one.over_splits
    of_seeds = one.mean - one.low
    assert one.mean - low == pytest.approx((of_seeds**2 + one.sampling_half_width**2) ** 0.5)
    assert high - one.mean == pytest.approx(one.mean - low)
    alone, unknown = estimate("test_mcc", [0.5], rows=600), estimate("test_mcc", [0.5, 0.52])
    assert alone is not None
    assert unknown is not None
    assert alone.over_splits is None
    assert unknown.over_splits is None


def test_a_collapsed_run_is_counted_and_not_averaged() -> None:
    values = [0.5, 0.0, None, 0.6]
    one = estimate("test_mcc", values, collapsed=[False, True, False, False])
    assert one is not None
    assert (one.mean, one.scores, one.failed, one.collapsed) == (
        pytest.approx(0.55), (0.5, 0.6), 1, 1,
    )  # fmt: skip
    assert (one.rate.k, one.rate.n) == (1, 3)
    every = estimate("test_mcc", [0.0, 0.0], collapsed=[True, True])
    assert every is not None
    assert (every.mean, every.count, every.rate.k, every.rate.n) == (0.0, 2, 2, 2)


def test_the_intervals_of_score_and_rate_hold_where_one_run_in_ten_collapses() -> None:
    rng, score, rate, studies = np.random.default_rng(0), 0, 0, 600
    for _ in range(studies):
        lost = rng.random(4) < 0.1
        values = np.where(lost, 0.0, 0.7 + 0.02 * rng.normal(size=4))
        one = estimate("test_mcc", [float(v) for v in values], collapsed=[bool(o) for o in lost])
        assert one is not None
        score += one.low is None or one.high is None or one.low <= 0.7 <= one.high
        rate += one.rate.low <= 0.1 <= one.rate.high
    assert score >= 0.93 * studies
    assert rate >= 0.95 * studies
