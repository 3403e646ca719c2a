"""Draws Figure 1 as PNG: trainable parameters against test MCC, one panel for each task."""

import math
from collections.abc import Iterable
from itertools import cycle
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, NullLocator

from study.analysis.benchmark.pareto import PANELS, ParetoPanel, ParetoPoint, coordinates
from study.analysis.benchmark.reading import label
from study.analysis.drawing import INK, SOFT, png

COLOURS = (
    "#2b6ca3", "#d9730d", "#3a8a5f", "#b03030", "#7a5aa6", "#8c6b4f", "#c2589a", "#5f6b77",
    "#9a9a2c", "#2f9bab",
)  # fmt: skip
MARKERS = "osD^vP*Xh<>p"
LINES = ("--", ":", "-.")
CHARACTER = 0.068  # inches


@png
def pareto(data: list[ParetoPanel]) -> Figure:
    """Draws a panel for each task: MCC with sd against parameters on a log axis, and the front."""
    shown = [panel for panel in data if panel.drawable][:PANELS]
    columns = min(3, len(shown))
    rows = -(-len(shown) // columns)
    points = [point for panel in shown for point in panel.points if point.drawable]
    looks = _Looks([point.backbone for point in points], [point.method for point in points])
    figure = Figure()
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat[len(shown) :]:
        axes.set_axis_off()
    for number, (axes, panel) in enumerate(zip(grid.flat, shown, strict=False)):
        _panel(axes, panel, looks)
        if number % columns == 0:
            axes.set_ylabel("test MCC (mean ± sd)")
        if number >= len(shown) - columns:
            axes.set_xlabel("trainable parameters at the start")
    handles = _handles(figure, shown, looks)
    width = 0.5 + 3.8 * columns
    entry = 0.6 + CHARACTER * max(len(handle.get_label()) for handle in handles)
    across = max(1, min(len(handles), int(width / entry)))
    foot = 0.7 + 0.18 * -(-len(handles) // across)
    height = 2.9 * rows + foot
    figure.set_size_inches(width, height)
    figure.legend(handles=handles, loc="lower center", ncols=across, fontsize=8)
    figure.subplots_adjust(
        left=0.6 / width, right=1 - 0.25 / width, top=1 - 0.35 / height, bottom=foot / height,
        wspace=0.15, hspace=0.3,
    )  # fmt: skip
    return figure


class _Looks:
    """A colour for each backbone and a marker for each method."""

    def __init__(self, backbones: list[str], methods: list[str]) -> None:
        self.colours = dict(zip(dict.fromkeys(backbones), cycle(COLOURS), strict=False))
        self.markers = dict(zip(dict.fromkeys(methods), cycle(MARKERS), strict=False))


def _panel(axes: Axes, panel: ParetoPanel, looks: _Looks) -> None:
    heights = []
    for point in filter(lambda point: point.drawable, panel.points):
        look: dict[str, Any] = {
            "color": looks.colours[point.backbone], "marker": looks.markers[point.method],
            "markersize": 5.5, "linestyle": "",
        }  # fmt: skip
        if (at := coordinates(point.cell)) is not None:
            axes.errorbar(*at, yerr=point.cell.sd, elinewidth=0.9, zorder=4, **look)
            sd = point.cell.sd or 0.0
            heights += [at[1] - sd, at[1] + sd]
        if point.paper_parameters is not None and point.cell.paper is not None:
            hollow = {"markerfacecolor": "none", "markeredgewidth": 0.8, "alpha": 0.65}
            axes.plot(point.paper_parameters, point.cell.paper, zorder=3, **look | hollow)
            heights.append(point.cell.paper)
    best = max((mcc for _, mcc in panel.baselines), default=None)
    heights += [] if best is None else [best]
    margin = max(0.02, 0.1 * (max(heights) - min(heights)))
    axes.set_ylim(min(heights) - margin, max(heights) + margin)
    axes.set_xscale("log")
    _front(axes, panel.points)
    for (name, mcc), line in zip(panel.baselines, cycle(LINES), strict=False):
        if mcc >= min(heights):
            look = {"color": "#a9b1ba", "linewidth": 1, "linestyle": line, "label": name}
            axes.axhline(mcc, zorder=1, **look)
    axes.set_title(panel.task, fontsize=9)
    ticks = _ticks(*axes.get_xlim())
    axes.set_xticks(ticks, list(map(_count, ticks)))
    axes.xaxis.set_minor_locator(NullLocator())


def _ticks(low: float, high: float) -> list[float]:
    """Returns two to seven round numbers on a log axis: decades, or parts of a decade."""
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for digits in ((1,), (1, 3), (1, 2, 5)):
        ticks = [d * 10.0**e for e in exponents for d in digits if low <= d * 10.0**e <= high]
        if len(ticks) > 2:
            return ticks[:: math.ceil(len(ticks) / 7)]
    return [
        x for x in MaxNLocator(5, steps=[1, 2, 5, 10]).tick_values(low, high) if low <= x <= high
    ]


def _front(axes: Axes, points: Iterable[ParetoPoint]) -> None:
    front = sorted({at for point in points if point.on_front and (at := coordinates(point.cell))})
    if front:
        start, end = axes.get_xlim()
        x, y = [*(at[0] for at in front), end], [*(at[1] for at in front), front[-1][1]]
        axes.step(x, y, where="post", color=INK, linewidth=1, linestyle=(0, (2, 2)), zorder=2)
        axes.set_xlim(start, end)


def _handles(figure: Figure, shown: list[ParetoPanel], looks: _Looks) -> list[Any]:
    """Returns the legend's entries: backbones, methods, the paper, the front, baselines."""
    axes = figure.axes[0]
    lines = [
        line for drawn in figure.axes for line in drawn.lines if str(line.get_label())[0] != "_"
    ]
    handles: list[Any] = [
        Patch(color=colour, label=label(name)) for name, colour in looks.colours.items()
    ]
    handles += [
        axes.plot([], [], marker, color=SOFT, label=name)[0]
        for name, marker in looks.markers.items()
    ]
    if any(point.paper_parameters for panel in shown for point in panel.points):
        handles += axes.plot(
            [], [], "o", color=SOFT, markerfacecolor="none", label="hollow: the paper (one seed)"
        )
    handles += axes.plot([], [], color=INK, linestyle=(0, (2, 2)), label="Pareto front")
    handles += {line.get_label(): line for line in lines}.values()
    return handles


def _count(value: float) -> str:
    """Formats a number of parameters: 100k, 1M, 2.5B."""
    for unit, name in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if value >= unit:
            return f"{value / unit:g}{name}"
    return f"{value:g}"
