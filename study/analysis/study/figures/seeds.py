"""The charts of a comparison that belongs to the study: variance shares, differences, overlap."""

from pathlib import Path

from study.analysis.comparison.analysis import TaskAnalysis, analyse
from study.analysis.comparison.page import pictures
from study.analysis.figure import Figure
from study.analysis.study.reading import StudyData
from study.errors import InputError
from study.storage.folder import StudyFolder


def comparison_folder(study: StudyData) -> Path | None:
    """Returns the folder that `study.seeds --study` writes beside a study; None without it."""
    path = study.folder.path
    folder = StudyFolder(path.with_name(f"{path.name}-seeds"))
    return folder.path if folder.results.is_file() and folder.spec.is_file() else None


def seed_figures(study: StudyData) -> list[Figure]:
    """Returns the charts of the comparison beside the study; empty without one, or its results."""
    folder = comparison_folder(study)
    if folder is None:
        return []
    try:
        task = analyse([folder]).tasks[0]
    except InputError:  # It has no complete run yet, or is damaged: its own page says so.
        return []
    charts = (_shares(task), _differences(task), _overlap(task))
    return [chart for chart in charts if chart is not None]


def _shares(task: TaskAnalysis) -> Figure | None:
    panels = pictures.shares(task)
    rows = [
        (name, bar.name, bar.value, bar.low, bar.high, bar.note)
        for name, bars in panels
        for bar in bars
    ]
    if not rows:
        return None
    names = ("configuration", "part", "share", "low", "high", "sd")
    return Figure(
        name="seed_shares",
        columns={name: [row[k] for row in rows] for k, name in enumerate(names)},
        heading="Which seeds make the score vary?",
        alt=f"share of the variance of {task.metric} of a run by the kind of seed",
        caption=f"Share of the variance of {task.metric} of one run, with its 95 % interval, from "
        f"the comparison {task.comparison.folder.name}. A wide interval needs more seeds.",
    )


def _differences(task: TaskAnalysis) -> Figure | None:
    bars = pictures.differences(task)
    if not bars:
        return None
    return Figure(
        name="seed_differences",
        columns={
            "question": [bar.name for bar in bars],
            "difference": [bar.value for bar in bars],
            "low": [bar.low for bar in bars],
            "high": [bar.high for bar in bars],
            "decided": [bar.bold for bar in bars],
            "p": [bar.note for bar in bars],
        },
        heading="Which differences remain on equal seeds?",
        alt=f"paired differences of {task.metric} with intervals",
        caption=f"Difference of {task.metric} on equal seeds, first minus second, with its 95 % "
        "interval. Filled: decided after correction for the number of questions; hollow: not.",
    )


def _overlap(task: TaskAnalysis) -> Figure | None:
    if not task.overlaps:
        return None
    found = task.overlaps
    return Figure(
        name="seed_overlap",
        columns={
            "configuration": [one.configuration for one in found],
            "differ_in": [one.differ_in for one in found],
            "mean": [one.mean for one in found],
            "low": [one.low for one in found],
            "high": [one.high for one in found],
            "by_chance": [one.by_chance for one in found],
            "by_ranks": [one.by_ranks for one in found],
            "pairs": [one.pairs for one in found],
        },
        heading="Do other seeds keep the same triplets?",
        alt="overlap of the kept triplets of runs that differ in one seed, and that by chance",
        caption="Triplets kept by both of two runs over those kept by either: mean and range over "
        "pairs that differ in this seed alone. Ticks: by chance, and by chance with the same rank "
        "in every matrix; an overlap at the second tick means that only the ranks agree.",
    )
