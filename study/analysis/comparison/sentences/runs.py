"""What was run, in sentences: the design, and every run that failed, collapsed or is missing."""

from study.analysis.comparison.analysis import TaskAnalysis
from study.analysis.comparison.design import FACTORS, NO_MASK
from study.analysis.comparison.reading import STATES
from study.analysis.comparison.sentences.numbers import count, some

SHARED = ("shared_steps", "shared_seconds")


def what_was_run(task: TaskAnalysis) -> list[str]:
    """Counts the runs by state, and names what failed, collapsed or is missing."""
    runs = task.comparison.runs
    counts = [(state, sum(run.state == state for run in runs)) for state in STATES]
    states = ", ".join(f"{number} {state}" for state, number in counts if number)
    seeds = [sorted({run.key[n] for run in runs if run.key[n] >= 0}) for n in range(3)]
    many = ", ".join(count(len(s), f"{f} seed") for f, s in zip(FACTORS, seeds, strict=True))
    kinds = count(len(task.summaries), "configuration")
    found = [f"{count(len(runs), 'run')} of {kinds} with {many}: {states}."]
    saved = {name: sum(run.values.get(name, 0) for run in runs) for name in SHARED}
    if saved["shared_steps"]:
        found.append(
            f"{saved['shared_steps']:,.0f} steps ({saved['shared_seconds']:,.0f} s of training) "
            "were not trained again, as runs that differ in their mask alone begin alike."
        )
    if failures := [run for run in runs if run.state == "failed"]:
        named = [
            f"{r.configuration} ({r.name}): {r.reason or 'no reason known'}" for r in failures
        ]
        found.append(f"Failed, and counted as such everywhere: {some(named)}.")
    scoreless = [r for r in runs if r.state == "complete" and task.metric not in r.values]
    if scoreless:
        named = [f"{run.configuration} ({run.name})" for run in scoreless]
        found.append(
            f"Complete without a number in {task.metric}, counted as failed: {some(named)}."
        )
    collapsed = [(s.label, run) for s in task.summaries for run in s.collapsed]
    if collapsed:
        named = [f"{label} ({run.name})" for label, run in collapsed]
        found.append(
            f"Collapsed, and in every mean: {some(named)}. These answer one class, or have an "
            "MCC that guessing could have."
        )
    if pending := [f"{r.configuration} ({r.name})" for r in runs if r.state in STATES[:2]]:
        found.append(f"Still to end, so all that follows is for now: {some(pending)}.")
    if absent := _absent(task):
        found.append(f"Cells of the crossed design without any run: {some(absent)}.")
    return found + _single(task)


def _single(task: TaskAnalysis) -> list[str]:
    """Names the factors of which one seed alone has scores, whatever is planned."""
    found = []
    for n, factor in enumerate(FACTORS):
        seeds = {run.key[n] for run in task.comparison.runs if task.metric in run.values}
        if len(seeds - {NO_MASK}) == 1:
            found.append(
                f"A single {factor} seed has scores: what another would change is unknown, no "
                "interval here allows for it, and nothing is decided that it could change."
            )
    return found


def _absent(task: TaskAnalysis) -> list[str]:
    """Cells of the crossing that no row of results.csv is about."""
    found = {cell for one in task.lucks if one.estimable for cell in one.components.missing}
    there = {(run.configuration, *run.key) for run in task.comparison.runs}
    return sorted(str(cell) for cell in found if tuple(cell) not in there)
