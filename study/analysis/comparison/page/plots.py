"""Draws the figures of a comparison as SVG text, from the values of `pictures`."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from study.analysis.comparison.agreement.stability import RankPattern
from study.analysis.comparison.page.pictures import Bar, Strips
from study.analysis.comparison.scores.tasks import TaskRanking
from study.analysis.drawing import COMPLETE, FAILED, INK, PRUNED, WIDTH, WINNER, svg

SOFT = "#6b737c"
SEEDS = (
    "#2b6ca3", "#d9730d", "#3a8a5f", "#7a5aa6", "#8c6b4f", "#c2589a", "#2f9bab", "#9a9a2c",
    "#b03030", "#5f6b77",
)  # fmt: skip
RANKS = LinearSegmentedColormap.from_list("ranks", ["#eef3f8", "#7fb0d6", "#2b6ca3", "#0f3459"])
HATCHED = {"mask": "#2b6ca3", "init": "#3a8a5f", "data": "#8c6b4f", "all seeds": "#5f6b77"}
LINE = 0.36  # inches per row
FEW = 10
"""Largest number of seeds with a colour each."""


@svg
def scores(data: Strips, metric: str) -> Figure:
    """Strip plot: one row per configuration, one point per run; mean and 95 % interval."""
    figure, axes = _rows([strip.bar for strip in data.rows], extra=0.75)
    few = len(data.levels) <= FEW
    right = axes.get_yaxis_transform()
    for row, strip in enumerate(data.rows):
        # Points of one seed have the same height in every row.
        steps = np.linspace(-0.15, 0.15, len(data.levels)) if few else np.zeros(len(data.levels))
        coloured = few and strip.masked
        axes.scatter(
            [score for score, _ in strip.points],
            [row + 0.12 + steps[level] * coloured for _, level in strip.points],
            c=[SEEDS[level] if coloured else PRUNED for _, level in strip.points],
            s=12,
            alpha=0.75,
            zorder=3,
        )
        _interval(axes, strip.bar, row - 0.3, INK)
        axes.text(1.01, row, strip.note, transform=right, fontsize=8, color=FAILED, va="center")
    if data.limits is not None:
        axes.set_xlim(data.limits)
    for row, strip in enumerate(data.rows):
        for score in strip.collapsed:
            # Those outside the axis are drawn at its edge.
            place = float(np.clip(score, *axes.get_xlim()))
            axes.plot(place, row + 0.12, "x", color=FAILED, markersize=7, clip_on=False)
    axes.set_xlabel(metric)
    _legend_of_seeds(figure, data)
    return figure


@svg
def forest(bars: Sequence[Bar], metric: str) -> Figure:
    """Forest plot: paired differences with 95 % intervals; significant ones in colour."""
    figure, axes = _rows(bars)
    axes.axvline(0, color="#8a929b", linewidth=0.9, linestyle=(0, (4, 3)), zorder=0)
    for row, bar in enumerate(bars):
        _interval(axes, bar, row, WINNER if bar.bold else COMPLETE)
        at = axes.get_yaxis_transform()
        axes.text(1.01, row, bar.note, transform=at, fontsize=8, color=SOFT, va="center")
    axes.set_xlabel(f"difference of {metric} on equal seeds (first minus second)")
    return figure


@svg
def components(data: Sequence[tuple[str, list[Bar]]]) -> Figure:
    """Share of each variance component with its 95 % interval, one panel per configuration."""
    most = max(len(bars) for _, bars in data)
    figure = Figure(figsize=(WIDTH, 0.9 + 0.3 * most), layout="constrained")
    for axes, (name, bars) in zip(
        figure.subplots(1, len(data), squeeze=False)[0], data, strict=True
    ):
        _name_rows(axes, bars)
        for row, bar in enumerate(bars):
            axes.barh(row, bar.value, color="#cfe0ee", height=0.7, zorder=1)
            _interval(axes, bar, row, COMPLETE)
            at = axes.get_yaxis_transform()
            axes.text(1.01, row, bar.note, transform=at, fontsize=7.5, color=SOFT, va="center")
        axes.set_xlim(0, 1)
        axes.set_xlabel("share of the variance of a run")
        axes.set_title(name, fontsize=9)
    return figure


@svg
def ranks(pattern: RankPattern) -> Figure:
    """Mean rank of every matrix by layer, and its sd over mask seeds, as two heat maps."""
    height = 1.0 + 0.26 * len(pattern.layers)
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    spread = np.isfinite(pattern.sd).any()
    panels = [("mean rank", pattern.mean, float(pattern.b0))]
    if spread:
        panels.append(("sd over mask seeds", pattern.sd, max(0.5, float(np.nanmax(pattern.sd)))))
    grid = figure.subplots(1, 2, squeeze=False)[0]
    for axes, (title, values, highest) in zip(grid, panels, strict=False):
        image = axes.imshow(values, cmap=RANKS, vmin=0, vmax=highest, aspect="auto")
        axes.set_xticks(range(len(pattern.matrices)), pattern.matrices)
        axes.set_yticks(
            range(len(pattern.layers)), [f"layer {n}" if n else "" for n in pattern.layers]
        )
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        axes.set_title(title, fontsize=9)
        for (row, column), value in np.ndenumerate(values):
            if np.isfinite(value) and len(pattern.layers) <= 32:
                colour = "white" if value > 0.55 * highest else INK
                axes.text(
                    column, row, f"{value:.1f}", ha="center", va="center", fontsize=7, color=colour
                )
        figure.colorbar(image, ax=axes, fraction=0.04, pad=0.02)
    for axes in grid[len(panels) :]:
        axes.set_axis_off()
    return figure


@svg
def disagreement(data: Sequence[tuple[str, list[tuple[str, float, float | None]]]]) -> Figure:
    """Share of examples with a different class, by the seed that differs."""
    rows = [(name, *one) for name, shares in data for one in shares]
    figure = Figure(figsize=(WIDTH, 1.1 + 0.2 * len(rows) + 0.1 * len(data)), layout="constrained")
    axes = figure.subplots()
    ticks, names, top = [], [], 0.0
    for name, shares in data:
        for factor, share, independent in shares:
            axes.barh(top, share, height=0.8, color=HATCHED[factor])
            if independent is not None:
                axes.plot([independent] * 2, [top - 0.4, top + 0.4], color=INK, linewidth=1.2)
            top += 1
        ticks.append(top - (len(shares) + 1) / 2)
        names.append(name)
        top += 0.5
    axes.set_yticks(ticks, names)
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_formatter(lambda share, _: f"{100 * share:.0f} %")
    axes.set_xlabel("examples whose predicted class differs between two runs")
    used = dict.fromkeys(factor for _, factor, _, _ in rows)
    handles: list[Any] = [
        Line2D(
            [], [], color=HATCHED[f], linewidth=6, label=f"{f} differ" + "s" * (f != "all seeds")
        )
        for f in used
    ]
    handles.append(
        Line2D(
            [],
            [],
            color=INK,
            marker="|",
            linestyle="",
            label="expected if errors were independent",
        )
    )
    figure.legend(handles=handles, loc="outside lower center", ncols=5, fontsize=8)
    return figure


@svg
def critical_difference(ranking: TaskRanking) -> Figure:
    """Critical-difference diagram: bars join ranks that Nemenyi's test does not separate."""
    order = np.argsort(ranking.mean_ranks, kind="stable")
    places, k = ranking.mean_ranks[order], len(order)
    cliques = ranking.cliques
    half = (k + 1) // 2
    depth = 0.5 + 0.3 * len(cliques)
    figure = Figure(figsize=(WIDTH, 1.1 + 0.3 * (half + len(cliques))), layout="constrained")
    axes = figure.subplots()
    axes.plot([1, k], [0, 0], color=INK, linewidth=1)
    for rank in range(1, k + 1):
        axes.plot([rank, rank], [0, -0.12], color=INK, linewidth=1)
        axes.text(rank, -0.2, str(rank), ha="center", va="bottom", fontsize=8)
    margin = 0.06 * (k - 1) + 0.1
    for place, (rank, index) in enumerate(zip(places, order, strict=True)):
        left = place < half
        row = depth + 0.45 * (place if left else k - 1 - place)
        edge = 1 - margin if left else k + margin
        axes.plot([rank, rank, edge], [0, row, row], color=SOFT, linewidth=0.8)
        text = f"{ranking.configurations[index]}  {rank:.2f}"
        axes.text(edge, row, f" {text} ", ha="right" if left else "left", va="center", fontsize=9)
    for place, (start, end) in enumerate(cliques):
        y = 0.3 + 0.3 * place
        ends = [places[start] - 0.03, places[end] + 0.03]
        axes.plot(ends, [y, y], color=COMPLETE, linewidth=4, solid_capstyle="butt")
    shown_cd = min(ranking.critical_difference, k - 1.0)
    axes.plot([1, 1 + shown_cd], [-0.85, -0.85], color=INK, linewidth=1.5, marker="|")
    cut = "" if shown_cd == ranking.critical_difference else " (longer than the axis)"
    label = f"critical difference {ranking.critical_difference:.2f}{cut}"
    axes.text(1 + shown_cd / 2, -0.95, label, ha="center", va="bottom", fontsize=8)
    axes.set(ylim=(depth + 0.45 * half, -1.5), xlim=(1 - 0.35 * k, k + 0.35 * k))
    axes.set_axis_off()
    return figure


def _legend_of_seeds(figure: Figure, data: Strips) -> None:
    few = len(data.levels) <= FEW
    dot: dict[str, Any] = {"marker": "o", "linestyle": "", "markersize": 4}
    handles = [
        Line2D([], [], color=SEEDS[place], label=f"{data.factor} {level}", **dot)
        for place, level in enumerate(data.levels if few else [])
    ]
    if not few or not all(strip.masked for strip in data.rows):
        handles.append(Line2D([], [], color=PRUNED, label="no mask" if few else "a run", **dot))
    if any(strip.collapsed for strip in data.rows):
        handles.append(Line2D([], [], marker="x", linestyle="", color=FAILED, label="collapsed"))
    handles.append(Line2D([], [], marker="D", color=INK, markersize=4, label="mean, 95 % CI"))
    figure.legend(handles=handles, loc="outside lower center", ncols=8, fontsize=8)


def _rows(bars: Sequence[Bar], extra: float = 0.5) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(WIDTH, extra + LINE * len(bars) + 0.3), layout="constrained")
    axes = figure.subplots()
    _name_rows(axes, bars)
    return figure, axes


def _name_rows(axes: Axes, bars: Sequence[Bar]) -> None:
    axes.set_yticks(range(len(bars)), [_truncated(bar.name) for bar in bars])
    axes.set_ylim(len(bars) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#eceff2", linewidth=0.7)
    axes.set_axisbelow(True)


def _interval(axes: Axes, bar: Bar, row: float, colour: str) -> None:
    if bar.low is not None and bar.high is not None:
        axes.plot([bar.low, bar.high], [row, row], color=colour, linewidth=1.6, zorder=4)
    axes.plot(bar.value, row, "D", color=colour, markersize=4.2, zorder=5)


def _truncated(name: str) -> str:
    return name if len(name) <= 52 else name[:51] + "…"
