"""Exact intervals and tests of rates."""

import numpy as np
import pytest
from scipy.stats import binom

from study.analysis.hurdle.rates import Hurdle, Rate


def test_limits_are_those_of_clopper_and_pearson() -> None:
    rate = Rate(3, 20)
    assert rate.share == 0.15
    assert binom.sf(2, 20, rate.low) == pytest.approx(0.025)
    assert binom.cdf(3, 20, rate.high) == pytest.approx(0.025)


def test_none_and_all_have_one_sided_limits() -> None:
    assert Rate(0, 12).low == 0
    assert Rate(0, 12).high == pytest.approx(1 - 0.025 ** (1 / 12))
    assert Rate(12, 12).high == 1
    assert Rate(0, 0).share == 0


@pytest.mark.parametrize("true", [0.02, 0.1, 0.5])
def test_the_interval_holds_at_least_95_percent(true: float) -> None:
    counts = np.arange(46)
    holds = [Rate(int(k), 45).low <= true <= Rate(int(k), 45).high for k in counts]
    assert binom.pmf(counts, 45, true)[holds].sum() >= 0.95


def test_seven_of_45_against_none_of_9_differ_no_more_than_by_chance() -> None:
    hurdle = Hurdle(Rate(7, 45), Rate(0, 9), None, None)
    assert hurdle.p_value == pytest.approx(0.59, abs=0.01)
    assert hurdle.worse is None


def test_pairs_are_judged_by_those_that_differ() -> None:
    assert Hurdle(Rate(6, 20), Rate(0, 20), 6, 0).p_value == pytest.approx(2 / 2**6)
    assert Hurdle(Rate(8, 20), Rate(0, 20), 8, 0).worse == "a"
    assert Hurdle(Rate(7, 20), Rate(0, 20), 7, 0).worse is None
    assert Hurdle(Rate(9, 20), Rate(9, 20), 0, 0).p_value == 1


def test_the_worse_one_is_that_of_the_pairs_that_differ() -> None:
    """Runs after the first pair that has not ended count in the rates, not in the test."""
    assert Hurdle(Rate(8, 20), Rate(8, 20), 8, 0).worse == "a"
    assert Hurdle(Rate(8, 20), Rate(9, 22), 8, 0).worse == "a"
    assert Hurdle(Rate(9, 22), Rate(8, 20), 0, 8).worse == "b"


def test_many_looks_at_equal_rates_cause_at_most_five_percent_false_alarms() -> None:
    rng, looks, studies = np.random.default_rng(0), 120, 2000
    lost = rng.random((studies, looks, 2)) < 0.2
    only_a = np.cumsum(lost[:, :, 0] & ~lost[:, :, 1], axis=1)
    only_b = np.cumsum(lost[:, :, 1] & ~lost[:, :, 0], axis=1)
    anything = Rate(1, 2)
    # The verdict depends on the two numbers only.
    most = int(max(only_a.max(), only_b.max())) + 1
    alarm = np.array(
        [
            [Hurdle(anything, anything, a, b).worse is not None for b in range(most)]
            for a in range(most)
        ]
    )
    assert 0.005 < alarm[only_a, only_b].any(axis=1).mean() <= 0.05


def test_a_family_of_comparisons_needs_more_evidence() -> None:
    rates = Rate(8, 20), Rate(0, 20)
    assert Hurdle(*rates, 8, 0).worse == "a"
    assert Hurdle(*rates, 8, 0, level=0.05 / 6).worse is None
    assert Hurdle(*rates, 0, 12, level=0.05 / 6).worse == "b"
