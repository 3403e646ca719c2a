"""The sign-flip test against a literal enumeration, and its smallest p-values."""

from itertools import product

import numpy as np
import pytest

from study.analysis.comparison.verdict.flips import EXACT, sign_flip_p

RNG = np.random.default_rng(0)


def slow_p(d: list[float]) -> float:
    patterns = list(product((-1, 1), repeat=len(d)))
    sums = [abs(sum(s * x for s, x in zip(signs, d, strict=True))) for signs in patterns]
    return sum(one >= abs(sum(d)) - 1e-12 for one in sums) / len(patterns)


@pytest.mark.parametrize("n", [1, 2, 4, 9])
def test_it_counts_all_patterns(n: int) -> None:
    d = np.random.default_rng(n).normal(0.4, 1, n)
    assert sign_flip_p(d, RNG) == pytest.approx(slow_p(list(d)))


def test_four_equal_signs_cannot_have_a_p_below_an_eighth() -> None:
    assert sign_flip_p(np.array([0.1, 0.2, 0.3, 0.4]), RNG) == 0.125
    assert sign_flip_p(np.full(30, 0.1), RNG) == pytest.approx(1 / 200_001, rel=0.01)


def test_drawn_patterns_agree_with_all_of_them() -> None:
    d = np.random.default_rng(1).normal(0.3, 1, EXACT)
    exact = sign_flip_p(d, RNG)
    drawn = sign_flip_p(np.append(d, 1e-9), RNG)
    assert exact is not None
    assert drawn == pytest.approx(exact, abs=0.003)


def test_zeros_do_not_count_and_nothing_has_no_p() -> None:
    d = np.array([0.2, 0.0, 0.3])
    assert sign_flip_p(d, RNG) == sign_flip_p(d[[0, 2]], RNG) == 0.5
    assert sign_flip_p(np.zeros(3), RNG) == 1
    assert sign_flip_p(np.array([]), RNG) is None


def test_five_percent_are_false_alarms() -> None:
    rng = np.random.default_rng(2)
    p = [sign_flip_p(rng.standard_t(3, 12), rng) or 0.0 for _ in range(400)]
    assert 0.02 < np.mean(np.array(p) <= 0.05) < 0.08
