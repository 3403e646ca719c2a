"""The chart of the confidence sequence."""

from dataclasses import replace
from pathlib import Path

from study.analysis.comparison import analyse
from study.analysis.comparison.page.looks import LOOKS, SHOWN, looks
from study.analysis.figure import Figure
from tests.study.analysis.comparison.made_comparisons import ADALORA, RS, pairs_of, write


def chart(folder: Path, levels: list[float], pairs: int) -> Figure | None:
    made = [replace(RS, label=f"c{n}", level=level) for n, level in enumerate(levels)]
    return looks(analyse([write(folder, pairs_of(made, pairs, 0))]).tasks[0])


def test_every_number_of_pairs_has_its_mean_and_some_their_interval(tmp_path: Path) -> None:
    found = chart(tmp_path / "a", [0.7, 0.4], 20)
    assert found is not None
    columns = found.columns
    assert list(columns["pairs"]) == list(range(1, 21))
    known = [n for n, low in zip(columns["pairs"], columns["low"], strict=True) if low is not None]
    assert 1 < len(known) <= LOOKS
    assert known[-1] == 20
    decisions = [d for d in columns["decision"] if d != "undecided"]
    assert set(decisions) == {"better"}
    assert columns["decision"][-1] == "better"


def test_the_last_look_is_what_decides(tmp_path: Path) -> None:
    folder = write(tmp_path / "a", pairs_of([replace(RS, level=0.62), ADALORA], 15, 0))
    task = analyse([folder]).tasks[0]
    found = looks(task)
    assert found is not None
    assert (found.columns["low"][-1], found.columns["high"][-1]) == task.pairs[0].deciding


def test_of_many_comparisons_the_first_are_drawn(tmp_path: Path) -> None:
    found = chart(tmp_path / "a", [0.5 + 0.01 * n for n in range(SHOWN + 2)], 2)
    assert found is not None
    assert len(found.options["comparisons"]) == SHOWN


def test_one_pair_has_no_chart(tmp_path: Path) -> None:
    assert chart(tmp_path / "a", [0.5, 0.6], 1) is None
