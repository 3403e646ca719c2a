import numpy as np
import pytest

from study.analysis.benchmark.ranks import interval_of_mean, mean_ranks


@pytest.mark.parametrize("share", [0.03, 0.1, 0.3, 0.5])
@pytest.mark.parametrize("groups", [4, 11, 30])
def test_the_interval_holds_the_expected_rank(share: float, groups: int) -> None:
    rng = np.random.default_rng(0)
    drawn = [interval_of_mean((rng.random(groups) < share).astype(float)) for _ in range(400)]
    assert np.mean([low <= share <= high for low, high in drawn]) >= 0.93


def test_always_being_first_in_a_few_groups_leaves_a_width() -> None:
    low, high = interval_of_mean(np.zeros(11))
    assert low == 0.0
    assert 0.15 < high < 0.3
    assert interval_of_mean(np.zeros(2)) == (0.0, 1.0)


def test_tied_means_share_a_rank_and_a_group_has_one_rank() -> None:
    cells = [("g", {"a": 0.5, "b": 0.5}), ("g", {"a": 0.6, "b": 0.5}), ("h", {"a": 0.1, "b": 0.9})]
    found = mean_ranks(cells)
    assert (found["a"].rank, found["b"].rank) == (1.625, 1.375)
    assert found["a"].groups == 2
