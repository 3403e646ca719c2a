"""The chart of the confidence sequence: what was known after each pair, and what decided."""

import numpy as np

from study.analysis.comparison.analysis import TaskAnalysis
from study.analysis.comparison.scores.paired import Pair
from study.analysis.comparison.verdict.decision import Decision, decide
from study.analysis.comparison.verdict.sequence import anytime_estimate
from study.analysis.figure import Figure

SHOWN = 6
"""Largest number of comparisons in the chart, those with the first configuration."""
Row = tuple[str, int, float, float | None, float | None, Decision]
LOOKS = 12
"""Largest number of intervals of a comparison; each takes some hundredths of a second."""


def looks(task: TaskAnalysis) -> Figure | None:
    """Returns the chart of the comparisons with the leader; None without pairs of fresh seeds."""
    pairs = [
        pair
        for pair in task.pairs
        if pair.includes(task.leader) and pair.anytime is not None and len(pair.differences) > 1
    ][:SHOWN]
    rows = [row for pair in pairs for row in _rows(pair)]
    if not rows:
        return None
    names = ("comparison", "pairs", "mean", "low", "high", "decision")
    return Figure(
        name="looks",
        columns={name: [row[place] for row in rows] for place, name in enumerate(names)},
        heading="After each pair",
        alt=f"mean difference in {task.metric} and its confidence sequence by number of pairs, "
        "one panel for each comparison with the first configuration",
        caption="Line: mean difference of the pairs so far. Band: the interval that decides, "
        "which holds at all numbers of pairs together. Grey: the rope, within which a difference "
        "does not matter. Dot: the first look that decides. Without a band there are too few "
        "pairs.",
        options={
            "metric": task.metric,
            "comparisons": list(dict.fromkeys(row[0] for row in rows)),
            "rope": pairs[0].rope,
        },
    )


def _rows(pair: Pair) -> list[Row]:
    """Returns a row for each number of pairs; at most `LOOKS` of them have the interval.

    The error of the test set is that of all pairs so far, also for earlier looks.
    """
    values, anytime = pair.values, pair.anytime
    assert anytime is not None
    count = len(values)
    chosen = {int(n) for n in np.linspace(1, count, LOOKS).round()}
    name = f"{pair.question.a} - {pair.question.b}"
    rows: list[Row] = []
    for n in range(1, count + 1):
        low = high = None
        if n in chosen:
            look = anytime_estimate(values[:n], pair.tau or 0.0, anytime.level)
            if look.low is not None and look.high is not None:
                low, high = look.low, look.high
        decision = decide(low, high, pair.rope, pair.sign)
        rows.append((name, n, float(values[:n].mean()), low, high, decision))
    return rows
