"""Draws a heat map as PNG: blocks of rows, with the names of backbones and methods on the left."""

import math
import re
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from study.analysis.benchmark.heat_maps import HeatMap, HeatMapCell, HeatMapRow
from study.analysis.drawing import FAILED, INK, SOFT, png

# Inches: least width of a cell, height of a row, header, footer, margin; width of a character.
CELL, LINE, HEAD, FOOT, EDGE = 0.9, 0.3, 0.6, 0.42, 0.12
CHARACTER, DIGIT = 0.068, 0.059
TITLE, BLOCK = 11, 21  # characters in a line of a column title and of a block's name
PALE = LinearSegmentedColormap.from_list("pale", ["#f3f6f9", "#7fb0d6"])


@png
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
