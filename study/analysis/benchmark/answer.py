"""The answer of a benchmark: which method is best in how many cells, and by how much."""

import math
from dataclasses import dataclass

from study.analysis.benchmark.reading import BenchmarkResults, label
from study.analysis.benchmark.scores import CellScores, ScoreTable, score_table
from study.analysis.figure import Figure

NO_BACKBONE = "no backbone"
"""What the chart says of baselines."""


@dataclass(frozen=True)
class Standing:
    """One method over the cells, task by backbone, in which it can be compared."""

    method: str
    cells: int
    best: int
    """In how many of them it has the best mean."""
    rank: float
    """Its mean rank, 1 is the best."""
    mean: float
    behind: float
    """By how much its mean is below the best one, on average."""


@dataclass(frozen=True)
class BenchmarkAnswer:
    """What stands at the top of the page."""

    sentences: list[str]
    standings: list[Standing]
    """The best mean rank first."""


def answer(benchmark: BenchmarkResults) -> BenchmarkAnswer:
    """Returns how the methods stand by their mean test MCC."""
    table = score_table(benchmark, "mcc", benchmark.tasks)
    cells = _cells(table)
    return BenchmarkAnswer(_sentences(table, cells), _standings(cells))


def figure(benchmark: BenchmarkResults) -> Figure | None:
    """Returns the chart of all mean scores; None if there are only baselines."""
    table = score_table(benchmark, "mcc", benchmark.tasks)
    points = [
        (task, label(backbone) if backbone else NO_BACKBONE, method, cell.mean, cell.sd, cell.n)
        for (task, backbone, method), cell in table.cells.items()
        if cell.mean is not None
    ]
    if all(point[1] == NO_BACKBONE for point in points):
        return None
    names = ("task", "backbone", "method", "mean", "sd", "n")
    return Figure(
        name="scores",
        columns=dict(zip(names, map(list, zip(*points, strict=True)), strict=True)),
        heading="Test MCC by task",
        alt="mean test MCC of every method and backbone by task; grey ticks are baselines",
        caption="Dot: mean over seeds of a backbone with a method; hover for its name, sd and "
        "number of seeds. Grey: baselines without a backbone.",
        options={
            "tasks": table.tasks,
            "methods": sorted({p[2] for p in points if p[1] != NO_BACKBONE}),
        },
    )


def _cells(table: ScoreTable) -> dict[tuple[str, str], dict[str, CellScores]]:
    """Returns (task, backbone) -> method -> scores, where at least two methods have a mean."""
    cells: dict[tuple[str, str], dict[str, CellScores]] = {}
    for (task, backbone, method), cell in table.cells.items():
        if backbone and cell.ranked_mean is not None:
            cells.setdefault((task, backbone), {})[method] = cell
    return {key: own for key, own in cells.items() if len(own) > 1}


def _standings(cells: dict[tuple[str, str], dict[str, CellScores]]) -> list[Standing]:
    places: dict[str, list[tuple[float, float, float]]] = {}
    for own in cells.values():
        # A failed run counts as guessing, as in Table 3.
        means = {method: cell.ranked_mean or 0.0 for method, cell in own.items()}
        top = max(means.values())
        for method, mean in means.items():
            above = sum(other > mean for other in means.values())
            equal = sum(other == mean for other in means.values())
            places.setdefault(method, []).append((above + (equal + 1) / 2, mean, top - mean))
    standings = [
        Standing(
            method=method,
            cells=len(own),
            best=sum(gap == 0 for _, _, gap in own),
            rank=sum(rank for rank, _, _ in own) / len(own),
            mean=sum(mean for _, mean, _ in own) / len(own),
            behind=sum(gap for _, _, gap in own) / len(own),
        )
        for method, own in places.items()
    ]
    return sorted(standings, key=lambda one: (one.rank, one.method))


def _sentences(
    table: ScoreTable, cells: dict[tuple[str, str], dict[str, CellScores]]
) -> list[str]:
    standings = _standings(cells)
    if not standings:
        return ["No two methods have a score on the same task and backbone yet."]
    count = len(cells)
    first = standings[0]
    where = f"{count} cell{'s' * (count > 1)} (task by backbone) with two methods or more"
    sentences = [
        f"{first.method} has the best mean rank, {first.rank:.2f}, over {where}, and the best "
        f"mean test MCC in {first.best} of its {first.cells}."
    ]
    close = sum(_close(own) for own in cells.values())
    sentences.append(
        f"In {close} of them the best two differ by less than 1.96 standard errors over seeds and "
        "test sets, or have a single seed: these are not decided."
    )
    baselines = {
        task: max(scores)
        for task in table.tasks
        if (
            scores := [
                cell.mean
                for (of, backbone, _), cell in table.cells.items()
                if of == task and not backbone and cell.mean is not None
            ]
        )
    }
    if baselines:
        below = sum(
            max(cell.mean or 0.0 for cell in own.values()) <= baselines[task]
            for (task, _), own in cells.items()
            if task in baselines
        )
        found = f"In {below} of them no method" if below else "In each of them a method"
        sentences.append(f"{found} is better than the best baseline.")
    return sentences


def _close(own: dict[str, CellScores]) -> bool:
    best, second = sorted(own.values(), key=lambda cell: -(cell.ranked_mean or 0.0))[:2]
    errors = best.error_of_mean, second.error_of_mean
    if errors[0] is None or errors[1] is None:
        return True
    return (best.ranked_mean or 0.0) - (second.ranked_mean or 0.0) < 1.96 * math.hypot(
        errors[0], errors[1]
    )
