"""Sentences on pairs: what decides, failed runs, too few seeds."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from study.analysis.comparison import analyse
from study.analysis.comparison.scores.paired import Pair
from study.analysis.comparison.sentences.answers import report_lines
from study.analysis.comparison.sentences.pairs import verdict
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

BEST = replace(RS, level=0.75)


def pair_of(folder: Path, rows: list[Row]) -> Pair:
    """The comparison of the first configuration with the second."""
    return analyse([write(folder, rows)]).tasks[0].pairs[0]


def words(folder: Path, rows: list[Row]) -> str:
    return "\n".join(report_lines(analyse([write(folder, rows)])))


def test_a_decision_has_its_interval_and_what_it_holds_for(tmp_path: Path) -> None:
    rows = pairs_of([BEST, ADALORA], 20)
    write_outputs(write(tmp_path, rows), rows)
    text = "\n".join(report_lines(analyse([tmp_path])))
    assert "hold with 95 % probability, over seeds and test sets, however often" in text
    assert "Yes: it is better than every other configuration." in text
    assert re.search(r"p = 0.1 against p = 0: adalora_rs is better. Difference .* \[\+", text)
    assert "over seeds and test sets [+" in text
    assert "20 of 20 pairs of runs" in text


def test_without_predictions_the_test_set_is_not_counted(tmp_path: Path) -> None:
    text = words(tmp_path, pairs_of([BEST, ADALORA], 20))
    assert "over seeds on this test set, however often" in text
    assert "test set not counted, as there are no stored predictions" in text


def test_several_comparisons_hold_together(tmp_path: Path) -> None:
    text = words(tmp_path, pairs_of([BEST, ADALORA, LORA], 20))
    assert "for all 3 comparisons together" in text


def test_a_few_pairs_are_named_as_too_few(tmp_path: Path) -> None:
    sentence = verdict(pair_of(tmp_path, pairs_of([BEST, ADALORA], 4)))
    assert "undecided, as 4 pairs are too few for an interval" in sentence
    assert "p = 0.12" in sentence


def test_equal_configurations_are_called_practically_equal(tmp_path: Path) -> None:
    same = [replace(RS, sd={"rest": 0.003}), replace(ADALORA, level=0.62, sd={"rest": 0.003})]
    text = words(tmp_path, pairs_of(same, 25))
    assert "p = 0.1 against p = 0: practically equal, within 0.01." in text
    assert "No other configuration is better by more than what matters." in text


def test_a_configuration_that_fails_on_many_seeds_does_not_win(tmp_path: Path) -> None:
    rows = pairs_of([BEST, ADALORA], 40)
    for place in range(0, 20, 2):
        rows[place] = failed(rows[place])
    sentence = verdict(pair_of(tmp_path / "a", rows))
    assert "undecided, as adalora_rs scores better but has significantly more runs" in sentence
    assert "adalora_rs 10 of 40 (13 % to 41 %), adalora 0 of 40 (0 % to 8.8 %)" in sentence
    assert "Yes" not in words(tmp_path / "b", rows)


def test_a_configuration_without_any_score_is_named(tmp_path: Path) -> None:
    rows = crossed([BEST, ADALORA, LORA], (2, 2, 2))
    rows[8:12] = map(failed, rows[8:12])
    text = words(tmp_path, rows)
    assert "p = 0.1 against p = 0: all 4 runs of adalora failed or collapsed." in text
    assert "Not compared with adalora: all 4 runs of adalora failed or collapsed." in text
    assert "no runs on equal seeds have finished yet" not in text
    assert "Yes" not in text


def test_a_leader_without_any_score_is_not_called_pending(tmp_path: Path) -> None:
    rows = crossed([BEST, ADALORA], (2, 2, 2))
    rows[:8] = map(failed, rows[:8])
    assert "adalora_rs has no usable score: 8 of 8 (63 % to 100 %) failed" in words(tmp_path, rows)


@pytest.mark.parametrize("seeds", [(5, 1, 1), (5, 1, 3), (1, 3, 3)])
def test_a_single_crossed_seed_of_a_factor_decides_nothing(
    tmp_path: Path, seeds: tuple[int, int, int]
) -> None:
    pair = pair_of(tmp_path, crossed([BEST, ADALORA], seeds))
    assert (pair.winner, pair.deciding) == (None, None)
    assert re.search(r"as only one \w+ seed( and one data seed)? ha(s|ve) finished", verdict(pair))


def test_crossed_seeds_are_for_a_single_look(tmp_path: Path) -> None:
    text = words(tmp_path, crossed([BEST, ADALORA]))
    assert "for a single look, as the seeds are crossed" in text


def test_a_verdict_from_two_crossed_seeds_of_a_factor_has_a_warning(tmp_path: Path) -> None:
    pair = pair_of(tmp_path, crossed([replace(RS, level=0.9), ADALORA], (5, 3, 2)))
    assert pair.winner == "adalora_rs"
    assert "With only 2 data seeds, up to about 20 % of such verdicts are false" in verdict(pair)
    pair = pair_of(tmp_path / "b", crossed([replace(RS, level=0.9), ADALORA], (5, 3, 6)))
    assert "With only 3 init seeds, up to about 13 % of such verdicts are false" in verdict(pair)
    whole = pair_of(tmp_path / "c", crossed([BEST, ADALORA], (5, 5, 5)))
    assert "false positives" not in verdict(whole)


def test_runs_paired_with_every_mask_seed_are_counted(tmp_path: Path) -> None:
    rows = crossed([BEST, ADALORA, LORA], (5, 2, 2))
    assert (
        "better on 20 of 20 equal seeds (4 runs of adalora, each paired with every mask seed)"
        in verdict(pair_of(tmp_path, rows))
    )


def test_a_constant_difference_of_crossed_seeds_is_undecided(tmp_path: Path) -> None:
    rows = crossed([RS, ADALORA])
    for at, row in enumerate(rows):
        row["test_mcc"] = 0.6 if at < 45 else 0.5
    sentence = verdict(pair_of(tmp_path, rows))
    assert (
        "undecided, as all 45 differences are equal, so that their variance is unknown" in sentence
    )


def test_planned_runs_come_before_further_pairs(tmp_path: Path) -> None:
    rows = pairs_of([RS, replace(ADALORA, level=RS.level)], 12)
    rows[20:] = map(planned, rows[20:])
    text = words(tmp_path, rows)
    assert "4 planned runs have not finished: finish these first." in text
    assert "further pair" not in text


def test_an_undecided_question_has_a_number_of_pairs_with_an_interval(tmp_path: Path) -> None:
    close = replace(ADALORA, level=RS.level - 0.004)
    text = words(tmp_path, pairs_of([RS, close], 12))
    assert re.search(r"about [\d,]+ further pairs? \(80 % interval [\d,]+ to ", text)
