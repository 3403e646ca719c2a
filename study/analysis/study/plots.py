"""Pictures of the learning curves, parameters, finalists and importance, as SVG text.

Each function only draws data prepared by another module. Figures are made without pyplot, so no
state is kept between them; text is drawn as outlines, so the pictures do not depend on fonts.
"""

import math
from collections.abc import Iterable
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter

from study.analysis.drawing import COMPLETE, FAILED, INK, PRUNED, WIDTH, WINNER, svg
from study.analysis.study.curves import BestSoFar, LearningCurves
from study.analysis.study.finalists import Candidate
from study.analysis.study.panels import Panel
from study.storage.result.words import STATE_WORDS

ON_FRONT: dict[str, Any] = {"facecolors": "none", "edgecolors": WINNER, "linewidths": 1.2}


@svg
def learning_curves(data: LearningCurves, metric: str, winner: int | None) -> Figure:
    """Draws dev score against step: stopped trials pale, the winner bold, rungs as lines."""
    figure, axes = _figure(3.6)
    for rung in data.rungs:
        axes.axvline(rung.x, color="#c9ced4", linewidth=1, linestyle=(0, (4, 3)), zorder=0)
        axes.annotate(
            f"rung {rung.report}", (rung.x, 1.0), (2, 2), xycoords=("data", "axes fraction"),
            textcoords="offset points", fontsize=7.5, color="#6b737c", annotation_clip=False,
        )  # fmt: skip
    alpha = 0.7 if len(data.curves) < 60 else 0.35
    looks: dict[str, dict[str, Any]] = {
        "pruned": {"color": PRUNED, "linewidth": 0.9, "alpha": 0.8, "zorder": 1},
        "running": {"color": INK, "linewidth": 0.9, "linestyle": ":", "zorder": 2},
        "complete": {"color": COMPLETE, "linewidth": 1.1, "alpha": alpha, "zorder": 3},
        "failed": {"color": FAILED, "linewidth": 1.0, "zorder": 4},
    }
    for curve in data.curves:
        x, y = zip(*curve.points, strict=True)
        look = looks[curve.state] | {"markersize": 3, "marker": "o" if len(x) == 1 else ""}
        if curve.trial == winner:
            look |= {"color": WINNER, "linewidth": 2.4, "alpha": 1.0, "zorder": 5}
        axes.plot(x, y, **look)
        if curve.state == "failed":
            axes.plot(x[-1:], y[-1:], "x", color=FAILED, zorder=6)
    states = {curve.state for curve in data.curves if curve.trial != winner}
    entries = [s for s in ("complete", "pruned", "running", "failed") if s in states]
    handles = [axes.plot([], [], label=STATE_WORDS[s], **looks[s])[0] for s in entries]
    if winner is not None:
        label = f"trial {winner} (best)"
        handles.insert(0, axes.plot([], [], color=WINNER, linewidth=2.4, label=label)[0])
    figure.legend(handles=handles, loc="outside right upper")
    axes.set(xlabel=data.x_label, ylabel=metric)
    axes.set_xlim(left=0)
    return figure


@svg
def parameters(data: list[Panel], metric: str, winner: int | None) -> Figure:
    """Draws the score against each parameter: full dots complete, hollow dots stopped early."""
    columns = min(4, max(3, len(data)))
    rows = -(-len(data) // columns)
    figure = Figure(figsize=(WIDTH, 2.5 * rows + 0.4), layout="constrained")
    grid = figure.subplots(rows, columns, sharey=True, squeeze=False)
    for place, axes in enumerate(grid.flat):
        if place >= len(data):
            axes.set_axis_off()
            continue
        _panel(axes, data[place], winner)
        if place % columns == 0:
            axes.set_ylabel(metric)
    _legend_of_states(figure, data, winner)
    return figure


@svg
def race(data: list[Candidate], metric: str) -> Figure:
    """Draws search scores (hollow) and scores with fresh seeds (dots, mean as a bar)."""
    figure, axes = _figure(3.0)
    for place, one in enumerate(data):
        color = WINNER if one.won else COMPLETE
        axes.plot([place] * len(one.fresh), one.fresh, "o", color=color, markersize=4, alpha=0.6)
        axes.plot(place, one.search, "o", markerfacecolor="none", color=INK, markersize=6)
        if one.mean is not None:
            axes.hlines(one.mean, place - 0.3, place + 0.3, color=color, linewidth=2)
    handles = [
        axes.plot([], [], "o", markerfacecolor="none", color=INK, label="in the search")[0],
        axes.plot([], [], "o", color=COMPLETE, alpha=0.6, label="with a fresh seed")[0],
        axes.plot([], [], color=COMPLETE, linewidth=2, label="mean of fresh seeds")[0],
        axes.plot([], [], color=WINNER, linewidth=2, label="winner")[0],
    ]
    figure.legend(handles=handles, loc="outside right upper")
    axes.set_xticks(range(len(data)), [str(one.trial) for one in data])
    axes.set(xlabel="trial, sorted by the score in the search", ylabel=metric)
    return figure


@svg
def best_so_far(data: BestSoFar, metric: str) -> Figure:
    """Draws the scores of complete trials and the running best by trial number."""
    figure, axes = _figure(2.6)
    axes.step(*columns(data.best), where="post", color=WINNER, linewidth=1.8, label="best so far")
    axes.plot(*columns(data.scores), "o", color=COMPLETE, markersize=4, label="complete")
    axes.set(xlabel="trial", ylabel=metric)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(loc="outside right upper")
    return figure


@svg
def importances(shares: dict[str, float]) -> Figure:
    """Draws the share of each parameter as a bar, the largest on top."""
    figure, axes = _figure(0.6 + 0.28 * len(shares))
    names = list(shares)[::-1]
    bars = axes.barh(names, [shares[name] for name in names], color=COMPLETE, height=0.62)
    axes.bar_label(bars, fmt="%.2f", padding=3)
    axes.set(xlabel="share of the variance of the score", xlim=(0, 1))
    axes.tick_params(axis="y", length=0)
    return figure


def _figure(height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    return figure, figure.subplots()


def columns(points: Iterable[tuple[float, float]]) -> tuple[list[float], list[float]]:
    """Returns the x values and the y values."""
    pairs = list(points)
    return [x for x, _ in pairs], [y for _, y in pairs]


def _panel(axes: Axes, panel: Panel, winner: int | None) -> None:
    looks: dict[str, dict[str, Any]] = {
        "pruned": {"facecolors": "none", "edgecolors": PRUNED, "zorder": 1},
        "running": {"facecolors": "none", "edgecolors": INK, "linestyles": ":", "zorder": 2},
        "complete": {"facecolors": COMPLETE, "edgecolors": "white", "zorder": 3},
    }
    for state, look in looks.items():
        points = [(q.x, q.y) for q in panel.points if q.state == state and q.trial != winner]
        axes.scatter(*columns(points), s=22, linewidths=0.9, **look)
    won = [(q.x, q.y) for q in panel.points if q.trial == winner]
    axes.scatter(*columns(won), s=60, marker="D", color=WINNER, edgecolors="white", zorder=4)
    axes.scatter(*columns(panel.front), s=90, **ON_FRONT)
    foot = axes.get_xaxis_transform()
    axes.scatter(
        panel.failed, [0.0] * len(panel.failed), s=28, marker="x", color=FAILED, transform=foot,
        clip_on=False, zorder=5,
    )  # fmt: skip
    _scale(axes, panel)
    role = ", ".join(["log"] * panel.log + ["nuisance"] * panel.nuisance)
    axes.set_xlabel(panel.name + (f" ({role})" if role else ""))


def _scale(axes: Axes, panel: Panel) -> None:
    """Sets the x axis to the whole domain, with ticks that do not overlap."""
    low, high = panel.bounds
    if panel.log:
        axes.set_xscale("log")
        margin = (high / low) ** 0.05 if high > low else 1.5
        axes.set_xlim(low / margin, high * margin)
        axes.xaxis.set_major_locator(_log_ticks(low, high))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        return
    margin = 0.05 * (high - low) or 0.5
    axes.set_xlim(low - margin, high + margin)
    if panel.choices:
        axes.set_xlim(low - 0.5, high + 0.5)
        labels = [c if len(c) <= 14 else c[:13] + "…" for c in panel.choices]
        turned = sum(map(len, labels)) > 28
        axes.set_xticks(range(len(labels)), labels, rotation=35 if turned else 0, fontsize=8)
    else:
        axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=panel.whole))


def _log_ticks(low: float, high: float) -> FixedLocator:
    """Returns ticks at powers of ten, or also between them if those are fewer than three."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1,), (1, 3), (1, 2, 5)):
        ticks = [s * 10.0**d for d in decades for s in steps if low <= s * 10.0**d <= high]
        if len(ticks) >= 3:
            break
    return FixedLocator(ticks or [low])


def _legend_of_states(figure: Figure, data: list[Panel], winner: int | None) -> None:
    axes = figure.axes[0]
    states = {q.state for panel in data for q in panel.points if q.trial != winner}
    marks: dict[str, dict[str, Any]] = {
        "complete": {"marker": "o", "color": COMPLETE},
        "pruned": {"marker": "o", "markerfacecolor": "none", "color": PRUNED},
        "running": {"marker": "o", "markerfacecolor": "none", "color": INK},
    }
    handles = [
        axes.plot([], [], linestyle="", label=STATE_WORDS[state], **mark)[0]
        for state, mark in marks.items()
        if state in states
    ]
    if winner is not None:
        label = f"trial {winner} (best)"
        handles.insert(0, axes.plot([], [], "D", color=WINNER, label=label)[0])
    if any(panel.front for panel in data):
        look: dict[str, Any] = {"markerfacecolor": "none", "markersize": 9}
        label = "on the Pareto front"
        handles.append(axes.plot([], [], "o", color=WINNER, label=label, **look)[0])
    if any(panel.failed for panel in data):
        handles.append(axes.plot([], [], "x", color=FAILED, label="failed")[0])
    figure.legend(handles=handles, loc="outside upper right", ncols=len(handles) or 1)
