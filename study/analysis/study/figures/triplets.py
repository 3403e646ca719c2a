"""The charts of the triplets of winner and finalists: mask events, scores, final ranks."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from study.analysis.figure import Figure
from study.analysis.study.figures.method import EVENTS, ordered
from study.analysis.study.mask_events import MaskEvents, read_final_ranks, read_mask_events
from study.analysis.study.reading import StudyData
from study.storage.folder import StudyFolder
from study.storage.runs import label_of_trial, latest_trials

CANDIDATES = 8
"""Largest number of finalists with their triplets on the page."""
PRUNED, REINTRODUCED, DROPPED, KEPT = range(4)
"""What an event did to a triplet: bit 1 kept, bit 2 among the largest scores."""


@dataclass(frozen=True)
class TrainedRun:
    """One run of a trial with the file of its mask events."""

    trial: int
    name: str
    """For people: `trial 3, seed 2 of the race`."""
    events: MaskEvents


def runs(study: StudyData) -> list[TrainedRun]:
    """Returns the runs with mask events: the weights in best/ first, then those of the race."""
    found = []
    best = read_mask_events(study.folder.best / "mask_events.npz")
    winner = study.record.winner
    if best is not None and winner is not None:
        found.append(TrainedRun(winner.trial, f"trial {winner.trial}, the weights in best/", best))
    for trial, repeat, path in _race_runs(study):
        events = read_mask_events(path)
        if events is not None:
            found.append(TrainedRun(trial, f"trial {trial}, run {repeat} of the race", events))
    return found


def ranks(study: StudyData) -> list[tuple[int, dict[str, int]]]:
    """Returns (trial, final rank of every matrix) of every run that is known, the winner first."""
    found = []
    if study.trace and study.record.winner is not None:
        found.append((study.record.winner.trial, dict(study.trace[-1]["ranks"])))
    for trial, _, path in _race_runs(study):
        own = read_final_ranks(path)
        if own is not None:
            found.append((trial, own))
    leader = study.leader.number if study.leader else None
    return sorted(found, key=lambda one: one[0] != leader)


def _race_runs(study: StudyData) -> list[tuple[int, int, Path]]:
    """Returns (trial, number of its run from 1, file of outputs) of complete runs of the race."""
    if study.race is None:
        return []
    numbers = {label_of_trial(trial): trial.number for trial in study.trials}
    counts: dict[int, int] = {}
    found = []
    for run in latest_trials(study.race).values():
        trial = numbers.get(str(run.labels.get("configuration")))
        if run.state == "complete" and trial is not None:
            counts[trial] = counts.get(trial, 0) + 1
            file = StudyFolder(study.folder.finalists).output(run.number)
            found.append((trial, counts[trial], file))
    return found


def triplet_figures(study: StudyData) -> list[Figure]:
    """Returns the charts of the triplets; empty if no file has the mask events."""
    charts, found, known = [], runs(study), ranks(study)
    if found:
        first = {run.trial: run for run in reversed(found)}
        leader = study.leader.number if study.leader else None
        shown = sorted(first.values(), key=lambda run: run.trial != leader)[:CANDIDATES]
        charts = [raster(shown), event_scores(shown)]
    return [*charts, final_ranks(known)] if known else charts


def why_no_triplets(study: StudyData, charts: Sequence[Figure], live: bool) -> str:
    """Returns a sentence if there should be a chart of the triplets and is none; else empty."""
    if not study.trace or any(chart.name == "raster" for chart in charts):
        return ""
    if live:
        return "The triplets of every mask event are shown when the study is over."
    return (
        "The triplets of every mask event are not shown: an earlier version, which did not keep "
        "them, trained the runs."
    )


def raster(shown: Sequence[TrainedRun]) -> Figure:
    """Returns the chart of what every mask event did to every triplet."""
    options, rows = [], []
    for run in shown:
        events = run.events
        count = min(EVENTS, len(events.steps))
        chosen = sorted({round((k + 1) * len(events.steps) / count) - 1 for k in range(count)})
        outcome = events.kept.astype(int) + 2 * events.top.astype(int)
        place, order = ordered(events.modules), []
        for _, _, name in place:
            module = events.modules.index(name)
            own = np.arange(module * events.b0, (module + 1) * events.b0)
            # Those that were kept longest come first.
            order += own[np.argsort(-events.kept[:, own].sum(axis=0), kind="stable")].tolist()
        options.append(
            {
                "trial": run.trial,
                "name": run.name,
                "b0": events.b0,
                "modules": [f"{layer} {matrix}".strip() for layer, matrix, _ in place],
                "steps": [events.steps[event] for event in chosen],
                "events": len(events.steps),
                "outcomes": ["".join(map(str, outcome[event, order])) for event in chosen],
            }
        )
        for event, step in enumerate(events.steps):
            counts = np.bincount(outcome[event], minlength=4)
            rows.append(
                (run.trial, step, *(int(counts[k]) for k in (KEPT, DROPPED, REINTRODUCED, PRUNED)))
            )
    names = ("trial", "step", "kept", "dropped", "re_introduced", "pruned")
    return Figure(
        name="raster",
        columns={name: [row[k] for row in rows] for k, name in enumerate(names)},
        heading="Which triplets did the mask events keep?",
        alt="raster of singular triplets by mask event: kept, pruned, dropped, re-introduced",
        caption="A row is a triplet, grouped by layer and matrix, those kept longest on top; a "
        "column is a mask event. Dropped and re-introduced are the random mask's work. Each is "
        "one run: with another seed other triplets are kept.",
        options={"runs": options},
    )


def event_scores(shown: Sequence[TrainedRun]) -> Figure:
    """Returns the chart of the importance scores at the first, middle and last event."""
    rows = []
    for run in shown[:2]:
        for place, step in enumerate(run.events.scored):
            index = run.events.steps.index(step)
            values = np.sort(run.events.scores[place])[::-1]
            budget = int(run.events.top[index].sum())
            quantiles = np.unique(np.linspace(0, len(values) - 1, min(len(values), 120)).round())
            rows += [
                (run.trial, step, int(k) + 1, float(values[int(k)]), budget) for k in quantiles
            ]
    names = ("trial", "step", "place", "score", "budget")
    return Figure(
        name="event_scores",
        columns={name: [row[k] for row in rows] for k, name in enumerate(names)},
        heading="Do the importance scores tell triplets apart?",
        alt="importance scores in falling order at the first, the middle and the last mask event",
        caption="Scores of all triplets in falling order; a dot marks the budget: triplets right "
        "of it are pruned. Where the curve is steep at the dot the choice is clear; where it is "
        "flat, noise decides it.",
        options={"runs": [{"trial": run.trial, "name": run.name} for run in shown[:2]]},
    )


def final_ranks(found: Sequence[tuple[int, dict[str, int]]]) -> Figure:
    """Returns the map of the final rank by layer and matrix: mean and sd over the runs."""
    rows: list[tuple[int, str, str, float, float | None, int]] = []
    trials = list(dict.fromkeys(trial for trial, _ in found))
    for trial in trials:
        own = [run for number, run in found if number == trial]
        for layer, matrix, name in ordered(list(own[0])):
            values = [float(run[name]) for run in own if name in run]
            sd = statistics.stdev(values) if len(values) > 1 else None
            rows.append((trial, layer, matrix, statistics.fmean(values), sd, len(values)))
    names = ("trial", "layer", "matrix", "mean", "sd", "runs")
    return Figure(
        name="final_ranks",
        columns={name: [row[k] for row in rows] for k, name in enumerate(names)},
        heading="Which matrices keep their rank, whatever the seed?",
        alt="final rank by layer and matrix, mean and standard deviation over seeds",
        caption="Left: final rank, mean over the runs of a trial, each with other seeds. Right: "
        "its standard deviation over these runs; where it is as large as the differences on the "
        "left, the pattern is chance.",
        options={
            "trials": trials,
            "runs": {str(t): sum(n == t for n, _ in found) for t in trials},
        },
    )
