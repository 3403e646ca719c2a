"""Figure 1 before it becomes PNG."""

from itertools import pairwise
from pathlib import Path

import pytest

from study.analysis.benchmark import pareto_plots
from study.analysis.benchmark.pareto import pareto_panels
from study.analysis.benchmark.reading import read_benchmark
from tests.study.analysis.benchmark.made_results import full_grid, run, write
from tests.study.analysis.figures import figure_of


def test_the_legend_of_points_fits_a_narrow_picture(tmp_path: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    long = "InstaDeepAI/nucleotide-transformer-v2-500m-multi-species"
    rows = [
        run(backbone, "own", method, 0, 0.5, 0.7, trainable_parameters=100)
        for backbone in (long, "b")
        for method in ("fmft", "lora_without_a_second_thought")
    ]
    found = figure_of(pareto_plots.pareto, pareto_panels(read_benchmark(write(tmp_path, rows))))
    FigureCanvasAgg(found).draw()
    legend, (axes,) = found.legends[0].get_window_extent(), found.axes
    assert found.bbox.x0 <= legend.x0 < legend.x1 <= found.bbox.x1
    assert found.bbox.y0 <= legend.y0
    assert legend.y1 < axes.get_tightbbox().y0


def test_a_panel_shows_runs_with_sd_the_paper_and_the_front(tmp_path: Path) -> None:
    key = ("opt-350m", "emp/H3", "fmft")
    rows = [
        run(*key, 0, 0.70, trainable_parameters=331e6),
        run(*key, 1, 0.72, trainable_parameters=331e6),
        run("opt-350m", "emp/H3", "lora", 0, 0.6, trainable_parameters=3e6),
        run("", "emp/H3", "kmer", "", 0.65), run("", "emp/H3", "majority", "", 0.0),
    ]  # fmt: skip
    found = figure_of(pareto_plots.pareto, pareto_panels(read_benchmark(write(tmp_path, rows))))
    (axes,) = found.axes
    assert axes.get_title() == "emp/H3"
    assert axes.get_xscale() == "log"
    places = [
        (line.get_xdata()[0], line.get_ydata()[0])
        for line in axes.lines
        if len(line.get_xdata()) == 1
    ]
    assert sorted(places) == [
        (3e6, 0.6), (6.3e6, 0.619), (331e6, pytest.approx(0.71)), (350e6, 0.801),
    ]  # fmt: skip
    front = max((line for line in axes.lines), key=lambda line: len(line.get_xdata()))
    assert list(front.get_ydata()) == [0.6, pytest.approx(0.71), pytest.approx(0.71)]
    words = [text.get_text() for text in found.legends[0].get_texts()]
    assert words == [
        "opt-350m",
        "fmft",
        "lora",
        "hollow: the paper (one seed)",
        "Pareto front",
        "kmer",
    ]


def test_bars_of_sd_lie_inside_the_frame(tmp_path: Path) -> None:
    rows = [
        run("a", "own", method, seed, mcc, trainable_parameters=parameters)
        for method, parameters, scores in (
            ("fmft", 1e6, (0.5, 0.9)),
            ("lora", 1e5, (0.0, 0.6)),
            ("adalora", 1e5, (0.5,)),
        )
        for seed, mcc in enumerate(scores)
    ]
    (axes,) = figure_of(
        pareto_plots.pareto, pareto_panels(read_benchmark(write(tmp_path, rows)))
    ).axes
    ends = [y for bars in axes.collections for bar in bars.get_segments() for y in bar[:, 1]]
    assert sorted(ends) == pytest.approx(
        [0.3 - 0.18**0.5, 0.7 - 0.08**0.5, 0.3 + 0.18**0.5, 0.7 + 0.08**0.5]
    )
    low, high = axes.get_ylim()
    assert low + 0.02 <= min(ends)
    assert max(ends) <= high - 0.02


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ((83_000, 124_500), ["90k", "100k", "110k", "120k"]),
        ((83_000, 180_000), ["100k", "150k"]),
        ((100_000, 900_000), ["100k", "300k", "1M"]),
        ((51_000, 199_000), ["50k", "100k", "200k"]),
        ((1_050_000, 6_000_000), ["1M", "2M", "5M"]),
        ((83_000, 1_900_000), ["100k", "300k", "1M"]),
        ((258, 1_900_000), ["1k", "10k", "100k", "1M"]),
        ((100, 100), ["10", "100", "1k"]),
        ((5, 2_500_000_000), ["10", "1k", "100k", "10M", "1B"]),
    ],
)
def test_the_parameter_axis_has_labels_that_do_not_overlap(
    tmp_path: Path, parameters: tuple[int, int], expected: list[str]
) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    rows = [
        run(f"b{number}", task, "lora", 0, 0.5, trainable_parameters=count)
        for task in ("x", "y", "z")
        for number, count in enumerate(parameters)
    ]
    found = figure_of(pareto_plots.pareto, pareto_panels(read_benchmark(write(tmp_path, rows))))
    FigureCanvasAgg(found).draw()
    for axes in found.axes:
        labels = axes.get_xticklabels()
        assert [label.get_text() for label in labels] == expected
        boxes = [label.get_window_extent() for label in labels]
        assert all(a.x1 + 3 < b.x0 for a, b in pairwise(boxes))


def test_at_most_twelve_tasks_are_drawn(tmp_path: Path) -> None:
    grid = read_benchmark(write(tmp_path, full_grid()))
    found = figure_of(pareto_plots.pareto, pareto_panels(grid))
    assert [axes.get_title() for axes in found.axes][:2] == ["emp/H3", "emp/H3K4me1"]
    assert len(found.axes) == 12
