"""Sentences on several tasks together."""

import numpy as np

from study.analysis.comparison.analysis import Analysis
from study.analysis.comparison.scores.hierarchy import OverTasks
from study.analysis.comparison.sentences.numbers import Answer
from study.analysis.comparison.verdict.decision import FAMILY_LEVEL as LEVEL
from study.analysis.text import shown

MOST = 6
"""Largest number of pairs with a sentence; the table has all of them."""


def over_tasks(analysis: Analysis) -> Answer:
    """Returns mean ranks, tests over tasks, critical difference and pooled IQM."""
    count = len({task.group for task in analysis.tasks})
    question = f"Which configuration is best over the {count} tasks?"
    ranking = analysis.ranking
    if ranking is None:
        return Answer(question, ["Fewer than two configurations were run on all tasks."])
    order = np.argsort(ranking.mean_ranks, kind="stable")
    ranks = [f"{ranking.configurations[n]} {ranking.mean_ranks[n]:.2f}" for n in order]
    sentences = [f"Mean ranks (1 is best): {', '.join(ranks)}."]
    if failures := _failures(analysis, ranking.configurations):
        sentences.append(f"Failed runs, scored as guessing in ranks and IQM: {failures}.")
    if ranking.left_out:
        sentences.append(f"Left out, as not run on every task: {', '.join(ranking.left_out)}.")
    significant = [
        pair
        for pair in ranking.pairs
        if pair.p_corrected is not None and pair.p_corrected <= LEVEL
    ]
    for pair in significant:
        best, other = (pair.a, pair.b) if pair.better == pair.a else (pair.b, pair.a)
        sentences.append(
            f"{best} is better than {other} over tasks (Wilcoxon signed-rank test, median "
            f"difference {pair.difference:+.4f}, p = {pair.p_value:.2g}, corrected "
            f"{pair.p_corrected:.2g})."
        )
    if not significant:
        sentences.append(
            "No pair differs significantly over tasks (Wilcoxon signed-rank test, corrected)."
        )
    if ranking.smallest_p * len(ranking.pairs) > LEVEL:
        sentences.append(
            f"{len(ranking.tasks)} tasks are too few for this test: its smallest possible p-value "
            f"is {ranking.smallest_p:.2g}, before the correction for {len(ranking.pairs)} pairs. "
            "Read the tasks one by one."
        )
    sentences.append(
        f"Nemenyi's critical difference is {ranking.critical_difference:.2f} ranks, for "
        f"{len(ranking.configurations)} configurations on {len(ranking.tasks)} tasks."
    )
    sentences += [_believed(one) for one in analysis.over_tasks[:MOST]]
    sentences += [
        f"{one.label}: mean over tasks of the IQM {shown(one.iqm)} (95 % bootstrap interval "
        f"{shown(one.iqm_limits[0])} to {shown(one.iqm_limits[1])})."
        for one in analysis.pooled
    ]
    return Answer(question, sentences)


def _believed(one: OverTasks) -> str:
    """Returns the sentence on the hierarchical model of a pair."""
    mean = one.overall
    return (
        f"{one.a} - {one.b} over tasks like these {one.groups}: {mean.mean:+.4f} "
        f"({mean.low:+.4f} to {mean.high:+.4f}); probability {mean.better:.2f} better by more "
        f"than what matters, {mean.equal:.2f} equal, {mean.worse:.2f} worse (hierarchical model, "
        "without a correction for looks and several pairs)."
    )


def _failures(analysis: Analysis, labels: list[str]) -> str:
    """Returns `a 3 of 30, b 1 of 30`: failed runs of those that ended, over all tasks."""
    counts = []
    for label in labels:
        own = [s for task in analysis.tasks for s in task.summaries if s.label == label]
        failed = sum(summary.failed for summary in own)
        if failed:
            counts.append(f"{label} {failed} of {failed + sum(summary.n for summary in own)}")
    return ", ".join(counts)
