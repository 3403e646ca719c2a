"""The confidence sequence: exact under symmetry, valid at every look, consistent with itself."""

import math
from itertools import pairwise, product

import numpy as np
import pytest

from study.analysis.comparison.verdict.sequence import (
    DELTAS,
    anytime_estimate,
    log_e_process,
)


def slow_e_process(x: list[float]) -> list[float]:
    """The e-process, literally: products of the likelihood ratios of signs, then their mean."""
    values = []
    for looks in range(1, len(x) + 1):
        products = []
        for delta in (*DELTAS, *-DELTAS):
            product_ = 1.0
            for i in range(looks):
                size = math.sqrt(sum(one**2 for one in x[: i + 1]) / (i + 1))
                z = 2 * delta * math.sqrt(1 + delta**2) * x[i] / size
                product_ *= 2 / (1 + math.exp(-z))
            products.append(product_)
        values.append(sum(products) / len(products))
    return values


def test_it_equals_its_definition() -> None:
    x = np.random.default_rng(0).normal(0.5, 1, 12)
    np.testing.assert_allclose(np.exp(log_e_process(x)), slow_e_process(list(x)), rtol=1e-10)


def test_its_mean_over_all_signs_is_1_after_every_pair() -> None:
    sizes = np.array([0.3, 2.0, 0.01, 1.0, 5.0, 0.4])
    signs = np.array(list(product((-1, 1), repeat=len(sizes))))
    np.testing.assert_allclose(np.exp(log_e_process(signs * sizes)).mean(axis=0), 1, rtol=1e-12)


@pytest.mark.parametrize("tails", ["normal", "t3", "collapse"])
def test_it_rarely_exceeds_its_bound_however_often_it_is_looked_at(tails: str) -> None:
    rng, shape = np.random.default_rng(1), (4000, 60)
    runs = rng.standard_t(3, (2, *shape)) if tails == "t3" else rng.normal(size=(2, *shape))
    if tails == "collapse":
        runs[rng.random(runs.shape) < 0.1] = -15
    ever = log_e_process(runs[0] - runs[1]).max(axis=1) > math.log(20)
    assert 0.005 < ever.mean() < 0.05


def test_it_finds_a_difference_of_one_sd_in_27_pairs() -> None:
    d = np.random.default_rng(2).normal(1, 1, (2000, 27))
    assert (log_e_process(d).max(axis=1) > math.log(20)).mean() > 0.9


@pytest.mark.parametrize("tau", [0.0, 0.02])
def test_the_interval_excludes_zero_exactly_if_p_is_at_most_the_level(tau: float) -> None:
    rng = np.random.default_rng(3)
    excluded = 0
    for mean in np.linspace(0.0, 0.15, 12):
        found = anytime_estimate(rng.normal(mean, 0.1, 30), tau)
        assert found.low is not None
        assert found.high is not None
        excludes = found.low > 0 or found.high < 0
        assert excludes == (found.p_value <= found.level)
        excluded += excludes
    assert 0 < excluded < 12


def test_the_interval_keeps_its_relation_to_the_differences() -> None:
    d = np.random.default_rng(4).normal(0.3, 1, 25)
    one, scaled, turned = (anytime_estimate(x) for x in (d, 0.01 * d, -d))
    assert one.low is not None
    assert one.high is not None
    assert one.low < one.mean < one.high
    assert scaled.low == pytest.approx(0.01 * one.low, rel=1e-6)
    assert turned.high == pytest.approx(-one.low, rel=1e-6)
    assert turned.p_value == pytest.approx(one.p_value)


def test_more_pairs_never_undo_a_decision() -> None:
    d = np.random.default_rng(5).normal(0.7, 1, 80)
    found = [anytime_estimate(d[:n]) for n in range(12, 81, 4)]
    lows = [-math.inf if one.low is None else one.low for one in found]
    p_values = [one.p_value for one in found]
    assert lows[0] < lows[-1]
    assert lows[-1] > 0
    assert all(later > before - 1e-8 for before, later in pairwise(lows))
    assert p_values == sorted(p_values, reverse=True)


def test_the_test_set_widens_the_interval_and_more_pairs_do_not_undo_that() -> None:
    d = np.random.default_rng(6).normal(0.5, 0.05, 400)
    within, beyond = anytime_estimate(d), anytime_estimate(d, tau=0.1)
    assert within.low is not None
    assert beyond.low is not None
    assert 0.5 - within.low < 0.02
    assert 0.5 - beyond.low > 0.2


def test_few_pairs_have_no_interval_and_equal_ones_no_width() -> None:
    few = anytime_estimate(np.array([0.1, 0.2, 0.15]))
    assert (few.low, few.high) == (None, None)
    assert anytime_estimate(np.array([])).pairs == 0
    same = anytime_estimate(np.full(20, 0.25))
    assert (same.low, same.high) == (0.25, 0.25)
    nothing = anytime_estimate(np.zeros(20))
    assert (nothing.low, nothing.high, nothing.p_value) == (0, 0, 1)
