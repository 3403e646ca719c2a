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
    assert Hurdle(Rate(6, 20), Rate(0, 20), 6, 0).worse == "a"
    assert Hurdle(Rate(9, 20), Rate(9, 20), 0, 0).p_value == 1


def test_the_worse_one_is_that_of_the_pairs_that_differ() -> None:
    """Runs after the first pair that has not ended count in the rates, not in the test."""
    assert Hurdle(Rate(6, 20), Rate(6, 20), 6, 0).worse == "a"
    assert Hurdle(Rate(6, 20), Rate(7, 22), 6, 0).worse == "a"
    assert Hurdle(Rate(7, 22), Rate(6, 20), 0, 6).worse == "b"
