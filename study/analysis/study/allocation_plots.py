"""Pictures of the winner's mask events, as SVG text."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from study.analysis.drawing import COMPLETE, FAILED, INK, WIDTH, WINNER, svg
from study.analysis.study.allocation import Allocation, RankMap
from study.analysis.study.plots import columns

RANKS = LinearSegmentedColormap.from_list("ranks", ["#eef3f8", "#7fb0d6", "#2b6ca3", "#0f3459"])
Layers = list[tuple[str, list[tuple[str, list[int]]]]]


@svg
def allocation(data: Allocation) -> Figure:
    """Draws budget and kept against step; below, the triplets reintroduced and dropped."""
    figure = Figure(figsize=(WIDTH, 4.6), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    dots: dict[str, Any] = {"marker": "o", "markersize": 3 if len(data.steps) <= 60 else 1}
    top.plot(*columns(data.schedule), color=INK, linewidth=1, label="schedule b(t)")
    top.plot(data.steps, data.budget, color=INK, linestyle="", label="budget", **dots)
    top.plot(data.steps, data.kept, color=WINNER, linewidth=1.6, label="kept", **dots)
    if data.expected != [float(b) for b in data.budget]:
        look = {"color": WINNER, "linewidth": 1, "linestyle": "--"}
        top.plot(data.steps, data.expected, label="kept on average (eq. 1)", **look)
    top.set(ylabel="triplets (whole model)")
    top.set_ylim(bottom=0)
    bottom.plot(data.steps, data.reintroduced, color=COMPLETE, label="reintroduced", **dots)
    bottom.plot(data.steps, data.dropped, color=FAILED, label="dropped", **dots)
    bottom.set(xlabel="step", ylabel="triplets")
    bottom.set_ylim(bottom=0)
    bottom.set_xlim(0, data.total_steps)
    for axes in (top, bottom):
        axes.axvspan(data.steps[-1], data.total_steps, color="#f1f3f5", linewidth=0, zorder=0)
        axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    handles = [*top.get_legend_handles_labels()[0], *bottom.get_legend_handles_labels()[0]]
    figure.legend(handles=handles, loc="outside right upper")
    top.annotate(
        "T", (data.steps[-1], 1), (2, 2), xycoords=("data", "axes fraction"),
        textcoords="offset points", fontsize=7.5, annotation_clip=False,
    )  # fmt: skip
    return figure


@svg
def ranks(data: RankMap) -> Figure:
    """Draws the rank of every matrix after each mask event: one row for each matrix, by layer.

    Models with more than eight layers are drawn in several columns of layers.
    """
    blocks = -(-len(data.layers) // 8)
    size = -(-len(data.layers) // blocks)
    parts = [data.layers[start : start + size] for start in range(0, len(data.layers), size)]
    rows = max(sum(len(matrices) for _, matrices in part) for part in parts)
    figure = Figure(figsize=(WIDTH, 0.155 * rows + 1.0), layout="constrained")
    grid = figure.subplots(1, len(parts), squeeze=False)[0]
    highest = max(r for _, matrices in data.layers for _, row in matrices for r in row)
    for axes, part in zip(grid, parts, strict=True):
        image = _rank_block(axes, part, data.steps, max(1, highest), blocks)
    bar = figure.colorbar(image, ax=list(grid), fraction=0.025, pad=0.01, label="rank")
    bar.locator = MaxNLocator(integer=True)
    bar.update_ticks()
    return figure


def _rank_block(axes: Axes, layers: Layers, steps: list[int], top: int, blocks: int) -> Any:
    rows = [row for _, matrices in layers for _, row in matrices]
    names = [name for _, matrices in layers for name, _ in matrices]
    image = axes.imshow(rows, cmap=RANKS, vmin=0, vmax=top, aspect="auto", interpolation="none")
    axes.set_yticks(range(len(names)), names, fontsize=7)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    start = 0
    for layer, matrices in layers:
        middle = start + (len(matrices) - 1) / 2
        axes.annotate(
            f"layer {layer}" if layer else "", (0, middle), (-26, 0),
            xycoords=("axes fraction", "data"), textcoords="offset points",
            ha="right", va="center", fontsize=8, annotation_clip=False,
        )  # fmt: skip
        start += len(matrices)
        if start < len(rows):
            axes.axhline(start - 0.5, color="white", linewidth=2.5)
    apart = -(-len(steps) * len(str(steps[-1])) * blocks // 45)
    shown = range(len(steps) - 1, -1, -apart)
    axes.set_xticks(shown, [str(steps[place]) for place in shown], fontsize=7.5)
    axes.set_xlabel("step of the mask event")
    return image
