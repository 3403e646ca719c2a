"""Differences of two configurations on equal seeds, their intervals and decisions."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from study.analysis.comparison import analyse
from study.analysis.comparison.results import read_results
from study.analysis.comparison.scores.paired import Pair, decided, paired
from tests.study.analysis.comparison.made_comparisons import (
    ADALORA,
    LORA,
    RS,
    Row,
    crossed,
    failed,
    pairs_of,
    planned,
    write,
    write_outputs,
)

BETTER = replace(RS, level=0.66)


def pair_of(
    folder: Path, rows: list[Row], outputs: bool = False, metric: str = "test_mcc"
) -> Pair:
    """The comparison of the first configuration with the second."""
    write(folder, rows)
    if outputs:
        write_outputs(folder, rows)
    return analyse([folder], metric).tasks[0].pairs[0]


def test_a_run_without_mask_meets_every_mask_of_its_init_and_data_seed(tmp_path: Path) -> None:
    found = read_results(write(tmp_path, crossed([RS, ADALORA])))
    both = [found.configurations[label] for label in ("adalora_rs", "adalora")]
    pairs = paired(*both)
    assert len(pairs) == 45
    assert all(key == a.key and key[1:] == b.key[1:] for key, (a, b) in pairs.items())
    turned = paired(both[1], both[0])
    assert {key: pair[::-1] for key, pair in turned.items()} == pairs


def test_fresh_seeds_are_independent_pairs_and_crossed_ones_are_not(tmp_path: Path) -> None:
    fresh = pair_of(tmp_path / "a", pairs_of([RS, ADALORA], 20))
    assert (fresh.independent, len(fresh.differences), fresh.unmasked) == (True, 20, None)
    old = pair_of(tmp_path / "b", crossed([RS, ADALORA]))
    assert (old.independent, len(old.differences), old.unmasked) == (False, 45, "adalora")
    assert old.anytime is None


@pytest.mark.parametrize("design", ["pairs", "crossed"])
def test_the_difference_is_the_mean_over_equal_seeds(design: str, tmp_path: Path) -> None:
    rows = pairs_of([RS, ADALORA], 20) if design == "pairs" else crossed([RS, ADALORA])
    pair = pair_of(tmp_path, rows)
    means = [
        np.mean([r["test_mcc"] for r in rows if r["configuration"] == label])
        for label in ("adalora_rs", "adalora")
    ]
    assert pair.over_seeds.mean == pytest.approx(means[0] - means[1])


def test_effects_of_seeds_on_both_configurations_cancel(tmp_path: Path) -> None:
    rows = pairs_of([replace(RS, sd={"rest": 0.001}), replace(LORA, sd={"rest": 0.001})], 15)
    low, high = pair_of(tmp_path, rows).deciding or (0.0, 0.0)
    assert 0.008 < low < 0.01 < high < 0.012


def test_a_clear_difference_is_decided_and_its_reverse_too(tmp_path: Path) -> None:
    rows = pairs_of([BETTER, ADALORA], 20)
    pair = pair_of(tmp_path / "a", rows)
    assert (pair.decision, pair.winner, pair.wins) == ("better", "adalora_rs", (20, 20))
    worse = pair_of(tmp_path / "b", pairs_of([replace(RS, level=0.5), ADALORA], 20))
    assert (worse.decision, worse.winner) == ("worse", "adalora")


def test_equal_configurations_become_practically_equal(tmp_path: Path) -> None:
    same = [replace(RS, sd={"rest": 0.003}), replace(ADALORA, level=0.62, sd={"rest": 0.003})]
    pair = pair_of(tmp_path, pairs_of(same, 25))
    assert (pair.decision, pair.winner) == ("equal", None)
    assert decided([pair], 0.001, np.random.default_rng(0))[0].decision == "undecided"


def test_pairs_after_the_first_unfinished_one_do_not_count(tmp_path: Path) -> None:
    rows = pairs_of([BETTER, ADALORA], 20)
    rows[10] = planned(rows[10])
    pair = pair_of(tmp_path, rows)
    assert (len(pair.differences), pair.pending) == (5, 1)


def test_scores_are_compared_over_pairs_without_failed_and_collapsed_runs(tmp_path: Path) -> None:
    rows = pairs_of([BETTER, ADALORA], 20)
    whole = pair_of(tmp_path / "a", rows)
    rows[4] = failed(rows[4])
    rows[9]["test_mcc"] = 0.001
    pair = pair_of(tmp_path / "b", rows)
    assert len(pair.differences) == 18
    assert (pair.hurdle.a.k, pair.hurdle.b.k) == (1, 1)
    assert (pair.hurdle.only_a, pair.hurdle.only_b) == (1, 1)
    assert pair.over_seeds.mean == pytest.approx(whole.over_seeds.mean, abs=0.01)
    assert pair.winner == "adalora_rs"


def test_collapsed_runs_neither_narrow_nor_move_the_interval(tmp_path: Path) -> None:
    rows = pairs_of([RS, ADALORA], 30)
    clean = pair_of(tmp_path / "a", rows)
    for place in (3, 17, 41):
        rows[place]["test_mcc"] = 0.0
    pair = pair_of(tmp_path / "b", rows)
    assert pair.over_seeds.mean == pytest.approx(clean.over_seeds.mean, abs=0.003)
    assert pair.hurdle.p_value > 0.2


def test_better_is_withheld_from_a_configuration_that_fails_more_often(tmp_path: Path) -> None:
    rows = pairs_of([BETTER, ADALORA], 40)
    for place in range(0, 20, 2):
        rows[place] = failed(rows[place])
    pair = pair_of(tmp_path, rows)
    assert pair.withheld
    assert (pair.hurdle.worse, pair.decision, pair.winner) == ("a", "undecided", None)


def test_equal_is_withheld_if_one_fails_more_often(tmp_path: Path) -> None:
    same = [replace(RS, sd={"rest": 0.003}), replace(ADALORA, level=0.62, sd={"rest": 0.003})]
    rows = pairs_of(same, 40)
    for place in range(0, 20, 2):
        rows[place] = failed(rows[place])
    pair = pair_of(tmp_path, rows)
    assert pair.hurdle.worse == "a"
    assert (pair.withheld, pair.decision, pair.winner) == (True, "undecided", None)


def test_of_a_loss_the_smaller_one_is_better(tmp_path: Path) -> None:
    rows = pairs_of([replace(RS, level=0.3), replace(ADALORA, level=0.5)], 20, metric="test_loss")
    pair = pair_of(tmp_path, rows, metric="test_loss")
    assert pair.over_seeds.mean < 0
    assert (pair.decision, pair.winner, pair.wins) == ("better", "adalora_rs", (20, 20))
    assert (pair.rope, pair.improvement) == (0, 1.0)


def test_the_test_set_widens_both_the_interval_and_the_sequence(tmp_path: Path) -> None:
    rows = pairs_of([BETTER, ADALORA], 20)
    without = pair_of(tmp_path / "a", rows)
    pair = pair_of(tmp_path / "b", rows, outputs=True)
    assert (without.tau, without.over_test_sets) == (None, None)
    assert pair.tau is not None
    assert pair.tau > 0
    assert pair.over_test_sets is not None
    assert pair.over_seeds.low is not None
    assert pair.over_test_sets[0] < pair.over_seeds.low
    assert pair.deciding is not None
    assert without.deciding is not None
    assert pair.deciding[0] < without.deciding[0]


def test_pairs_that_are_analysed_together_share_the_error(tmp_path: Path) -> None:
    one = pair_of(tmp_path / "a", pairs_of([BETTER, ADALORA], 20))
    several = pair_of(tmp_path / "b", pairs_of([BETTER, ADALORA, LORA, replace(LORA, label="x",
        settings={"lr": 0.1})], 20))  # fmt: skip
    assert (one.family, several.family) == (1, 6)
    assert one.anytime is not None
    assert several.anytime is not None
    assert several.anytime.level == pytest.approx(0.05 / 6)


def test_two_crossed_seeds_of_two_factors_cannot_have_a_small_p(tmp_path: Path) -> None:
    pair = pair_of(tmp_path, crossed([replace(ADALORA, level=0.8), LORA], (1, 2, 2)))
    assert pair.over_seeds.p_value is not None
    assert pair.over_seeds.p_value >= 0.125
