"""The values that the figures show: points, intervals and labels, in drawing order."""

from collections.abc import Sequence
from dataclasses import dataclass

from study.analysis.comparison.analysis import TaskAnalysis
from study.analysis.comparison.components.configurations import POOLED
from study.analysis.comparison.design import NO_MASK
from study.analysis.comparison.results import RunResult
from study.analysis.text import shown

SHOWN = 24
"""Largest number of rows of a figure."""


@dataclass(frozen=True)
class Bar:
    """A row of a figure: a name, a value, and its 95 % limits if known."""

    name: str
    value: float
    low: float | None
    high: float | None
    bold: bool = False
    note: str = ""


@dataclass(frozen=True)
class Strip:
    """The scores of one configuration as points, coloured by seed, with their mean."""

    bar: Bar
    points: list[tuple[float, int]]
    """(score, index of the seed in `Strips.levels`)."""
    masked: bool
    """Whether its runs have a seed of the coloured factor."""
    collapsed: list[float]
    note: str


@dataclass(frozen=True)
class Strips:
    """The scores of all configurations, coloured by the seeds of one factor."""

    factor: str
    levels: list[int]
    """Mask seeds, or init seeds if no configuration has a random mask."""
    rows: list[Strip]
    limits: tuple[float, float] | None
    """Of the axis, from the runs that have not collapsed; None if all have."""


def strips(task: TaskAnalysis) -> Strips:
    """Returns the scores by mask seed; by init seed if no configuration has a random mask."""
    runs = [run for run in task.comparison.runs if task.metric in run.values]
    place, factor = (0, "mask") if any(run.key[0] != NO_MASK for run in runs) else (1, "init")
    levels = sorted({run.key[place] for run in runs} - {NO_MASK})
    at = {level: n for n, level in enumerate(levels)} | {NO_MASK: 0}
    rows = []
    for summary in [s for s in task.summaries if s.n or s.failed][:SHOWN]:
        own = [r for r in task.comparison.configurations[summary.label] if r in runs]
        bad = [(summary.failed, "failed"), (len(summary.collapsed), "collapsed")]
        mean = summary.mean
        bar = Bar(summary.label, mean.mean, mean.low, mean.high, summary.label == task.leader)
        rows.append(
            Strip(
                bar=bar,
                points=[(r.values[task.metric], at[r.key[place]]) for r in own],
                masked=any(run.key[place] != NO_MASK for run in own),
                collapsed=_scores(summary.collapsed, task.metric),
                note="\n".join(f"{number} {what}" for number, what in bad if number),
            )
        )
    return Strips(factor, levels, rows, _limits(rows))


def differences(task: TaskAnalysis) -> list[Bar]:
    """Returns the differences with the intervals that decide, decided ones in bold."""
    bars = []
    for pair in [p for p in task.pairs if p.differences][:SHOWN]:
        low, high = pair.deciding or (None, None)
        decided = pair.decision != "undecided"
        text = pair.question.text
        bars.append(Bar(text, pair.over_seeds.mean, low, high, decided, pair.decision))
    return bars


def shares(task: TaskAnalysis) -> list[tuple[str, list[Bar]]]:
    """Returns the pooled shares of the variance, then those of the leading configuration."""
    panels = []
    for one in task.variance_components:
        if not one.estimable or one.configuration not in (POOLED, task.leader):
            continue
        bars = [
            Bar(part.name, part.share, part.share_low, part.share_high, note=_sd(part.estimate))
            for part in one.components.components
            if part.share is not None
        ]
        if bars:
            panels.append((one.configuration, bars))
    return panels


def disagreement(task: TaskAnalysis) -> list[tuple[str, list[tuple[str, float, float | None]]]]:
    """Returns, by configuration, (seed that differs, share of examples, share if independent)."""
    shares: dict[str, list[tuple[str, float, float | None]]] = {}
    for one in task.disagreements:
        shares.setdefault(one.configuration, []).append((one.differ_in, one.mean, one.independent))
    return list(shares.items())[:SHOWN]


def _limits(rows: Sequence[Strip]) -> tuple[float, float] | None:
    fine = [score for row in rows for score, _ in row.points if score not in row.collapsed]
    if not fine:
        return None
    margin = 0.05 * (max(fine) - min(fine)) or 0.01
    return min(fine) - margin, max(fine) + margin


def _scores(runs: Sequence[RunResult], metric: str) -> list[float]:
    return [run.values[metric] for run in runs if metric in run.values]


def _sd(variance: float | None) -> str:
    return "" if variance is None else f"sd {shown(variance**0.5)}"
