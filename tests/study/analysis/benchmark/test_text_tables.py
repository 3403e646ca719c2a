import re
from pathlib import Path

import pytest

from study.analysis.benchmark.pareto import pareto_panels
from study.analysis.benchmark.reading import read_benchmark
from study.analysis.benchmark.scores import score_table
from study.analysis.benchmark.text_tables import (
    TextCell,
    TextTable,
    markdown,
    pareto_tables,
    score_tables,
    top_two_cell,
    top_two_table,
)
from study.analysis.benchmark.top_two import TopTwoCount, top_two_counts
from study.paper.reference import Top2
from tests.study.analysis.benchmark.made_results import Row, full_grid, run, write


def tables(folder: Path, rows: list[Row]) -> list[TextTable]:
    benchmark = read_benchmark(write(folder, rows))
    return score_tables(score_table(benchmark, "mcc", benchmark.tasks))


def text(folder: Path, *ends: tuple[float | str, str]) -> str:
    """How a cell with runs of these scores and states is written."""
    rows = [run("a", "own", "lora", s, mcc, state=state) for s, (mcc, state) in enumerate(ends)]
    return tables(folder, rows)[0].rows[0][1].measured


def parsed(found: str) -> list[list[str]]:
    """The cells of a markdown table; all rows must have as many as the ruler."""
    rows = [line for line in found.splitlines() if line.startswith("|")]
    cells = [[c.strip() for c in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows]
    assert all(re.fullmatch(r"---:?", mark) for mark in cells[1])
    assert {len(row) for row in cells} == {len(cells[0])}
    return cells


DONE, FAILED, PLANNED = "complete", "failed", "planned"


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ([(0.52, DONE), (0.54, DONE)], "0.530 ± 0.014 (2)"),
        ([(0.52, DONE)], "0.520 (1)"),
        ([(0.52, DONE), (0.54, DONE), ("", FAILED)], "0.530 ± 0.014 (2 of 3)"),
        ([(0.52, DONE), ("", PLANNED)], "0.520 (1 …)"),
        ([(0.52, DONE), (0.0, DONE), ("", FAILED)], "0.260 ± 0.368 (2 of 3, 1 †)"),
        ([("", FAILED), ("", FAILED)], "failed (0 of 2)"),
        ([("", FAILED), ("", PLANNED)], "failed (0 of 1 …)"),
        ([("", PLANNED), ("", "running")], ""),
        ([("", "unavailable")], ""),
        ([(-0.2, DONE), (-0.3, DONE)], "-0.250 ± 0.071 (2)"),
    ],
)
def test_a_cell_gives_mean_sd_n_and_failures(
    tmp_path: Path, ends: list[tuple[float | str, str]], expected: str
) -> None:
    assert text(tmp_path, *ends) == expected


def test_the_papers_number_and_the_anchor_are_shown(tmp_path: Path) -> None:
    rows = [run("dnabert-2", task, "lora", 0, 0.7) for task in ("emp/H3", "own")]
    (table,) = tables(tmp_path, rows)
    assert table.columns == ["task", "lora", "GUE, fmft"]
    assert table.rows == [
        [TextCell("emp/H3"), TextCell("0.700 (1)", "paper 0.791"), TextCell("0.783")],
        [TextCell("own"), TextCell("0.700 (1)"), TextCell("")],
    ]


def test_unavailable_runs_leave_only_the_published_number(tmp_path: Path) -> None:
    reason = "the weights are in no cache"
    rows = [
        run("nt-500m-1000g", "emp/H3", "fmft", seed, state="unavailable", reason=reason)
        for seed in range(2)
    ]
    (table,) = tables(tmp_path, rows)
    assert table.rows[0][1] == TextCell("", "paper 0.756")
    assert table.note == "2 of 2 runs are unavailable."


def test_baselines_are_the_first_table(tmp_path: Path) -> None:
    rows = [run("a", "own", "lora", 0, 0.7), run("", "own", "majority", "", 0.0)]
    first, second = tables(tmp_path, rows)
    assert (first.title, second.title) == ("Baselines", "a")
    assert first.rows == [[TextCell("own"), TextCell("0.000 (1)")]]


def test_markdown_is_a_table_and_names_cannot_break_it() -> None:
    table = TextTable(
        "a|b", ["task", "my_method*"], [[TextCell("x|y\nz"), TextCell("0.5 (1)", "paper <0.4")]]
    )
    found = markdown(table)
    assert found.startswith("## a\\|b\n\n| task | my\\_method\\* |\n| --- | ---: |\n")
    assert parsed(found)[2] == [r"x\|y z", r"0.5 (1)<br>*paper \<0.4*"]


def test_the_markdown_of_the_full_grid_parses(tmp_path: Path) -> None:
    benchmark = read_benchmark(write(tmp_path, full_grid(seeds=2)))
    scores = score_tables(score_table(benchmark, "mcc", benchmark.tasks))
    assert len(scores) == 9
    for table in scores:
        assert len(parsed(markdown(table))) == 2 + 13
    assert len(parsed(markdown(top_two_table(top_two_counts(benchmark))))) == 2 + 32
    assert [len(parsed(markdown(s))) for s in pareto_tables(pareto_panels(benchmark))].count(
        34
    ) == 0


@pytest.mark.parametrize(
    ("printed", "recounted", "small"),
    [
        (Top2(1, 3), Top2(1, 3), "paper 1/3"),
        (Top2(3, 10), Top2(2, 10), "paper 3/10, recounted 2/10"),
        (None, Top2(2, 3), "recounted 2/3"),
        (None, None, ""),
    ],
)
def test_counts_have_denominators_and_the_papers_counts(
    printed: Top2 | None, recounted: Top2 | None, small: str
) -> None:
    count = TopTwoCount("a", "lora", "pd", "methods", 3, 4, Top2(2, 3), printed, recounted)
    assert top_two_cell(count) == TextCell("2/3", small)


def test_points_give_parameters_and_front(tmp_path: Path) -> None:
    rows = [
        run("opt-350m", "emp/H3", "fmft", 0, 0.7, trainable_parameters=331_197_440),
        run("mine", "emp/H3", "lora", 0, state="planned"),
    ]
    (table,) = pareto_tables(pareto_panels(read_benchmark(write(tmp_path, rows))))
    assert table.rows == [
        [TextCell("opt-350m"), TextCell("fmft"), TextCell("331,197,440", "paper 350,000,000"),
         TextCell("0.700 (1)", "paper 0.801"), TextCell("yes")],
    ]  # fmt: skip
