"""Differences of two configurations on equal seeds, and which pairs are compared."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from study.analysis.comparison.results import ComparisonResults, read_results
from study.analysis.comparison.scores.paired import Pair, compare, corrected, paired
from study.analysis.comparison.scores.questions import Question, questions
from study.analysis.comparison.scores.statistics import SeedBootstrap
from study.analysis.comparison.scores.summary import seeds_of
from tests.study.analysis.comparison.made_comparisons import (
    ADALORA,
    FMFT,
    LORA,
    RS,
    Made,
    Row,
    crossed,
    failed,
    write,
)


def read(folder: Path, rows: list[Row]) -> ComparisonResults:
    return read_results(write(folder, rows))


def compared(
    comparison: ComparisonResults, a: str, b: str, kind: Any = "p", metric: str = "test_mcc"
) -> Pair:
    rng = np.random.default_rng(0)
    bootstrap = SeedBootstrap(seeds_of(comparison.runs), rng, 400)
    return compare(comparison, metric, Question(a, b, kind, f"{a} against {b}"), bootstrap, rng)


def test_a_run_without_mask_meets_every_mask_of_its_init_and_data_seed(tmp_path: Path) -> None:
    found = read(tmp_path, crossed([RS, ADALORA]))
    both = [found.configurations[label] for label in ("adalora_rs", "adalora")]
    pairs = paired(*both)
    assert len(pairs) == 45
    assert all(key == a.key and key[1:] == b.key[1:] for key, (a, b) in pairs.items())
    turned = paired(both[1], both[0])
    assert {key: pair[::-1] for key, pair in turned.items()} == pairs


def test_the_difference_is_the_mean_over_equal_seeds(tmp_path: Path) -> None:
    rows = crossed([RS, ADALORA])
    pair = compared(read(tmp_path, rows), "adalora_rs", "adalora")
    expected = np.mean([r["test_mcc"] for r in rows[:45]]) - np.mean(
        [r["test_mcc"] for r in rows[45:]]
    )
    assert pair.difference.mean == pytest.approx(expected)
    assert (pair.difference.n, pair.failed_pairs, pair.masked, pair.best) == (
        45,
        0,
        1,
        "adalora_rs",
    )


def test_effects_of_seeds_on_both_configurations_cancel(tmp_path: Path) -> None:
    shaken = {"mask": 0.0, "rest": 0.001}
    rows = crossed([replace(RS, level=0.61, sd=shaken), replace(LORA, level=0.6, sd=shaken)])
    for row in rows:
        row["test_mcc"] += 0.05 * row["init"] - 0.03 * row["data"]
    pair = compared(read(tmp_path, rows), "adalora_rs", "lora")
    low, high = pair.difference.low, pair.difference.high
    assert low is not None
    assert high is not None
    assert 0.005 < low < 0.01 < high < 0.015


def test_a_pair_with_a_failed_run_is_counted_and_loses(tmp_path: Path) -> None:
    rows = crossed([replace(RS, level=0.9), ADALORA])
    rows[0] = failed(rows[0])
    pair = compared(read(tmp_path, rows), "adalora_rs", "adalora")
    assert (pair.difference.n, pair.failed_pairs) == (44, 1)
    assert pair.improvement == pytest.approx(44 / 45)
    both = compared(
        read(tmp_path, [*rows[:45], failed(rows[45]), *rows[46:]]), "adalora_rs", "adalora"
    )
    assert both.failed_pairs == 5
    # The failed run of each: it loses to eight, and ties with the other.
    assert both.improvement == pytest.approx((44 * 9 + 0.5) / (45 * 9))


def test_of_a_loss_the_smaller_one_is_better(tmp_path: Path) -> None:
    rows = crossed([replace(RS, level=0.3), replace(ADALORA, level=0.5)], metric="test_loss")
    pair = compared(read(tmp_path, rows), "adalora_rs", "adalora", metric="test_loss")
    assert pair.difference.mean < 0
    assert pair.difference.low is not None
    assert pair.difference.high is not None
    assert pair.difference.low < pair.difference.mean < pair.difference.high < 0
    assert (pair.best, pair.wins, pair.improvement) == ("adalora_rs", (45, 45), 1.0)
    assert pair.difference.p_greater is not None
    assert pair.difference.p_greater < 0.01


def test_a_question_with_a_direction_is_decided_one_sided_and_its_reverse_two_sided(
    tmp_path: Path,
) -> None:
    pair = compared(read(tmp_path, crossed([RS, ADALORA])), "adalora_rs", "adalora")
    known = replace(pair.difference, mean=0.02, low=-0.001, high=0.041, one_sided_reach=0.018)
    one = replace(pair, difference=replace(known, p_value=0.08, p_greater=0.04))
    assert corrected([one])[0].winner == "adalora_rs"
    assert (
        corrected([replace(one, question=replace(one.question, kind="other"))])[0].winner is None
    )
    worse = replace(
        one,
        better=False,
        difference=replace(
            known, mean=-0.02, low=-0.04, high=-0.001, p_value=0.04, p_greater=0.98
        ),
    )
    assert corrected([worse])[0].winner == "adalora"


def test_p_values_are_corrected_within_a_kind_over_all_tasks(tmp_path: Path) -> None:
    pair = compared(read(tmp_path, crossed([RS, ADALORA])), "adalora_rs", "adalora")
    ones = [
        replace(pair, difference=replace(pair.difference, p_greater=p, p_value=2 * p))
        for n, p in enumerate((0.02, 0.01, 0.3))
    ]
    other = replace(ones[0], question=replace(pair.question, kind="other"))
    found = corrected([*ones, other])
    assert [one.p_corrected for one in found] == pytest.approx([0.04, 0.03, 0.3, 0.04])
    assert found[0].p_corrected_two_sided == pytest.approx(0.08)


def asked(folder: Path, *configurations: Made) -> list[tuple[str, str]]:
    found = read(folder, crossed(configurations, (2, 1, 1)))
    return [(q.kind, q.text) for q in questions(found, configurations[0].label)]


def with_settings(label: str, **settings: Any) -> Made:
    return replace(RS, label=label, settings={**RS.settings, **settings})


def test_adalora_at_equal_settings_is_the_question_on_p(tmp_path: Path) -> None:
    assert asked(tmp_path, RS, ADALORA, LORA) == [
        ("p", "p = 0.1 against p = 0"),
        ("other", "adalora_rs against lora"),
        ("other", "adalora against lora"),
    ]


def test_other_settings_of_adalora_make_it_another_configuration(tmp_path: Path) -> None:
    other = replace(ADALORA, settings={**ADALORA.settings, "lr": 0.01})
    assert asked(tmp_path, RS, other) == [("other", "adalora_rs against adalora")]


@pytest.mark.parametrize(
    ("settings", "kind", "text"),
    [
        ({"p": 0.0}, "p", "p = 0.1 against p = 0"),
        ({"p": 0.2}, "setting", "p = 0.1 against p = 0.2"),
        ({"p_reintroduce": 0}, "setting", "p = 0.1 against p = 0.1 (p_reintroduce = 0)"),
        (
            {"final_mask": "deterministic"},
            "setting",
            "final_mask = stochastic against deterministic",
        ),
        ({"prune_mode": "mask"}, "setting", "prune_mode = none against mask"),
        ({"lr": 0.1, "b0": 4}, "other", "adalora_rs against that"),
    ],
)
def test_a_pair_that_differs_in_one_setting_is_a_question_about_it(
    tmp_path: Path, settings: dict[str, Any], kind: str, text: str
) -> None:
    assert asked(tmp_path, RS, with_settings("that", **settings)) == [(kind, text)]


def test_p_0_first_still_asks_for_p_above_0(tmp_path: Path) -> None:
    found = read(tmp_path, crossed([ADALORA, RS], (2, 1, 1)))
    (question,) = questions(found, "adalora")
    assert (question.a, question.b, question.kind) == ("adalora_rs", "adalora", "p")


def test_re_introduction_only_is_a_separate_question(tmp_path: Path) -> None:
    only_reintroduction = with_settings("back", p=0.0, p_reintroduce=0.1)
    assert asked(tmp_path, only_reintroduction, ADALORA) == [
        ("setting", "re-introduction only (p_reintroduce = 0.1) against p = 0")
    ]


def test_a_deterministic_last_mask_is_named_in_a_question_about_p(tmp_path: Path) -> None:
    final = with_settings("final", final_mask="deterministic")
    assert asked(tmp_path, final, ADALORA) == [
        ("p", "p = 0.1 (final_mask = deterministic) against p = 0")
    ]


def test_of_many_configurations_each_is_compared_with_the_first(tmp_path: Path) -> None:
    many = [replace(FMFT, label=f"c{n}", settings={"lr": n, "b0": n}) for n in range(8)]
    found = read(tmp_path, crossed(many, (1, 1, 1)))
    assert [(q.a, q.b) for q in questions(found, "c0")] == [("c0", f"c{n}") for n in range(1, 8)]
