"""Which runs have collapsed."""

import numpy as np
import pytest

from study.analysis.hurdle.guessing import bound_of_guessing, has_collapsed


@pytest.mark.parametrize(("classes", "spread"), [(2, 1), (5, 4)])
def test_guessing_is_within_the_bound_in_95_percent(classes: int, spread: int) -> None:
    assert bound_of_guessing(400, classes) == pytest.approx(1.96 / (400 * spread) ** 0.5)


def test_one_class_or_a_score_of_guessing_is_a_collapse() -> None:
    bound = bound_of_guessing(400)
    assert has_collapsed(0.09, bound)
    assert has_collapsed(-0.09, bound)
    assert not has_collapsed(0.11, bound)
    assert has_collapsed(0.5, bound, np.zeros(400, int))
    assert not has_collapsed(0.5, bound, np.arange(400) % 2)
    assert not has_collapsed(None, bound)
