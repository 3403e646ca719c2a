"""report.html of a finished or unfinished benchmark: one self-contained page."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from study.analysis import html
from study.analysis.benchmark.answer import answer, figure, profiles
from study.analysis.benchmark.method_pairs import MethodPair
from study.analysis.benchmark.next_runs import NextRuns
from study.analysis.benchmark.reading import (
    STATES,
    BenchmarkResult,
    BenchmarkResults,
    Metric,
    ResultState,
    label,
)
from study.analysis.benchmark.scores import score_table
from study.analysis.benchmark.sections import ResultSection
from study.storage.result.sampling import half_width

STATE_NAMES: dict[ResultState, str] = {
    "complete": "complete",
    "failed": "failed",
    "running": "unfinished",
    "planned": "planned",
    "unavailable": "unavailable",
}
EXAMPLES = 3
HERE = Path(__file__).parent
SCRIPTS = (*html.CHARTS, HERE / "benchmark.js")


@dataclass(frozen=True)
class Reason:
    """Runs without a result for the same reason: their number and the first few by name."""

    state: str
    reason: str
    number: int
    runs: list[str]


@dataclass(frozen=True)
class TestSplit:
    """The number of test rows of a task, its best mean scores, and their 95 % half-widths."""

    task: str
    rows: int
    scores: list[tuple[float | None, float | None]]
    """(score, half-width) for MCC, then for AUC."""


def render(
    benchmark: BenchmarkResults,
    sections: Sequence[ResultSection],
    pairs: Sequence[MethodPair],
    further: NextRuns | None,
) -> str:
    """Returns the page as HTML; all text from the benchmark is escaped."""
    states = Counter(result.state for result in benchmark.results)
    charts = [one for one in (figure(benchmark), profiles(benchmark)) if one is not None]
    content = {
        "name": benchmark.folder.absolute().name,
        "folder": benchmark.folder,
        "status": _status(benchmark),
        "counts": [(state, STATE_NAMES[state], states[state]) for state in STATES],
        "collapsed": [_named(result) for result in benchmark.results if result.collapsed],
        "reasons": _reasons(benchmark.results),
        "splits": _splits(benchmark),
        "sections": _without_duplicates(sections),
        "answer": answer(benchmark, pairs, further),
        "further": further,
        "figures": {chart.name: chart for chart in charts},
    }
    data = {"figures": {chart.name: chart.as_json() for chart in charts}}
    return html.page(HERE / "benchmark.html.jinja", content, SCRIPTS, data)


def _status(benchmark: BenchmarkResults) -> str:
    pending = sum(result.state in ("running", "planned") for result in benchmark.results)
    if not pending:
        return ""
    return (
        f"The benchmark is not finished: {pending} of {len(benchmark.results)} runs have not "
        "ended. This page shows the results so far."
    )


def _reasons(results: Sequence[BenchmarkResult]) -> list[Reason]:
    """Returns the failed and unavailable runs by state and reason, the most frequent first."""
    grouped: dict[tuple[str, str], list[BenchmarkResult]] = {}
    for result in results:
        if result.state in ("failed", "unavailable"):
            reason = result.reason or "no reason was recorded"
            grouped.setdefault((STATE_NAMES[result.state], reason), []).append(result)
    reasons = [
        Reason(state, reason, len(group), [_named(result) for result in group[:EXAMPLES]])
        for (state, reason), group in grouped.items()
    ]
    return sorted(reasons, key=lambda reason: (reason.state, -reason.number))


def _splits(benchmark: BenchmarkResults) -> list[TestSplit]:
    tasks = [task for task in benchmark.tasks if benchmark.test_rows(task)]
    metrics: tuple[Metric, ...] = ("mcc", "auc")
    means = {metric: score_table(benchmark, metric, tasks).means() for metric in metrics}
    splits = []
    for task in tasks:
        rows, scores = benchmark.test_rows(task) or 0, []
        for metric in metrics:
            best = max((m for key, m in means[metric].items() if key[0] == task), default=None)
            classes = benchmark.classes(task)
            error = None if best is None else half_width(metric, best, rows, classes)
            scores.append((best, error))
        splits.append(TestSplit(task, rows, scores))
    return splits


def _without_duplicates(sections: Sequence[ResultSection]) -> list[ResultSection]:
    """Leaves out a section with the same csv rows as one before it."""
    return [
        section
        for place, section in enumerate(sections)
        if all(section.records != before.records for before in sections[:place])
    ]


def _named(result: BenchmarkResult) -> str:
    seed = f"seed {result.seed}" if result.seed else ""
    return ", ".join(filter(None, (result.task, label(result.backbone), result.method, seed)))
