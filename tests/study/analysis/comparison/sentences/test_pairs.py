"""Sentences on pairs: few seeds and failed runs leave them undecided."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from study.analysis.comparison import analyse
from study.analysis.comparison.components.configurations import runs_to_decide
from study.analysis.comparison.results import read_results
from study.analysis.comparison.scores.paired import Pair, compare, corrected
from study.analysis.comparison.scores.questions import questions
from study.analysis.comparison.scores.statistics import SeedBootstrap
from study.analysis.comparison.scores.summary import seeds_of
from study.analysis.comparison.sentences.answers import report_lines
from study.analysis.comparison.sentences.numbers import runs_needed
from study.analysis.comparison.sentences.pairs import verdict
from tests.study.analysis.comparison.made_comparisons import (
    ADALORA,
    LORA,
    RS,
    Row,
    crossed,
    failed,
    planned,
    write,
)

BEST = replace(RS, level=0.75)


def pair_of(folder: Path, rows: list[Row]) -> Pair:
    """The comparison of the first configuration with the second."""
    found = read_results(write(folder, rows))
    rng = np.random.default_rng(0)
    bootstrap = SeedBootstrap(seeds_of(found.runs), rng, 200)
    question = questions(found, found.runs[0].configuration)[0]
    return corrected([compare(found, "test_mcc", question, bootstrap, rng)])[0]


def words(folder: Path, rows: list[Row]) -> str:
    return "\n".join(report_lines(analyse([write(folder, rows)])))


def test_a_configuration_that_fails_on_half_of_the_seeds_does_not_win(tmp_path: Path) -> None:
    rows = crossed([BEST, ADALORA])
    for at in range(0, 44, 2):
        rows[at] = failed(rows[at])
    pair = pair_of(tmp_path, rows)
    assert (pair.winner, pair.two_sided_winner) == (None, None)
    assert pair.wins == (23, 45)
    sentence = verdict(pair)
    assert "undecided, as failed runs reverse the sign of the difference" in sentence
    assert (
        "22 pairs with a failed run: if failed runs score as guessing, the difference is -0."
        in sentence
    )
    text = words(tmp_path, rows)
    assert "Yes" not in text
    assert "yes," not in text


def test_failures_of_only_the_other_configuration_do_not_make_a_winner(tmp_path: Path) -> None:
    rows = crossed([replace(RS, level=ADALORA.level), ADALORA])
    for at in (45, 47, 49, 51):
        rows[at] = failed(rows[at])
    pair = pair_of(tmp_path, rows)
    assert pair.imputed_difference is not None
    assert pair.imputed_difference.mean > 0.1
    assert pair.winner is None


def test_failures_of_the_other_configuration_do_not_change_a_clear_winner(tmp_path: Path) -> None:
    rows = crossed([BEST, ADALORA])
    rows[45] = failed(rows[45])
    assert pair_of(tmp_path, rows).winner == "adalora_rs"


def test_a_configuration_without_any_score_is_named(tmp_path: Path) -> None:
    rows = crossed([BEST, ADALORA, LORA], (2, 2, 2))
    rows[8:12] = map(failed, rows[8:12])
    text = words(tmp_path, rows)
    assert "p = 0.1 against p = 0: all 4 runs of adalora failed." in text
    assert "Not compared with adalora: all 4 runs of adalora failed." in text
    assert "no runs on equal seeds have finished yet" not in text
    assert "Yes" not in text


def test_a_leader_without_any_score_is_not_called_pending(tmp_path: Path) -> None:
    rows = crossed([BEST, ADALORA], (2, 2, 2))
    rows[:8] = map(failed, rows[:8])
    assert "adalora_rs has no score: 8 runs failed." in words(tmp_path, rows)


@pytest.mark.parametrize("seeds", [(5, 1, 1), (5, 1, 3), (1, 3, 3)])
def test_a_single_seed_of_a_factor_decides_nothing(
    tmp_path: Path, seeds: tuple[int, int, int]
) -> None:
    pair = pair_of(tmp_path, crossed([BEST, ADALORA], seeds))
    assert (pair.winner, pair.p_value, pair.two_sided_winner) == (None, None, None)
    assert re.search(r"as only one \w+ seed( and one data seed)? ha(s|ve) finished", verdict(pair))
    assert "no p-value" in verdict(pair)


def test_seeds_that_are_only_planned_do_not_count(tmp_path: Path) -> None:
    rows = [row if row["init"] == 0 else planned(row) for row in crossed([BEST, ADALORA])]
    assert "undecided, as only one init seed has finished pairs" in verdict(
        pair_of(tmp_path, rows)
    )
    assert "Only one init seed has scores" in words(tmp_path, rows)


def test_configurations_without_mask_need_no_mask_seeds(tmp_path: Path) -> None:
    pair = pair_of(tmp_path, crossed([replace(ADALORA, level=0.8), LORA]))
    assert pair.seeds == {"init": 3, "data": 3}
    assert pair.p_two_sided is not None


def test_a_verdict_from_two_seeds_of_a_factor_has_a_warning(tmp_path: Path) -> None:
    pair = pair_of(tmp_path, crossed([replace(RS, level=0.9), ADALORA], (5, 3, 2)))
    decided = replace(pair, p_corrected=0.02)
    assert decided.winner == "adalora_rs"
    assert "With only 2 data seeds, up to about 20 % of such verdicts are false" in verdict(
        decided
    )
    whole = pair_of(tmp_path, crossed([BEST, ADALORA]))
    assert whole.winner == "adalora_rs"
    assert "false positives" not in verdict(whole)


def test_a_one_sided_p_value_has_a_one_sided_bound_beside_it(tmp_path: Path) -> None:
    pair = pair_of(tmp_path, crossed([BEST, ADALORA]))
    own = pair.difference
    assert own.low is not None
    assert own.one_sided_reach is not None
    assert own.low < own.mean - own.one_sided_reach < own.mean
    sentence = verdict(pair)
    assert (
        f"(one-sided 95 % lower bound {own.mean - own.one_sided_reach:+.4f}), one-sided p"
        in sentence
    )


def test_whether_the_winner_is_still_best_is_tested_two_sided(tmp_path: Path) -> None:
    pair = pair_of(tmp_path, crossed([BEST, ADALORA]))
    one = replace(pair, p_corrected=0.03, p_corrected_two_sided=0.06)
    assert (one.winner, one.two_sided_winner) == ("adalora_rs", None)
    wide = replace(pair, difference=replace(pair.difference, low=-0.01))
    assert wide.two_sided_winner is None
    assert replace(pair, difference=replace(pair.difference, one_sided_reach=0.9)).winner is None


def test_runs_paired_with_every_mask_seed_are_counted(tmp_path: Path) -> None:
    rows = crossed([BEST, ADALORA, LORA], (5, 2, 2))
    assert (
        "better on 20 of 20 equal seeds (4 runs of adalora, each paired with every mask seed)"
        in verdict(pair_of(tmp_path, rows))
    )
    assert (
        "20 of 20 equal seeds (4 runs of adalora and lora, paired with every mask seed)"
        in words(tmp_path, rows)
    )


def test_a_constant_difference_is_undecided(tmp_path: Path) -> None:
    rows = crossed([RS, ADALORA])
    for at, row in enumerate(rows):
        row["test_mcc"] = 0.6 if at < 45 else 0.5
    sentence = verdict(pair_of(tmp_path, rows))
    assert (
        "undecided, as all 45 differences are equal, so that their variance is unknown" in sentence
    )
    assert "+0.1000, no interval, no p-value" in sentence


def known(pair: Pair, mean: float, half: float, p: float, tests: int = 1) -> Pair:
    """The pair with another difference, half-width and p-value."""
    found = replace(pair.difference, mean=mean, low=mean - half, high=mean + half, p_value=p)
    return replace(pair, difference=found, tests=tests)


def test_a_difference_that_only_its_p_value_leaves_undecided_needs_runs(
    tmp_path: Path,
) -> None:
    pair = known(pair_of(tmp_path, crossed([RS, ADALORA])), 0.02, 0.018, 0.1)
    plan = runs_to_decide(pair, np.random.default_rng(0))
    assert plan is not None
    assert plan.independent > 0
    assert "excludes zero" not in runs_needed(plan)
    surer = runs_to_decide(known(pair, 0.02, 0.018, 0.06), np.random.default_rng(0))
    assert surer is not None
    assert surer.independent < plan.independent


def test_the_number_of_runs_is_for_the_corrected_level(tmp_path: Path) -> None:
    pair = pair_of(tmp_path, crossed([RS, ADALORA]))
    plans = [
        runs_to_decide(known(pair, 0.02, 0.021, 0.06, tests), np.random.default_rng(0))
        for tests in (1, 6)
    ]
    uncorrected, corrected_for = [plan.independent for plan in plans if plan is not None]
    # In standard errors, 80 % of the time: 1.960 + 0.842, and 2.638 + 0.842.
    assert corrected_for / uncorrected == pytest.approx((3.480 / 2.802) ** 2, rel=0.05)


def test_planned_runs_come_before_further_runs(tmp_path: Path) -> None:
    rows = crossed([RS, replace(ADALORA, level=RS.level)])
    rows[40:45] = map(planned, rows[40:45])
    text = words(tmp_path, rows)
    assert "5 planned runs have not finished: finish these first." in text
    assert "further runs," not in text
    assert "their own seeds" not in text


def test_a_difference_whose_sign_failures_reverse_has_no_number_of_runs(tmp_path: Path) -> None:
    rows = crossed([BEST, ADALORA])
    rows[:30:2] = map(failed, rows[:30:2])
    plan = runs_to_decide(pair_of(tmp_path, rows), np.random.default_rng(0))
    assert plan is not None
    assert plan.reason == "failed runs decide it"
