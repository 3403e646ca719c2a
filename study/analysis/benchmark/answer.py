"""The answer of a benchmark: which method is best in how many cells, by how much, how surely."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from study.analysis.benchmark.method_pairs import ROPE, MethodPair
from study.analysis.benchmark.next_runs import NextRuns
from study.analysis.benchmark.ranks import MeanRank, mean_ranks
from study.analysis.benchmark.reading import BenchmarkResults, group_of, label
from study.analysis.benchmark.scores import CellScores, ScoreTable, score_table
from study.analysis.figure import Figure
from study.rates import Rate

NO_BACKBONE = "no backbone"
"""What the chart says of baselines."""
NEARLY_ALL = 0.8
"""Share of runs without a usable score from which the page says so first."""


@dataclass(frozen=True)
class Standing:
    """One method over the cells, task by backbone, in which it can be compared."""

    method: str
    cells: int
    best: int
    """In how many of them it has the best mean."""
    rank: MeanRank
    """1 is the best."""
    mean: float
    behind: float
    """By how much its mean is below the best one, on average."""
    failed: Rate
    """Of all its runs that ended, in all cells."""
    collapsed: Rate


@dataclass(frozen=True)
class BenchmarkAnswer:
    """What stands at the top of the page."""

    sentences: list[str]
    standings: list[Standing]
    """The best mean rank first."""


def answer(
    benchmark: BenchmarkResults, pairs: Sequence[MethodPair], further: NextRuns | None
) -> BenchmarkAnswer:
    """Returns how the methods stand by their mean test MCC.

    Args:
        benchmark: the runs.
        pairs: its methods in pairs.
        further: what more seeds would decide.
    """
    table = score_table(benchmark, "mcc", benchmark.tasks)
    cells = _cells(table)
    standings = _standings(cells)
    sentences = _sentences(table, cells, standings)
    if standings:
        sentences += [*_over_tasks(standings, pairs), *_unusable(pairs), *_further(further)]
    return BenchmarkAnswer([*_nearly_all(standings), *sentences], standings)


def profiles(benchmark: BenchmarkResults) -> Figure | None:
    """Returns the performance profiles: in how many cells a method is how close to the best.

    Cells that have a mean of every method, as in Dolan and More 2002; None without two methods.
    """
    cells = _cells(score_table(benchmark, "mcc", benchmark.tasks))
    methods = list(dict.fromkeys(method for own in cells.values() for method in own))
    whole = [
        {method: cell.ranked_mean or 0.0 for method, cell in own.items()}
        for own in cells.values()
        if len(own) == len(methods)
    ]
    if not whole:
        return None
    rows: list[tuple[str, float, float]] = []
    for method in methods:
        gaps = sorted(max(own.values()) - own[method] for own in whole)
        rows.append((method, 0.0, 0.0))
        rows += [(method, gap, place / len(gaps)) for place, gap in enumerate(gaps, 1)]
    names = ("method", "behind", "share")
    return Figure(
        name="profiles",
        columns=dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)),
        heading="Performance profiles",
        alt="share of cells in which a method's mean test MCC is at most so far below the best",
        caption=f"Share of {len(whole)} cells in which the mean test MCC of a method is at most "
        "so far below that of the best one. Higher is better; at 0: how often it is the best. Of "
        "the means measured, without an interval.",
        options={"methods": methods, "widest": max(gap for _, gap, _ in rows)},
    )


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
    # A failed run counts as guessing, as in Table 3.
    means = {
        key: {method: cell.ranked_mean or 0.0 for method, cell in own.items()}
        for key, own in cells.items()
    }
    ranks = mean_ranks([(group_of(task), own) for (task, _), own in means.items()])
    standings = []
    for method, rank in ranks.items():
        own = [one[method] for one in cells.values() if method in one]
        gaps = [max(one.values()) - one[method] for one in means.values() if method in one]
        ended = sum(cell.n + cell.failed for cell in own)
        standings.append(
            Standing(
                method=method,
                cells=len(own),
                best=sum(gap == 0 for gap in gaps),
                rank=rank,
                mean=sum(cell.ranked_mean or 0.0 for cell in own) / len(own),
                behind=sum(gaps) / len(gaps),
                failed=Rate(sum(cell.failed for cell in own), ended),
                collapsed=Rate(sum(cell.collapsed for cell in own), ended),
            )
        )
    return sorted(standings, key=lambda one: (one.rank.rank, one.method))


def _sentences(
    table: ScoreTable,
    cells: dict[tuple[str, str], dict[str, CellScores]],
    standings: Sequence[Standing],
) -> list[str]:
    if not standings:
        return ["No two methods have a score on the same task and backbone yet."]
    count = len(cells)
    first = standings[0]
    where = f"{count} cell{'s' * (count > 1)} (task by backbone) with two methods or more"
    sentences = [
        f"{first.method} has the best mean rank, {first.rank.rank:.2f} (95 % interval "
        f"{first.rank.low:.2f} to {first.rank.high:.2f}), over {where}, and the best mean test "
        f"MCC in {first.best} of its {first.cells}."
    ]
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


def _nearly_all(standings: Sequence[Standing]) -> list[str]:
    """Returns the sentence that comes first if most runs have no usable score."""
    ended = sum(one.failed.n for one in standings)
    lost = sum(one.failed.k + one.collapsed.k for one in standings)
    if not ended or lost < NEARLY_ALL * ended:
        return []
    return [f"{lost} of {ended} runs failed or collapsed: scores and ranks say little here."]


def _over_tasks(standings: Sequence[Standing], pairs: Sequence[MethodPair]) -> list[str]:
    """Returns what is believed of the two methods with the best mean ranks."""
    best = [one.method for one in standings[:2]]
    for pair in pairs:
        if {pair.a, pair.b} == set(best) and pair.over_tasks is not None:
            own, groups = pair.over_tasks.overall, pair.over_tasks.groups
            many = f"tasks like these {groups}" if groups > 1 else "its cells"
            if pair.a != best[0]:
                own = replace(
                    own, mean=-own.mean, low=-own.high, high=-own.low, better=own.worse,
                    worse=own.better,
                )  # fmt: skip
            return [
                f"{best[0]} - {best[1]}, the two best, over {many}: {own.mean:+.4f} "
                f"({own.low:+.4f} to {own.high:+.4f}); probability {own.better:.2f} "
                f"better by more than {ROPE:g}, "
                f"{own.equal:.2f} equal, {own.worse:.2f} worse (hierarchical model, without a "
                "correction for looks and several pairs)."
            ]
    return []


def _unusable(pairs: Sequence[MethodPair]) -> list[str]:
    """Returns which methods fail or collapse more often than others."""
    sentences = []
    for pair in pairs:
        if (side := pair.hurdle.worse) is not None:
            more, less = (pair.a, pair.b) if side == "a" else (pair.b, pair.a)
            rates = (pair.hurdle.a, pair.hurdle.b)[:: 1 if side == "a" else -1]
            sentences.append(
                f"{more} fails or collapses more often than {less}: {rates[0].k} of {rates[0].n} "
                f"runs against {rates[1].k} of {rates[1].n} on equal seeds."
            )
    return sentences


def _further(further: NextRuns | None) -> list[str]:
    """Returns how many seeds a verdict needs, and where it is nearest."""
    if further is None:
        return []
    many = f"the {further.family} pairs of methods in all cells" if further.family > 1 else "it"
    sentences = [
        f"A verdict on single cells that holds for {many} together needs {further.fewest} seeds "
        f"or more, whatever the difference; the most that a cell has is {further.seeds}."
    ]
    if further.seeds >= further.fewest:
        sentences.append("study.seeds --analyse with this folder gives the verdicts.")
    return sentences
