"""Which runs of a comparison have collapsed, and which have a usable score."""

from collections.abc import Iterable

from study.analysis.comparison.outputs import Outputs, split_of
from study.analysis.comparison.results import RunResult
from study.analysis.hurdle.guessing import bound_of_guessing, has_collapsed


def collapsed_runs(runs: Iterable[RunResult], outputs: Outputs, metric: str) -> list[RunResult]:
    """Returns the complete runs that have collapsed on the split of a metric."""
    labels = outputs.labels
    classes = 2 if labels is None else 1 + int(labels.max())
    bound = bound_of_guessing(None if labels is None else len(labels), classes)
    mcc = f"{split_of(metric)}_mcc"
    collapsed = []
    for run in runs:
        output = outputs.runs.get(run.number) if run.number is not None else None
        predicted = None if output is None else output.predicted
        if run.state == "complete" and has_collapsed(run.values.get(mcc), bound, predicted):
            collapsed.append(run)
    return collapsed


def usable_runs(runs: Iterable[RunResult], outputs: Outputs, metric: str) -> list[RunResult]:
    """Returns the runs with a score of the metric that have not collapsed."""
    scored = [run for run in runs if metric in run.values]
    collapsed = {run.number for run in collapsed_runs(scored, outputs, metric)}
    return [run for run in scored if run.number not in collapsed]
