"""report.html of a benchmark: one self-contained page, finished or not."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from study.analysis import html
from study.analysis.benchmark.cells import half_width, table
from study.analysis.benchmark.reading import STATES, Benchmark, Metric, Run, State, label
from study.analysis.benchmark.sections import Section

WORDS: dict[State, str] = {
    "complete": "complete",
    "failed": "failed",
    "running": "unfinished",
    "planned": "planned",
    "unavailable": "unavailable",
}
EXAMPLES = 3


@dataclass(frozen=True)
class Reason:
    """Why runs have no result: the state, the reason, how many, and the first few."""

    state: str
    reason: str
    number: int
    runs: list[str]


@dataclass(frozen=True)
class TestSplit:
    """A task's test rows, its best mean scores, and their 95 % half-widths."""

    task: str
    rows: int
    scores: list[tuple[float | None, float | None]]
    """MCC, then AUC: score and half-width."""


def render(benchmark: Benchmark, sections: Sequence[Section]) -> str:
    """Returns the page as text. Everything from the benchmark is escaped."""
    states = Counter(run.state for run in benchmark.runs)
    content = {
        "name": benchmark.folder.absolute().name,
        "folder": benchmark.folder,
        "status": _status(benchmark),
        "counts": [(state, WORDS[state], states[state]) for state in STATES],
        "collapsed": [_named(run) for run in benchmark.runs if run.collapsed],
        "reasons": _reasons(benchmark.runs),
        "splits": _splits(benchmark),
        "sections": _each_once(sections),
    }
    return html.page(Path(__file__).parent / "benchmark.html.jinja", content)


def _status(benchmark: Benchmark) -> str:
    pending = sum(run.state in ("running", "planned") for run in benchmark.runs)
    if not pending:
        return ""
    return (
        f"The benchmark is not finished: {pending} of {len(benchmark.runs)} runs are still to "
        "end. What follows is what there is so far."
    )


def _reasons(runs: Sequence[Run]) -> list[Reason]:
    """The runs that failed or cannot be had, by their reason, the most frequent first."""
    found: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        if run.state in ("failed", "unavailable"):
            reason = run.reason or "no reason was recorded"
            found.setdefault((WORDS[run.state], reason), []).append(run)
    reasons = [
        Reason(state, reason, len(those), [_named(run) for run in those[:EXAMPLES]])
        for (state, reason), those in found.items()
    ]
    return sorted(reasons, key=lambda reason: (reason.state, -reason.number))


def _splits(benchmark: Benchmark) -> list[TestSplit]:
    tasks = [task for task in benchmark.tasks if benchmark.test_rows(task)]
    metrics: tuple[Metric, ...] = ("mcc", "auc")
    means = {metric: table(benchmark, metric, tasks).means() for metric in metrics}
    found = []
    for task in tasks:
        rows, scores = benchmark.test_rows(task) or 0, []
        for metric in metrics:
            best = max((m for key, m in means[metric].items() if key[0] == task), default=None)
            scores.append((best, None if best is None else half_width(metric, best, rows)))
        found.append(TestSplit(task, rows, scores))
    return found


def _each_once(sections: Sequence[Section]) -> list[Section]:
    """Leaves out a table that has the same rows as one before it."""
    return [
        section
        for place, section in enumerate(sections)
        if all(section.records != before.records for before in sections[:place])
    ]


def _named(run: Run) -> str:
    seed = f"seed {run.seed}" if run.seed else ""
    return ", ".join(filter(None, (run.task, label(run.backbone), run.method, seed)))
