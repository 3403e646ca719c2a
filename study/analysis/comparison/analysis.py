"""Comparison folders -> Analysis: all numbers that words, tables and pictures are made of."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from study.analysis.comparison.agreement.disagreement import Disagreement, disagreements
from study.analysis.comparison.agreement.stability import (
    Overlap,
    RankPattern,
    overlaps,
    rank_patterns,
)
from study.analysis.comparison.components.further import Plan
from study.analysis.comparison.components.luck import Luck, further_runs, lucks
from study.analysis.comparison.outputs import read_outputs, split_of
from study.analysis.comparison.purpose import preferred
from study.analysis.comparison.reading import Comparison, read_comparison
from study.analysis.comparison.scale import direction, lower_is_better
from study.analysis.comparison.scores.paired import Pair, compare, corrected
from study.analysis.comparison.scores.questions import questions
from study.analysis.comparison.scores.statistics import SeedBootstrap
from study.analysis.comparison.scores.summary import Summary, seeds_of, summaries
from study.analysis.comparison.scores.tasks import Pooled, TaskRanking, pool, rank_tasks
from study.errors import InputError


@dataclass(frozen=True)
class TaskAnalysis:
    """One comparison folder."""

    name: str
    """Of the task: the folder's, with as much of its path as tells it from the others."""
    comparison: Comparison
    metric: str
    rows: int | None
    """Of the split that was scored, where labels.npz tells."""
    fixed_before: bool
    """Whether the configurations were chosen before these runs, and not by them."""
    leader: str
    """The configuration that was asked about; of finalists the one with the best mean."""
    summaries: list[Summary]
    pairs: list[Pair]
    """p-values corrected over all tasks."""
    plans: dict[str, Plan]
    """By the text of its question, what would settle it; of open questions alone."""
    lucks: list[Luck]
    overlaps: list[Overlap]
    patterns: list[RankPattern]
    disagreements: list[Disagreement]


@dataclass(frozen=True)
class Analysis:
    """One or several comparison folders, each a task."""

    metric: str
    tasks: list[TaskAnalysis]
    ranking: TaskRanking | None
    """None for a single task, or without two common configurations."""
    pooled: list[Pooled]
    """Over tasks; empty for a single one."""

    @cached_property
    def warnings(self) -> list[str]:
        """What was found in the files and not used."""
        return [warning for task in self.tasks for warning in task.comparison.warnings]


def analyse(folders: Sequence[Path], metric: str | None = None, seed: int = 0) -> Analysis:
    """Returns what the runs of one or several comparison folders say.

    Args:
        folders: a task each.
        metric: a column of results.csv; None: of the metric that was searched for, on the test
            split where every configuration has it, else on dev (of a race, only the winner is
            tested).
        seed: of all that is drawn. The same folders and seed give the same numbers.

    Raises:
        InputError: a folder is no comparison folder or is given twice, or the metric is not there.
    """
    _check_once(folders)
    comparisons = [read_comparison(folder, metric) for folder in folders]
    metric = metric or _preferred(comparisons)
    for comparison in comparisons:
        _check_scored(comparison, metric)
    tasks = [
        _task(name, comparison, metric, np.random.default_rng([seed, 1]))
        for name, comparison in zip(_names(comparisons), comparisons, strict=True)
    ]
    tasks = _corrected_over_tasks(tasks, seed)
    means = {
        task.name: {s.label: s.charged_mean for s in task.summaries if s.charged_mean is not None}
        for task in tasks
    }
    return Analysis(
        metric=metric,
        tasks=tasks,
        ranking=rank_tasks(means, lower_is_better(metric)),
        pooled=pool(comparisons, metric, np.random.default_rng([seed, 3])),
    )


def _names(comparisons: Sequence[Comparison]) -> list[str]:
    """The names of tasks; the whole path where two folders have the same."""
    names = Counter(comparison.name for comparison in comparisons)
    return [
        comparison.name if names[comparison.name] == 1 else str(comparison.folder)
        for comparison in comparisons
    ]


def _task(
    name: str, comparison: Comparison, metric: str, rng: np.random.Generator
) -> TaskAnalysis:
    outputs = read_outputs(comparison, split_of(metric))
    bootstrap = SeedBootstrap(seeds_of(comparison.runs), rng)
    found = summaries(comparison, metric, outputs, bootstrap, rng)
    leader = _leader(comparison, metric, found)
    rows = None if outputs.labels is None else len(outputs.labels)
    return TaskAnalysis(
        name=name,
        comparison=comparison,
        fixed_before=comparison.fixed_before,
        metric=metric,
        rows=rows,
        leader=leader,
        summaries=found,
        pairs=[
            compare(comparison, metric, question, bootstrap, rng)
            for question in questions(comparison, leader)
        ],
        plans={},
        lucks=lucks(comparison, metric, rows, rng),
        overlaps=overlaps(comparison, outputs),
        patterns=rank_patterns(comparison, outputs),
        disagreements=disagreements(comparison, outputs),
    )


def _leader(comparison: Comparison, metric: str, found: Sequence[Summary]) -> str:
    """The first configuration; the best one where these very runs were to choose it."""
    if comparison.fixed_before:
        return found[0].label
    # A configuration that was left out of the later rounds has fewer runs.
    most = max(summary.n for summary in found)
    best = [summary for summary in found if summary.n == most]
    return max(best, key=lambda s: direction(metric) * s.mean.mean).label


def _corrected_over_tasks(tasks: Sequence[TaskAnalysis], seed: int) -> list[TaskAnalysis]:
    pairs = iter(corrected([pair for task in tasks for pair in task.pairs]))
    found = []
    for task in tasks:
        own = [next(pairs) for _ in task.pairs]
        rng = np.random.default_rng([seed, 2])
        plans = {
            pair.question.text: plan
            for pair in own
            if pair.winner is None and _matters(task, pair)
            if (plan := further_runs(pair, rng)) is not None
        }
        found.append(replace(task, pairs=own, plans=plans))
    return found


def _matters(task: TaskAnalysis, pair: Pair) -> bool:
    return pair.question.kind != "other" or pair.has(task.leader)


def _check_once(folders: Sequence[Path]) -> None:
    if not folders:
        raise InputError("at least one comparison folder must be given, but there is none")
    folder, times = Counter(folder.resolve() for folder in folders).most_common(1)[0]
    if times > 1:
        raise InputError(f"{folder}: every folder must be another task, but it is given twice")


def _preferred(comparisons: Sequence[Comparison]) -> str:
    complete = [
        [run for run in runs if run.state == "complete"]
        for comparison in comparisons
        for runs in comparison.configurations.values()
    ]
    names = preferred([c.asked for c in comparisons], [c.folder for c in comparisons])
    for name in names:
        if all(any(name in run.values for run in runs) for runs in complete if runs):
            return name
    found = {name: None for runs in complete for run in runs for name in run.values}
    scores = [name for name in found if name.startswith(("dev_", "test_"))]
    raise InputError(
        f"{comparisons[0].folder}: every configuration must have {' or '.join(names)}, but "
        f"some have neither; name another column with --metric: {', '.join(scores) or 'none'}"
    )


def _check_scored(comparison: Comparison, metric: str) -> None:
    if not any(metric in run.values for run in comparison.runs):
        raise InputError(
            f"{comparison.folder}: at least one complete run must have a number in {metric}, but "
            "none has; name another column with --metric"
        )
