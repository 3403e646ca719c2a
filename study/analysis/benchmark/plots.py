"""Draws the heat maps and Figure 1 of a benchmark, as PNG."""

import math
import re
from collections.abc import Callable, Iterable
from functools import wraps
from io import BytesIO
from itertools import cycle, pairwise
from typing import Any, ParamSpec

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, NullLocator

from study.analysis.benchmark.heat_maps import HeatMap, HeatMapCell, HeatMapRow
from study.analysis.benchmark.pareto import PANELS, ParetoPanel, ParetoPoint, coordinates
from study.analysis.benchmark.reading import label
from study.analysis.drawing import FAILED, INK, STYLE

DPI = 130
SOFT = "#6b737c"
COLOURS = (
    "#2b6ca3", "#d9730d", "#3a8a5f", "#b03030", "#7a5aa6", "#8c6b4f", "#c2589a", "#5f6b77",
    "#9a9a2c", "#2f9bab",
)  # fmt: skip
MARKERS = "osD^vP*Xh<>p"
LINES = ("--", ":", "-.")
# Inches: least width of a cell, height of a row, header, footer, margin; width of a character.
CELL, LINE, HEAD, FOOT, EDGE = 0.9, 0.3, 0.6, 0.42, 0.12
CHARACTER, DIGIT = 0.068, 0.059
TITLE, BLOCK = 11, 21  # characters in a line of a column title and of a block's name
PALE = LinearSegmentedColormap.from_list("pale", ["#f3f6f9", "#7fb0d6"])

Arguments = ParamSpec("Arguments")


def _png(draw: Callable[Arguments, Figure]) -> Callable[Arguments, bytes]:
    """Decorates a function that returns a figure: it returns the PNG in the report's style."""

    @wraps(draw)
    def drawn(*args: Arguments.args, **kwargs: Arguments.kwargs) -> bytes:
        with mpl.rc_context(STYLE):
            data = BytesIO()
            figure = draw(*args, **kwargs)
            figure.set_dpi(DPI)
            FigureCanvasAgg(figure).print_png(data, metadata={"Software": None})
            return data.getvalue()

    return drawn


@_png
def heat_map(data: HeatMap) -> Figure:
    """Draws the blocks below each other, with the names of backbones and methods on the left."""
    rows = [row for _, block in data.blocks for row in block]
    lines = [sum(map(_lines, block)) for _, block in data.blocks]
    names = CHARACTER * max(len(row.name) for row in rows) + 0.15
    longest = max(len(line) for name, _ in data.blocks for line in _wrapped(name, BLOCK))
    block_names = CHARACTER * longest + 0.2
    titles = ["\n".join(_wrapped(column, TITLE)) for column in data.columns]
    head = HEAD + 0.14 * max(title.count("\n") for title in titles)
    cell = _cell_width(data)
    gaps = 0.1 * (len(data.blocks) - 1)
    width = EDGE + block_names + names + cell * max(len(titles), 4) + EDGE
    foot = _foot(data.notes, round((width - 2 * EDGE) / CHARACTER))
    height = head + LINE * sum(lines) + gaps + FOOT + 0.16 * foot.count("\n")
    figure = Figure(figsize=(width, height))
    figure.text(EDGE / width, 1 - 0.2 / height, data.title, va="center", fontsize=11)
    top = head
    for number, (name, block) in enumerate(data.blocks):
        tall = LINE * lines[number]
        box = (
            (EDGE + block_names + names) / width, 1 - (top + tall) / height,
            cell * len(titles) / width, tall / height,
        )  # fmt: skip
        axes = figure.add_axes(box)
        _block(axes, block, len(titles))
        middle = 1 - (top + tall / 2) / height
        figure.text(EDGE / width, middle, _block_name(name, len(block)), va="center", fontsize=9)
        if number == 0:
            axes.xaxis.tick_top()
            axes.set_xticks([x + 0.5 for x in range(len(titles))], titles, fontsize=8)
        top += tall + 0.1
    figure.text(EDGE / width, 0.1 / height, foot, va="bottom", fontsize=8, color=SOFT)
    return figure


@_png
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


def _lines(row: HeatMapRow) -> float:
    """Returns the height of a row in lines; published numbers need less than measured ones."""
    if row.published_only:
        return 0.6
    return 1 + 0.4 * max((cell.published.count("\n") for cell in row.cells), default=0)


def _cell_width(data: HeatMap) -> float:
    """Returns the width in inches that the longest number needs."""
    cells = (cell for _, rows in data.blocks for row in rows for cell in row.cells)
    return max(CELL, 0.06 + DIGIT * max(len(cell.measured) for cell in cells))


def _block(axes: Axes, rows: list[HeatMapRow], columns: int) -> None:
    edges = [0.0]
    for row in rows:
        edges.append(edges[-1] + _lines(row))
    shades = [[math.nan if c.shade is None else c.shade for c in row.cells] for row in rows]
    axes.pcolormesh(
        range(columns + 1), edges, shades, cmap=PALE, vmin=0, vmax=1, edgecolors="white",
        linewidth=1,
    )  # fmt: skip
    middles = [(low + high) / 2 for low, high in pairwise(edges)]
    for row, middle in zip(rows, middles, strict=True):
        for column, cell in enumerate(row.cells):
            _numbers(axes, cell, (column + 0.5, middle))
    axes.set_yticks(middles, [row.name for row in rows])
    for row, text in zip(rows, axes.get_yticklabels(), strict=True):
        text.set(
            color=SOFT if row.published_only else INK, fontsize=7 if row.published_only else 8
        )
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set(xlim=(0, columns), ylim=(edges[-1], 0))


def _numbers(axes: Axes, cell: HeatMapCell, middle: tuple[float, float]) -> None:
    """Writes the measured number, and below it the published one."""
    x, y = middle
    look: dict[str, Any] = {"ha": "center", "va": "center"}
    both = bool(cell.measured and cell.published)
    if cell.measured:
        above = y - both * (0.17 + 0.11 * cell.published.count("\n"))
        color = FAILED if cell.failed else INK
        axes.text(x, above, cell.measured, fontsize=7.5, color=color, **look)
    if cell.published:
        look |= {"color": SOFT if cell.shade is None else INK, "linespacing": 1.0}
        axes.text(x, y + both * 0.24, cell.published, fontsize=6, **look)


def _wrapped(text: str, width: int) -> list[str]:
    """Breaks text after / _ - and spaces into lines of about `width` characters."""
    lines = []
    for line in text.split("\n"):
        lines.append("")
        for part in re.findall(r"[^/_ -]*[/_ -]|[^/_ -]+", line):
            if lines[-1] and len(lines[-1] + part.rstrip()) > width:
                lines.append("")
            lines[-1] += part
    return [line.strip() if len(line) <= width + 2 else line[:width] + "…" for line in lines]


def _foot(notes: Iterable[str], width: int) -> str:
    """Joins the notes into lines of at most `width` characters where possible."""
    lines = [""]
    for note in notes:
        if lines[-1] and len(lines[-1]) + 3 + len(note) > width:
            lines.append("")
        lines[-1] += ("   " if lines[-1] else "") + note
    return "\n".join(lines)


def _block_name(name: str, rows: int) -> str:
    """Returns a backbone's name on at most two lines for each row of its block."""
    lines = _wrapped(name, BLOCK)
    if len(lines) > 2 * rows:
        lines = [*lines[: 2 * rows - 1], "…"]
    return "\n".join(lines)


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
