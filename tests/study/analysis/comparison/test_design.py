"""A design of runs: its levels, missing runs, and invalid designs."""

import numpy as np
import pytest

from study.analysis.comparison.design import SeedCombination, read_design
from tests.study.analysis.comparison.made_scores import made_design


def test_failed_runs_and_absent_runs_are_missing() -> None:
    design = read_design(
        ["rs"] * 7, [1, 1, 1, 1, 2, 2, 2], [1, 1, 2, 2, 1, 1, 2], [1, 2, 1, 2, 1, 2, 1],
        [0.5, np.nan, 0.7, 0.8, 0.6, 0.7, 0.4],
    )  # fmt: skip
    assert design.crossed
    assert design.missing == [SeedCombination("rs", 1, 1, 2), SeedCombination("rs", 2, 2, 2)]
    assert [str(cell) for cell in design.missing] == [
        "rs (mask 1, init 1, data 2)",
        "rs (mask 2, init 2, data 2)",
    ]
    assert design.counts == {"configuration": 1, "mask": 2, "init": 2, "data": 2}
    assert design.scores.tolist() == [0.5, 0.7, 0.8, 0.6, 0.7, 0.4]


def test_a_configuration_without_a_mask_is_crossed_over_init_and_data_only() -> None:
    design = read_design(
        ["rs"] * 8 + ["lora"] * 3, [0, 1] * 4 + [-1] * 3, [0, 0, 1, 1] * 2 + [0, 0, 1],
        [0] * 4 + [1] * 4 + [0, 1, 0], np.arange(11.0),
    )  # fmt: skip
    assert design.missing == [SeedCombination("lora", -1, 1, 1)]
    assert str(design.missing[0]) == "lora (init 1, data 1)"
    assert design.masked().configurations == ["rs"]
    assert design.of("lora").counts == {"configuration": 1, "mask": 0, "init": 2, "data": 2}


def test_runs_with_their_own_seeds_lack_only_those_that_failed() -> None:
    seeds = np.arange(8)
    scores = np.where(seeds == 3, np.nan, 0.5)
    design = read_design(["a"] * 4 + ["b"] * 4, seeds, seeds, seeds, scores)
    assert not design.crossed
    assert design.missing == [SeedCombination("a", 3, 3, 3)]


def test_a_configuration_whose_runs_all_failed_is_missing_and_not_counted() -> None:
    design = made_design(np.random.default_rng(0), (2, 2, 2, 2), without=tuple(range(8, 16)))
    assert len(design.missing) == 8
    assert design.counts["configuration"] == 1


@pytest.mark.parametrize(
    ("seeds", "scores", "message"),
    [
        ([0, 0], [0.1, 0.2], r"two of a \(mask 0, init 0, data 0\)"),
        ([0, 1], [0.1, np.inf], "finite"),
        ([0, 1], [0.1], "one finite score or NaN per run"),
    ],
)
def test_an_invalid_design_is_refused(seeds: list[int], scores: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_design(["a", "a"], seeds, seeds, seeds, scores)


def test_a_failed_run_may_have_been_repeated() -> None:
    design = read_design(["a"] * 2, [0, 0], [0, 0], [0, 0], [np.nan, 0.3])
    assert design.missing == []
    assert design.scores.tolist() == [0.3]
