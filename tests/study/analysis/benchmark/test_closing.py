"""What the terminal prints when a benchmark ends."""

from pathlib import Path

import pytest

from study.analysis.benchmark.closing import closing_lines, text_lines
from study.analysis.benchmark.text_tables import TextCell, TextTable
from tests.study.analysis.benchmark.made_results import full_grid, small_benchmark, write

FILES = ("all_mcc.csv", "all_mcc.md", "all_mcc.png", "all_auc.csv")


@pytest.mark.parametrize("width", [80, 120, 20])
def test_the_end_has_every_score_and_a_line_for_all_tables(tmp_path: Path, width: int) -> None:
    folder = write(tmp_path / "b", small_benchmark())
    files = [*(folder / "tables" / name for name in FILES), folder / "report.html"]
    lines = closing_lines(folder, files, width)
    text = "\n".join(lines)
    tables = lines[: lines.index(next(one for one in lines if one.startswith("results ")))]
    assert width == 20 or max(map(len, tables)) <= width
    assert text.count(" ± ") == 3 * 6 + 1  # The last is in the note.
    for method in ("fmft", "lora", "adalora_rs", "linear_probe", "kmer", "majority"):
        assert method in text
    assert f"tables     {folder / 'tables'}: all_auc, all_mcc" in lines
    assert f"report     {folder / 'report.html'}" in lines
    assert text.count(str(folder / "tables")) == 1


def test_the_papers_numbers_are_below_those_measured(tmp_path: Path) -> None:
    folder = write(tmp_path / "b", full_grid(seeds=2, backbones=("dnabert-2",)))
    lines = closing_lines(folder, [], 100)
    row = next(n for n, line in enumerate(lines) if line.startswith("emp/H3 ") and "±" in line)
    assert "paper 0." in lines[row + 1]


def test_columns_are_aligned_and_split_where_they_do_not_fit() -> None:
    cells = [[TextCell("task"), TextCell("1.5"), TextCell("-22.25")]]
    table = TextTable("", ["name", "a", "much longer"], cells)
    assert text_lines(table, 40) == ["name    a  much longer", "task  1.5       -22.25"]
    first, second = ["name    a", "task  1.5"], ["name  much longer", "task       -22.25"]
    assert text_lines(table, 12) == [*first, "", *second]
