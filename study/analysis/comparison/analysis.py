"""Comparison folders -> Analysis: all numbers that sentences, tables and figures show."""

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
from study.analysis.comparison.benchmark import is_benchmark_folder, read_benchmark_results
from study.analysis.comparison.components.configurations import (
    ConfigurationComponents,
    components_by_configuration,
)
from study.analysis.comparison.outputs import read_outputs, split_of
from study.analysis.comparison.results import ComparisonResults, read_results
from study.analysis.comparison.scores.collapsed import collapsed_runs, usable_runs
from study.analysis.comparison.scores.hierarchy import Cells, OverTasks, common_pairs, over_tasks
from study.analysis.comparison.scores.paired import Pair, compare, decided
from study.analysis.comparison.scores.questions import questions
from study.analysis.comparison.scores.statistics import SeedBootstrap
from study.analysis.comparison.scores.summary import Summary, seeds_of, summaries
from study.analysis.comparison.scores.tasks import Pooled, TaskRanking, pool, rank_tasks
from study.analysis.comparison.verdict.decision import default_rope
from study.analysis.comparison.verdict.power import FurtherPairs, further_pairs
from study.errors import InputError
from study.spec.metrics import direction, lower_is_better


@dataclass(frozen=True)
class TaskAnalysis:
    """The analysis of one comparison folder."""

    name: str
    """Of the task: the name of the folder, or its path if two folders have the same name."""
    comparison: ComparisonResults
    metric: str
    rows: int | None
    """Number of rows of the split that was scored; None without labels.npz."""
    redrawn: bool
    """Whether the data seeds of runs have drawn the splits from one table."""
    leader: str
    """The first configuration; in a race, the one with the best mean."""
    summaries: list[Summary]
    pairs: list[Pair]
    """With decisions, which hold for the pairs of all tasks together."""
    further_pairs: dict[str, FurtherPairs]
    """By the text of an undecided question, how many more pairs would decide it."""
    variance_components: list[ConfigurationComponents]
    overlaps: list[Overlap]
    patterns: list[RankPattern]
    disagreements: list[Disagreement]

    @property
    def group(self) -> str:
        """What it shares with comparisons of the same or related data: its own name if alone."""
        return self.comparison.group or self.name


@dataclass(frozen=True)
class Analysis:
    """The analysis of one or several comparison folders, one per task."""

    metric: str
    tasks: list[TaskAnalysis]
    ranking: TaskRanking | None
    """None for a single task, or without two common configurations."""
    pooled: list[Pooled]
    """Statistics over tasks; empty for a single task."""
    over_tasks: list[OverTasks]
    """The hierarchical model of every pair that all tasks have; empty for a single task."""

    @property
    def decided(self) -> bool:
        """Whether every comparison with the first configuration is decided."""
        return all(
            pair.decision != "undecided"
            for task in self.tasks
            for pair in task.pairs
            if pair.includes(task.leader)
        )

    @cached_property
    def warnings(self) -> list[str]:
        """What the files contain that was ignored."""
        return [warning for task in self.tasks for warning in task.comparison.warnings]


def analyse(
    folders: Sequence[Path],
    metric: str | None = None,
    seed: int = 0,
    rope: float | None = None,
) -> Analysis:
    """Returns the analysis of comparison folders, one per task.

    Args:
        folders: comparison folders, finished or not, or those of benchmarks.
        metric: a column of results.csv. None: the metric of the search, on the test split if every
            configuration has it, else on dev (in a race only the winner is tested).
        seed: of all random draws. The same folders and seed give the same numbers.
        rope: half-width of the region in which a difference does not matter; None: that of the
            metric.

    Raises:
        InputError: a folder is not a comparison folder or is given twice, or lacks the metric.
    """
    _check_distinct(folders)
    comparisons = [one for folder in folders for one in _read(folder, metric)]
    metric = metric or _default_metric(comparisons)
    for comparison in comparisons:
        _check_scored(comparison, metric)
    tasks = [
        _analyse_task(name, comparison, metric, np.random.default_rng([seed, 1]))
        for name, comparison in zip(_task_names(comparisons), comparisons, strict=True)
    ]
    tasks = _decided_over_tasks(tasks, default_rope(metric) if rope is None else rope, seed)
    return Analysis(
        metric=metric,
        tasks=tasks,
        ranking=rank_tasks(_means(tasks), lower_is_better(metric)),
        pooled=pool(comparisons, metric, np.random.default_rng([seed, 3])),
        over_tasks=_over_tasks(tasks, np.random.default_rng([seed, 4])),
    )


def _means(tasks: Sequence[TaskAnalysis]) -> dict[str, dict[str, float]]:
    """Returns group -> configuration -> mean, over the comparisons of a group that all have it."""
    groups: dict[str, list[dict[str, float]]] = {}
    for task in tasks:
        own = {s.label: s.imputed_mean for s in task.summaries if s.imputed_mean is not None}
        groups.setdefault(task.group, []).append(own)
    return {
        group: {
            label: float(np.mean([one[label] for one in own]))
            for label in own[0]
            if all(label in one for one in own)
        }
        for group, own in groups.items()
    }


def _over_tasks(tasks: Sequence[TaskAnalysis], rng: np.random.Generator) -> list[OverTasks]:
    """Returns the pairs that all tasks have, over all tasks; [] for a single task."""
    if len(tasks) < 2:
        return []
    known = [
        {(p.question.a, p.question.b): p for p in task.pairs if p.error_over_seeds}
        for task in tasks
    ]
    found = []
    for a, b in common_pairs([list(pairs) for pairs in known]):
        pairs = [own[a, b] for own in known]
        cells = Cells(
            d=np.array([pair.over_seeds.mean for pair in pairs]),
            s=np.array([pair.error_over_seeds for pair in pairs], dtype=float),
            freedom=np.array([pair.over_seeds.n - 1 for pair in pairs]),
            tau=np.array([pair.tau or 0.0 for pair in pairs]),
            groups=[task.group for task in tasks],
        )
        overall, own_beliefs = over_tasks(cells, pairs[0].rope, pairs[0].sign, rng)
        names, groups = [task.name for task in tasks], len({task.group for task in tasks})
        found.append(OverTasks(a, b, groups, overall, dict(zip(names, own_beliefs, strict=True))))
    return found


def _read(folder: Path, metric: str | None) -> list[ComparisonResults]:
    """Returns the comparison of a folder; of a benchmark one for each task and backbone."""
    if is_benchmark_folder(folder):
        return read_benchmark_results(folder, metric)
    return [read_results(folder, metric)]


def is_decided(folder: Path, metric: str, rope: float | None = None, seed: int = 0) -> bool:
    """Returns whether every comparison with the first configuration is decided by now.

    Computes only what decides, so that it can be asked after every pair. False before any run has
    a score.

    Args:
        folder: a comparison folder.
        metric: a column of results.csv.
        rope: half-width of the region in which a difference does not matter; None: the metric's.
        seed: of all random draws.
    """
    try:
        comparison = read_results(folder, metric)
    except InputError:  # No run is complete yet, or none has the metric.
        return False
    rng = np.random.default_rng([seed, 1])
    outputs = read_outputs(comparison, split_of(metric))
    influences = outputs.influences(metric)
    usable = {
        label: usable_runs(runs, outputs, metric)
        for label, runs in comparison.configurations.items()
    }
    leader = next(iter(usable))
    bootstrap = SeedBootstrap(seeds_of(comparison.runs), rng, draws=2)
    pairs = [
        compare(comparison, metric, question, usable, influences, outputs.share, bootstrap, rng)
        for question in questions(comparison, leader)
    ]
    found = decided(pairs, default_rope(metric) if rope is None else rope, rng)
    return all(pair.decision != "undecided" for pair in found if pair.includes(leader))


def _task_names(comparisons: Sequence[ComparisonResults]) -> list[str]:
    """The names of the tasks; the path where two folders have the same name."""
    names = Counter(comparison.name for comparison in comparisons)
    return [
        comparison.name if names[comparison.name] == 1 else str(comparison.folder)
        for comparison in comparisons
    ]


def _analyse_task(
    name: str, comparison: ComparisonResults, metric: str, rng: np.random.Generator
) -> TaskAnalysis:
    outputs = read_outputs(comparison, split_of(metric))
    influences = outputs.influences(metric)
    bootstrap = SeedBootstrap(seeds_of(comparison.runs), rng)
    statistics = summaries(comparison, metric, outputs, influences, bootstrap, rng)
    usable = {summary.label: summary.usable for summary in statistics}
    leader = _leader(comparison, metric, statistics)
    rows = None if outputs.labels is None else len(outputs.labels)
    return TaskAnalysis(
        name=name,
        comparison=comparison,
        metric=metric,
        rows=rows,
        redrawn=outputs.share is not None,
        leader=leader,
        summaries=statistics,
        pairs=[
            compare(
                comparison, metric, question, usable, influences, outputs.share, bootstrap, rng
            )
            for question in questions(comparison, leader)
        ],
        further_pairs={},
        variance_components=components_by_configuration(
            comparison, metric, rows, rng, collapsed_runs(comparison.crossed, outputs, metric)
        ),
        overlaps=overlaps(comparison, outputs),
        patterns=rank_patterns(comparison, outputs),
        disagreements=disagreements(comparison, outputs),
    )


def _leader(comparison: ComparisonResults, metric: str, statistics: Sequence[Summary]) -> str:
    """The first configuration; in a race, the best of those with the most runs."""
    if comparison.fixed_before:
        return statistics[0].label
    # A configuration that was eliminated in an early round has fewer runs.
    most = max(summary.n for summary in statistics)
    last = [summary for summary in statistics if summary.n == most]
    return max(last, key=lambda s: direction(metric) * s.mean.mean).label


def _decided_over_tasks(
    tasks: Sequence[TaskAnalysis], rope: float, seed: int
) -> list[TaskAnalysis]:
    """Adds decisions that hold for all tasks together, and what undecided questions need."""
    rng = np.random.default_rng([seed, 2])
    pairs = iter(decided([pair for task in tasks for pair in task.pairs], rope, rng))
    complete = []
    for task in tasks:
        own = [next(pairs) for _ in task.pairs]
        needed = {
            pair.question.text: more
            for pair in own
            if pair.anytime is not None and pair.decision == "undecided" and not pair.pending
            if (more := further_pairs(pair.values, pair.tau or 0.0, pair.anytime.level, rope, rng))
        }
        complete.append(replace(task, pairs=own, further_pairs=needed))
    return complete


def _check_distinct(folders: Sequence[Path]) -> None:
    if not folders:
        raise InputError(
            "--analyse: at least one comparison folder must be given, but got none; give one"
        )
    folder, times = Counter(folder.resolve() for folder in folders).most_common(1)[0]
    if times > 1:
        raise InputError(
            f"{folder}: every folder must be given once, but got it {times} times; leave out all "
            "but one"
        )


def _default_metric(comparisons: Sequence[ComparisonResults]) -> str:
    """The metric of the search on the test split, or on dev if some configurations lack it."""
    first, *others = comparisons
    for other in others:
        if other.search_metric != first.search_metric:
            raise InputError(
                f"{other.folder}: the search metric must be {first.search_metric}, that of "
                f"{first.folder}, but got {other.search_metric}; choose the column to analyse "
                "with --metric"
            )
    complete = [
        [run for run in runs if run.state == "complete"]
        for comparison in comparisons
        for runs in comparison.configurations.values()
    ]
    names = f"test_{first.search_metric}", f"dev_{first.search_metric}"
    for name in names:
        if all(any(name in run.values for run in runs) for runs in complete if runs):
            return name
    columns = dict.fromkeys(name for runs in complete for run in runs for name in run.values)
    scores = [name for name in columns if name.startswith(("dev_", "test_"))]
    raise InputError(
        f"{first.folder}: every configuration must have {' or '.join(names)}, but got some with "
        f"neither; choose another column with --metric: {', '.join(scores) or 'none'}"
    )


def _check_scored(comparison: ComparisonResults, metric: str) -> None:
    if not any(metric in run.values for run in comparison.runs):
        raise InputError(
            f"{comparison.folder}: at least one complete run must have a number in {metric}, but "
            "got none; choose another column with --metric"
        )
