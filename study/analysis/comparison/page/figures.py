"""The charts that the page draws in the browser: every run with its mean, and every look."""

from study.analysis.comparison.analysis import TaskAnalysis
from study.analysis.comparison.design import NO_MASK
from study.analysis.comparison.page.looks import looks
from study.analysis.comparison.page.pictures import SHOWN
from study.analysis.figure import Figure
from study.spec.comparison.schema import FACTORS


def figures(task: TaskAnalysis) -> list[Figure]:
    """Returns the charts of one task; [] if no run has a score."""
    runs = [
        (summary.label, run, run.values[task.metric])
        for summary in task.summaries[:SHOWN]
        for run in task.comparison.configurations[summary.label]
        if task.metric in run.values
    ]
    if not runs:
        return []
    seeds = {
        factor: [None if run.key[place] == NO_MASK else run.key[place] for _, run, _ in runs]
        for place, factor in enumerate(FACTORS)
    }
    sequence = looks(task)
    return [
        Figure(
            name="runs",
            columns={
                "configuration": [label for label, _, _ in runs],
                "score": [score for _, _, score in runs],
                **seeds,
            },
            heading="Every run",
            alt=f"{task.metric} of every run by configuration, with means and 95 % intervals",
            caption="Dot: a run; hover for its seeds, and for the runs of other configurations "
            "with the same seeds. Line: mean with its 95 % interval.",
            options={
                "metric": task.metric,
                "means": [
                    {"configuration": s.label, "mean": s.mean.mean, "low": s.mean.low,
                     "high": s.mean.high}
                    for s in task.summaries[:SHOWN]
                    if s.n
                ],
            },
        ),
        *([] if sequence is None else [sequence]),
    ]  # fmt: skip
