"""Which pairs of configurations are compared, and the questions they answer."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from study.analysis.comparison.results import ComparisonResults, read_results
from study.analysis.comparison.scores.questions import questions
from tests.study.analysis.comparison.made_comparisons import (
    ADALORA,
    FMFT,
    LORA,
    RS,
    Made,
    Row,
    crossed,
    write,
)


def read(folder: Path, rows: list[Row]) -> ComparisonResults:
    return read_results(write(folder, rows))


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
