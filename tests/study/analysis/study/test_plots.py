"""Figures before they become SVG; `__wrapped__` is the function before its figure becomes SVG."""

from typing import Any
from xml.etree import ElementTree

from matplotlib.figure import Figure

from study.analysis.study import allocation_plots, plots
from study.analysis.study.allocation import allocation, rank_map
from study.analysis.study.curves import best_so_far, learning_curves
from study.analysis.study.panels import Panel, panels
from tests.study.analysis.figures import figure_of
from tests.study.analysis.study.made_studies import MadeStudy, made_trace


def legend(found: Figure) -> list[str]:
    return [text.get_text() for text in found.legends[0].get_texts()]


def test_a_picture_is_svg_and_the_same_every_time(finished: MadeStudy) -> None:
    data = learning_curves(finished.read())
    first, second = (plots.learning_curves(data, "dev_mcc", 0) for _ in range(2))
    assert ElementTree.fromstring(first).tag == "{http://www.w3.org/2000/svg}svg"
    assert first == second


def test_learning_curves_show_every_trial_and_the_rungs(finished: MadeStudy) -> None:
    data = learning_curves(finished.read())
    found = figure_of(plots.learning_curves, data, "dev_mcc", 0)
    (axes,) = found.axes
    drawn = [list(line.get_xdata()) for line in axes.lines]
    for curve in data.curves:
        assert [x for x, _ in curve.points] in drawn
    assert [20, 20] in drawn
    assert axes.get_ylabel() == "dev_mcc"
    assert legend(found) == ["trial 0 (best)", "complete", "stopped early"]


def test_the_winner_is_the_widest_curve(finished: MadeStudy) -> None:
    data = learning_curves(finished.read())
    (axes,) = figure_of(plots.learning_curves, data, "dev_mcc", 2).axes
    widest = max((line for line in axes.lines if len(line.get_xdata())), key=_width)
    assert list(widest.get_ydata()) == [0.1, 0.3, 0.3, 0.3, 0.3, 0.3, 0.6, 0.41]


def _width(line: Any) -> float:
    return float(line.get_linewidth())


def test_parameters_have_the_scale_of_their_domain_and_mark_nuisance(
    finished: MadeStudy,
) -> None:
    data = panels(finished.read())
    found = figure_of(plots.parameters, data, "dev_mcc", 0)
    axes = {panel.name: axes for panel, axes in zip(data, found.axes, strict=False)}
    assert axes["lr"].get_xscale() == "log"
    assert axes["lr"].get_xlabel() == "lr (log, nuisance)"
    assert axes["p"].get_xscale() == "linear"
    low, high = axes["b0"].get_xlim()
    assert low < 6
    assert high > 14
    assert legend(found) == ["trial 0 (best)", "complete", "stopped early", "failed"]


def test_choices_are_ticks_and_long_ones_are_shortened() -> None:
    choices = ("stochastic", "a_choice_with_a_very_long_name")
    panel = Panel("final_mask", False, False, (0, 1), choices, False, [], [1.0])
    axes = figure_of(plots.parameters, [panel], "dev_mcc", None).axes[0]
    labels = [label.get_text() for label in axes.get_xticklabels()]
    assert labels == ["stochastic", "a_choice_with…"]


def test_a_domain_of_one_value_can_be_drawn() -> None:
    data = [
        Panel("b0", False, False, (8, 8), (), True, [], [8.0]),
        Panel("lr", True, True, (1e-3, 1e-3), (), False, [], [1e-3]),
    ]
    assert plots.parameters(data, "dev_mcc", None).startswith("<?xml")


def test_the_drawn_best_score_so_far_never_decreases(finished: MadeStudy) -> None:
    data = best_so_far(finished.read())
    (axes,) = figure_of(plots.best_so_far, data, "dev_mcc").axes
    line = next(line for line in axes.lines if line.get_label() == "best so far")
    assert list(line.get_ydata()) == [0.5, 0.5, 0.5]


def test_the_allocation_shows_all_its_series(finished: MadeStudy) -> None:
    study = finished.read()
    assert study.leader is not None
    data = allocation(study.spec, study.leader, study.trace)
    assert data is not None
    found = figure_of(allocation_plots.allocation, data)
    assert legend(found) == [
        "schedule b(t)", "budget", "kept", "kept on average (eq. 1)", "reintroduced", "dropped",
    ]  # fmt: skip
    lines = {line.get_label(): line for axes in found.axes for line in axes.lines}
    assert list(lines["kept"].get_ydata()) == data.kept
    assert list(lines["dropped"].get_ydata()) == data.dropped


def test_ranks_are_drawn_in_columns_of_up_to_eight_layers() -> None:
    data = rank_map(made_trace(layers=12, T=60))
    assert data is not None
    first, second, bar = figure_of(allocation_plots.ranks, data).axes
    labels = [label.get_text() for label in first.get_yticklabels()]
    assert labels == ["q", "k", "v", "o", "f1", "f2"] * 6
    assert first.images[0].get_array().shape == second.images[0].get_array().shape == (36, 6)
    assert [text.get_text() for text in second.texts] == [f"layer {k}" for k in range(6, 12)]
    assert bar.get_ylabel() == "rank"


def test_importances_have_the_largest_on_top() -> None:
    (axes,) = figure_of(plots.importances, {"p": 0.7, "lr (nuisance)": 0.3}).axes
    widths = {
        label.get_text(): bar.get_width()
        for label, bar in zip(axes.get_yticklabels(), axes.patches, strict=True)
    }
    assert widths == {"lr (nuisance)": 0.3, "p": 0.7}
    assert list(widths)[-1] == "p"
