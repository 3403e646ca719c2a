"""How often the sentences of a comparison are wrong, over simulated comparisons."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from study.analysis.comparison import analyse
from study.analysis.comparison.sentences.answers import report_lines
from tests.study.analysis.comparison.made_comparisons import (
    ADALORA,
    LORA,
    RS,
    Row,
    pairs_of,
    write,
)

SETS = 60
NOISE = {"rest": 0.02}
BETTER = re.compile(r"is better|are better|Yes: it is better")
EQUAL = re.compile(r"practically equal")


def texts(folder: Path, rows: Callable[[int], list[Row]], sets: int = SETS) -> list[str]:
    found = []
    for seed in range(sets):
        lines = report_lines(analyse([write(folder / str(seed), rows(seed))]))
        # "x is better on 9 of 12 pairs" and "probability" sentences are no verdicts.
        verdicts = [line for text in lines for line in re.split(r"(?<=[.;:]) ", text)]
        beside = (" is better on ", "probability ")
        found.append("\n".join(x for x in verdicts if not any(word in x for word in beside)))
    return found


def share(found: list[str], of: re.Pattern[str]) -> float:
    return sum(bool(of.search(text)) for text in found) / len(found)


@pytest.mark.slow
def test_equal_configurations_are_rarely_called_better(tmp_path: Path) -> None:
    same = [replace(one, level=0.6, sd=NOISE) for one in (RS, ADALORA, LORA)]
    assert share(texts(tmp_path, lambda seed: pairs_of(same, 20, seed)), BETTER) <= 0.1


@pytest.mark.slow
def test_a_difference_that_matters_is_rarely_called_equal_and_often_found(tmp_path: Path) -> None:
    made = [replace(RS, level=0.64, sd=NOISE), replace(ADALORA, level=0.6, sd=NOISE)]
    found = texts(tmp_path, lambda seed: pairs_of(made, 27, seed))
    assert share(found, EQUAL) <= 0.1
    assert share(found, BETTER) > 0.8
    assert share(found, re.compile("adalora is better|No: ")) == 0


@pytest.mark.slow
def test_collapses_alone_make_no_winner(tmp_path: Path) -> None:
    same = [replace(one, level=0.6, sd=NOISE) for one in (RS, ADALORA)]

    def collapsing(seed: int) -> list[Row]:
        rows = pairs_of(same, 27, seed)
        for place in range(seed % 5, len(rows), 10):
            rows[place]["test_mcc"] = 0.001
        return rows

    assert share(texts(tmp_path, collapsing), BETTER) <= 0.1
