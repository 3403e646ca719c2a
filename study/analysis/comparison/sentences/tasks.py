"""What several tasks say together, in sentences."""

import numpy as np

from study.analysis.comparison.analysis import Analysis
from study.analysis.comparison.sentences.numbers import Answer
from study.analysis.text import shown


def over_tasks(analysis: Analysis) -> Answer:
    """Returns mean ranks, tests over tasks, and how little few tasks can show."""
    question = f"What do the {len(analysis.tasks)} tasks say together?"
    ranking = analysis.ranking
    if ranking is None:
        return Answer(question, ["There are no two configurations that all tasks have."])
    order = np.argsort(ranking.mean_ranks, kind="stable")
    ranks = [f"{ranking.configurations[n]} {ranking.mean_ranks[n]:.2f}" for n in order]
    found = [f"Mean ranks (1 is best): {', '.join(ranks)}."]
    if failures := _failures(analysis, ranking.configurations):
        found.append(f"Failed runs, which count as guessing in ranks and IQM: {failures}.")
    if ranking.left_out:
        found.append(f"Not on every task, and left out: {', '.join(ranking.left_out)}.")
    settled = [r for r in ranking.rivals if r.p_corrected is not None and r.p_corrected <= 0.05]
    for rival in settled:
        ahead = 2 * rival.wins > len(ranking.tasks)
        best, other = (rival.a, rival.b) if ahead else (rival.b, rival.a)
        found.append(
            f"{best} is better than {other} over tasks (Wilcoxon signed-rank, median difference "
            f"{rival.difference:+.4f}, p = {rival.p_value:.2g} and {rival.p_corrected:.2g} "
            "corrected)."
        )
    if not settled:
        found.append("No pair differs over tasks by Wilcoxon's signed-rank test after correction.")
    if ranking.smallest_p * len(ranking.rivals) > 0.05:
        found.append(
            f"{len(ranking.tasks)} tasks can show little: the signed-rank test cannot give a p "
            f"below {ranking.smallest_p:.2g}, before the correction for "
            f"{len(ranking.rivals)} pairs. Read the tasks one by one."
        )
    found.append(
        f"Nemenyi's critical difference is {ranking.critical_difference:.2f} ranks, for "
        f"{len(ranking.configurations)} configurations on {len(ranking.tasks)} tasks."
    )
    found += [
        f"{one.label}: IQM over all tasks {shown(one.iqm)} (95 % stratified bootstrap "
        f"{shown(one.iqm_limits[0])} to {shown(one.iqm_limits[1])})."
        for one in analysis.pooled
    ]
    return Answer(question, found)


def _failures(analysis: Analysis, labels: list[str]) -> str:
    """`a 3 of 30, b 1 of 30`: runs that failed of those that ended, over all tasks."""
    found = []
    for label in labels:
        own = [s for task in analysis.tasks for s in task.summaries if s.label == label]
        failed = sum(summary.failed for summary in own)
        if failed:
            found.append(f"{label} {failed} of {failed + sum(summary.n for summary in own)}")
    return ", ".join(found)
