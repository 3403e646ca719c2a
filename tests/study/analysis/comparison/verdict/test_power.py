"""How many pairs a decision needs, before and after they were run."""

import numpy as np
import pytest

from study.analysis.comparison.verdict.power import fewest_pairs, further_pairs, smallest_effect
from study.analysis.comparison.verdict.sequence import anytime_estimate, spent
from study.spec.comparison.planning import fewest_pairs as planned_fewest


@pytest.mark.parametrize("comparisons", [1, 6, 36])
def test_no_decision_is_expected_before_one_is_possible(comparisons: int) -> None:
    level = 0.05 / comparisons
    least = fewest_pairs(level)
    clear = np.random.default_rng(0).normal(0.3, 0.001, least)
    assert anytime_estimate(clear, level=level).low is not None
    assert anytime_estimate(clear[: least - 1], level=level).low is None
    found = further_pairs(clear[:5], 0.0, level, 0.01, np.random.default_rng(1))
    assert found is not None
    assert found.low >= least - 5


def test_more_pairs_find_smaller_effects() -> None:
    assert smallest_effect(3, 0.05) is None
    many, few = smallest_effect(60, 0.05), smallest_effect(15, 0.05)
    assert many is not None
    assert few is not None
    assert many < few


@pytest.mark.parametrize("comparisons", [1, 2, 3, 6, 10, 21, 45])
def test_a_plan_has_enough_pairs_to_decide_with_the_test_set_counted(comparisons: int) -> None:
    of_seeds, _ = spent(0.01, 0.05 / comparisons)
    assert 0 <= planned_fewest(comparisons) - fewest_pairs(of_seeds) <= 1
