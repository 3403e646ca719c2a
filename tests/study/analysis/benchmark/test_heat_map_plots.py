"""The figures of heat maps, before they become PNG."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from study.analysis.benchmark import heat_map_plots
from study.analysis.benchmark.heat_maps import (
    HeatMap,
    HeatMapCell,
    HeatMapRow,
    score_heat_map,
    top_two_heat_map,
)
from study.analysis.benchmark.reading import BenchmarkResults, Metric, read_benchmark
from study.analysis.benchmark.scores import score_table
from study.analysis.benchmark.top_two import top_two_counts
from tests.study.analysis.benchmark.made_results import full_grid, run, small_benchmark, write
from tests.study.analysis.figures import figure_of


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> BenchmarkResults:
    return read_benchmark(write(tmp_path_factory.mktemp("grid"), full_grid()))


def heat_map_of(benchmark: BenchmarkResults, metric: Metric = "mcc") -> HeatMap:
    return score_heat_map(score_table(benchmark, metric, benchmark.tasks), "a title")


def texts(axes: Any) -> list[str]:
    return [text.get_text() for text in axes.texts]


def test_a_picture_is_png_and_the_same_every_time(tmp_path: Path) -> None:
    data = heat_map_of(read_benchmark(write(tmp_path, small_benchmark())))
    first, second = heat_map_plots.heat_map(data), heat_map_plots.heat_map(data)
    assert first.startswith(b"\x89PNG")
    assert first == second


def test_a_cell_is_dark_near_the_best_of_its_task(tmp_path: Path) -> None:
    rows = [
        run("a", "own", method, 0, mcc, 0.5)
        for method, mcc in (("fmft", 0.8), ("lora", 0.7), ("adalora", 0.1))
    ]
    ((_, found),) = heat_map_of(read_benchmark(write(tmp_path, rows))).blocks
    assert [row.cells[0].shade for row in found] == [1.0, pytest.approx(0.5), 0.0]


def test_cells_mark_collapsed_and_failed_runs_and_are_empty_without_runs(tmp_path: Path) -> None:
    key = ("opt-125m", "emp/H3")
    rows = [
        run(*key, "lora", 0, 0.6), run(*key, "lora", 1, 0.0), run(*key, "lora", 2, state="failed"),
        run(*key, "fmft", 0, state="failed"), run(*key, "adalora", 0, state="planned"),
    ]  # fmt: skip
    data = heat_map_of(read_benchmark(write(tmp_path, rows)))
    ((_, found),) = data.blocks
    assert {row.name: row.cells[0] for row in found} == {
        "fmft": HeatMapCell("failed", "0.740", failed=True),
        "lora": HeatMapCell("0.300 ±.424†!", "0.505", 1.0),
        "adalora": HeatMapCell("", "0.562"),
    }
    assert data.notes[1:] == [
        "n = 2 seeds unless given", "empty: no run has a score", "small numbers: the paper",
        "† some runs collapsed", "! some runs failed",
    ]  # fmt: skip


def test_cells_give_n_if_it_is_not_the_usual_one(tmp_path: Path) -> None:
    numbers = {"fmft": 3, "lora": 2, "adalora": 3, "adalora_rs": 1}
    rows = [run("a", "own", name, s, 0.5) for name, n in numbers.items() for s in range(n)]
    baselines = [run("", "own", name, "", 0.4) for name in ("majority", "gc", "kmer")]
    data = heat_map_of(read_benchmark(write(tmp_path, baselines + rows)))
    texts = {row.name: row.cells[0].measured for _, block in data.blocks for row in block}
    assert texts == {
        "majority": "0.400", "gc": "0.400", "kmer": "0.400", "fmft": "0.500 ±.000",
        "lora": "0.500 ±.000 (2)", "adalora": "0.500 ±.000", "adalora_rs": "0.500 (1)",
    }  # fmt: skip
    assert data.notes[1] == "n = 3 seeds unless given"


@pytest.mark.parametrize(
    ("numbers", "note"),
    [
        ((1, 1, 3), ["n = 1 seed unless given"]),
        ((2, 5), ["n = 5 seeds unless given"]),
        ((0, 0, 4), ["n = 4 seeds unless given"]),
        ((0, 0), []),
    ],
)
def test_the_usual_n_is_that_of_most_trained_cells(
    tmp_path: Path, numbers: tuple[int, ...], note: list[str]
) -> None:
    rows = [run(f"b{c}", "own", "lora", s, 0.5) for c, n in enumerate(numbers) for s in range(n)]
    rows += [run(f"b{c}", "own", "lora", 9, state="planned") for c in range(len(numbers))]
    rows += [run("", "own", name, "", 0.4) for name in ("majority", "gc", "kmer")]
    data = heat_map_of(read_benchmark(write(tmp_path, rows)))
    assert [text for text in data.notes if text.startswith("n = ")] == note


def test_anchors_are_a_separate_row_without_colour(grid: BenchmarkResults) -> None:
    blocks = dict(heat_map_of(grid).blocks)
    last = blocks["nt-500m-1000g"][-1]
    assert (last.name, last.published_only) == ("GUE, lora", True)
    assert last.cells[0] == HeatMapCell(published="0.725")
    assert not any(row.published_only for row in blocks["opt-125m"])
    assert not any(
        row.published_only for _, rows in heat_map_of(grid, "auc").blocks for row in rows
    )


def test_the_heat_map_has_every_number_inside_the_figure_of(grid: BenchmarkResults) -> None:
    data = heat_map_of(grid)
    found = figure_of(heat_map_plots.heat_map, data)
    written = [text for axes in found.axes for text in texts(axes)]
    expected = [
        part for _, rows in data.blocks for row in rows for cell in row.cells
        for part in (cell.measured, cell.published) if part
    ]  # fmt: skip
    assert sorted(written) == sorted(expected)
    boxes = [axes.get_position() for axes in found.axes]
    assert all(0 < box.x0 < box.x1 <= 1 and 0 < box.y0 < box.y1 < 1 for box in boxes)
    assert all(above.y0 > below.y1 for above, below in pairwise(boxes))


def test_numbers_fit_their_cells(grid: BenchmarkResults) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    found = figure_of(heat_map_plots.heat_map, heat_map_of(grid))
    renderer = FigureCanvasAgg(found).get_renderer()
    for axes in found.axes:
        wide = axes.get_window_extent(renderer).width / 13
        assert all(text.get_window_extent(renderer).width < wide for text in axes.texts)
    names = [label.get_window_extent(renderer) for label in found.axes[0].get_xticklabels()]
    assert all(a.x1 < b.x0 for a, b in pairwise(names))


def test_the_longest_number_fits_its_cell() -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    cell = HeatMapCell("-0.012 ±.264†! (10)", shade=0.5)
    found = figure_of(
        heat_map_plots.heat_map,
        HeatMap("", ["own"] * 4, [("a", [HeatMapRow("lora", [cell] * 4)])], []),
    )
    renderer = FigureCanvasAgg(found).get_renderer()
    boxes = [text.get_window_extent(renderer) for text in found.axes[0].texts]
    assert all(a.x1 < b.x0 for a, b in pairwise(boxes))


def test_notes_and_names_fit_a_narrow_picture(tmp_path: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    long = "InstaDeepAI/nucleotide-transformer-v2-500m-multi-species"
    key = (long, "prom/all")
    rows = [
        run(*key, "lora_without_a_second_thought", 0, 0.6, 0.8),
        run(*key, "lora_without_a_second_thought", 1, 0.0, 0.5),
        run(*key, "lora_without_a_second_thought", 2, state="failed"),
        run(*key, "fmft", 0, state="planned"),
    ]
    found = figure_of(heat_map_plots.heat_map, heat_map_of(read_benchmark(write(tmp_path, rows))))
    canvas = FigureCanvasAgg(found)
    canvas.draw()
    (axes,) = found.axes
    names = [label.get_window_extent() for label in axes.get_yticklabels()]
    title, group, notes = (text.get_window_extent() for text in found.texts)
    assert notes.x1 < found.bbox.x1
    assert notes.y1 < axes.get_window_extent().y0
    assert title.x1 < found.bbox.x1
    assert group.x1 < min(name.x0 for name in names)


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("emp/H3", "emp/H3"),
        ("emp/H3K36me3", "emp/\nH3K36me3"),
        ("gue_prom_300_tata", "gue_prom_\n300_tata"),
        ("EMP\namong backbones", "EMP\namong\nbackbones"),
        ("Supercalifragilistic", "Supercalifr…"),
    ],
)
def test_a_long_title_is_broken_at_separators(title: str, expected: str) -> None:
    assert "\n".join(heat_map_plots._wrapped(title, 11)) == expected


def test_top_two_cells_are_as_dark_as_the_share(grid: BenchmarkResults) -> None:
    data = top_two_heat_map(top_two_counts(grid), "a title")
    assert data.columns == [
        f"{group}\namong {among}" for group in ("PD", "EMP") for among in ("methods", "backbones")
    ]
    cells = [cell for _, rows in data.blocks for row in rows for cell in row.cells]
    for cell in cells:
        count, _, of = cell.measured.partition(" ")[0].partition("/")
        assert cell.shade == (int(count) / int(of) if of else None)
    assert figure_of(heat_map_plots.heat_map, data).axes
