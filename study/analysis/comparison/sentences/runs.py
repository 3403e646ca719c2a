"""Sentences on what was run: the design; failed, collapsed, unfinished and missing runs."""

from study.analysis.comparison.analysis import TaskAnalysis
from study.analysis.comparison.design import NO_MASK
from study.analysis.comparison.results import STATES
from study.analysis.comparison.sentences.numbers import count, first_few
from study.spec.comparison.schema import FACTORS

SHARED = ("shared_steps", "shared_seconds")
"""Columns of results.csv: training that a run took over from another."""


def what_was_run(task: TaskAnalysis) -> list[str]:
    """Returns the number of runs by state; names those that failed, collapsed or are missing."""
    runs = task.comparison.runs
    counts = [(state, sum(run.state == state for run in runs)) for state in STATES]
    states = ", ".join(f"{number} {state}" for state, number in counts if number)
    seeds = [sorted({run.key[n] for run in runs if run.key[n] >= 0}) for n in range(3)]
    factors = ", ".join(count(len(s), f"{f} seed") for f, s in zip(FACTORS, seeds, strict=True))
    configurations = count(len(task.summaries), "configuration")
    sentences = [f"{count(len(runs), 'run')} of {configurations} with {factors}: {states}."]
    if task.redrawn:
        sentences.append(
            "The data seed of a run has drawn its train and dev rows too, and its test rows, "
            "unless this is a race (task.resplit); paired runs have equal rows. Intervals over "
            "test sets count that splits have rows in common, and not that all training rows are "
            "of one table."
        )
    saved = {name: sum(run.values.get(name, 0) for run in runs) for name in SHARED}
    if saved["shared_steps"]:
        sentences.append(
            f"Runs that differ only in their mask share the steps before the first mask event: "
            f"{saved['shared_steps']:,.0f} steps ({saved['shared_seconds']:,.0f} s of training) "
            "were not repeated."
        )
    if failures := [run for run in runs if run.state == "failed"]:
        named = [
            f"{r.configuration} ({r.name}): {r.reason or 'no reason known'}" for r in failures
        ]
        sentences.append(f"Failed: {first_few(named)}.")
    scoreless = [r for r in runs if r.state == "complete" and task.metric not in r.values]
    if scoreless:
        named = [f"{run.configuration} ({run.name})" for run in scoreless]
        sentences.append(
            f"Complete without a number in {task.metric}, counted as failed: {first_few(named)}."
        )
    collapsed = [(s.label, run) for s in task.summaries for run in s.collapsed]
    if collapsed:
        named = [f"{label} ({run.name})" for label, run in collapsed]
        sentences.append(
            f"Collapsed: {first_few(named)}. A collapsed run predicts one class only, or its MCC "
            "is within the range of guessing. Means and differences are over the other runs."
        )
    if pending := [f"{r.configuration} ({r.name})" for r in runs if r.state in STATES[:2]]:
        sentences.append(
            f"Not finished yet, so that all results are preliminary: {first_few(pending)}."
        )
    if missing := _missing(task):
        sentences.append(f"Missing from the crossed design: {first_few(missing)}.")
    return sentences + _single_seeds(task)


def _single_seeds(task: TaskAnalysis) -> list[str]:
    """Names the factors with scores of one seed only, whatever is planned."""
    sentences = []
    for n, factor in enumerate(FACTORS):
        seeds = {run.key[n] for run in task.comparison.runs if task.metric in run.values}
        if len(seeds - {NO_MASK}) == 1:
            sentences.append(
                f"Only one {factor} seed has scores: the variance due to {factor} seeds is "
                "unknown, no interval includes it, and no difference that it affects is decided."
            )
    return sentences


def _missing(task: TaskAnalysis) -> list[str]:
    """Cells of the crossed design without a row in results.csv."""
    cells = {
        cell
        for one in task.variance_components
        if one.estimable
        for cell in one.components.missing
    }
    rows = {(run.configuration, *run.key) for run in task.comparison.runs}
    return sorted(str(cell) for cell in cells if tuple(cell) not in rows)
