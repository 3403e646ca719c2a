"""The charts of what the method did to the winner: budget and ranks over the mask events."""

from collections.abc import Sequence
from typing import Any

from study.analysis.figure import Figure
from study.analysis.layers import MATRICES, layer_and_matrix
from study.analysis.study import allocation
from study.analysis.study.reading import StudyData

EVENTS = 60
"""Largest number of mask events of a chart."""


def budget(study: StudyData) -> Figure | None:
    """Returns the chart of budget, kept and rank over the steps; None without mask events."""
    leader = study.leader
    series = allocation.allocation(study.spec, leader, study.trace) if leader else None
    if leader is None or series is None:
        return None
    rows: list[tuple[str, float, float | None]] = [
        ("schedule", float(step), value) for step, value in series.schedule
    ]
    columns: dict[str, Sequence[float]] = {
        "budget": series.budget,
        "kept": series.kept,
        "kept on average": series.expected,
        "re-introduced": series.reintroduced,
        "dropped": series.dropped,
    }
    for name, values in columns.items():
        rows += [(name, float(s), float(v)) for s, v in zip(series.steps, values, strict=True)]
    rows += [("rank", float(report.step), _rank(report.metrics)) for report in leader.reports]
    warmup = allocation.setting(study.spec, leader, "warmup_steps") or 0
    T = series.steps[-1]
    moved = sum(series.reintroduced) + sum(series.dropped)
    return Figure(
        name="budget",
        columns={
            "what": [row[0] for row in rows],
            "step": [row[1] for row in rows],
            "triplets": [row[2] for row in rows],
        },
        heading="Did the schedule and the random mask take effect?",
        alt="budget, kept triplets and rank of the winner against the step",
        caption=f"Trial {leader.number}, the run whose weights are in best/: one run, so another "
        f"seed keeps other triplets. Line: the budget asked for. Dots: triplets kept at each of "
        f"{len(series.steps)} mask events; the random mask moved {moved} in all. Crosses: rank, "
        "the non-zero lam at reports; between events it can be larger, as pruned values regrow.",
        options={
            "phases": [
                {"name": name, "start": start, "end": end}
                for name, start, end in (
                    ("warm-up", 0, warmup),
                    ("pruning", warmup, T),
                    ("fixed mask", T, series.total_steps),
                )
                if end > start
            ],
            "events": series.steps,
        },
    )


def _rank(metrics: Any) -> float | None:
    value = metrics.get("rank")
    return None if value is None else float(value)


def ranks_over_events(study: StudyData) -> Figure | None:
    """Returns the map of the rank of every matrix after the mask events; None without events."""
    ranks = allocation.rank_map(study.trace)
    leader = study.leader
    if ranks is None or leader is None:
        return None
    rows = [
        (f"{layer} {matrix}".strip(), step, rank)
        for layer, matrices in ranks.layers
        for matrix, values in matrices
        for step, rank in zip(ranks.steps, values, strict=True)
    ]
    part = "each" if len(ranks.steps) == ranks.events else f"{len(ranks.steps)} of {ranks.events}"
    return Figure(
        name="ranks_over_events",
        columns={
            "matrix": [row[0] for row in rows],
            "step": [row[1] for row in rows],
            "rank": [row[2] for row in rows],
        },
        heading="Where did the rank go, event by event?",
        alt="rank of every adapted matrix of the winner after the mask events",
        caption=f"Rank of every matrix (layer, matrix) of trial {leader.number} after {part} mask "
        "event. One run; the next chart says what other seeds give.",
        options={"b0": int(allocation.setting(study.spec, leader, "b0") or 0)},
    )


def ordered(modules: Sequence[str]) -> list[tuple[str, str, str]]:
    """Returns (layer, matrix, module), by layer, then q, k, v, o, f1, f2."""
    known = {matrix: place for place, matrix in enumerate(MATRICES)}
    named = [(*layer_and_matrix(module), module) for module in modules]
    named.sort(key=lambda one: (one[0], known.get(one[1], len(known)), one[1]))
    return [(layer[1], matrix, module) for layer, matrix, module in named]
