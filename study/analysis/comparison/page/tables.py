"""The rows of every csv in tables/."""

import csv
from collections import Counter
from dataclasses import asdict
from io import StringIO
from typing import Any

from study.analysis.comparison.analysis import Analysis, TaskAnalysis
from study.analysis.comparison.components.configurations import ConfigurationComponents
from study.analysis.comparison.scores.paired import Pair
from study.analysis.comparison.scores.summary import Summary

Record = dict[str, Any]
STEMS = (
    "configurations", "comparisons", "components", "stability", "ranks", "disagreement", "tasks",
    "task_pairs", "over_tasks",
)  # fmt: skip


def tables(task: TaskAnalysis, analysis: Analysis) -> dict[str, list[Record]]:
    """Returns the tables of one task by file stem; tables over tasks are the same for all."""
    records = {
        "configurations": [_configuration(s, task.metric) for s in task.summaries],
        "comparisons": [_comparison(pair, task) for pair in task.pairs],
        "components": [row for one in task.variance_components for row in _components(one)],
        "stability": [asdict(overlap) for overlap in task.overlaps],
        "ranks": [record for pattern in task.patterns for record in pattern.records()],
        "disagreement": [asdict(d) for d in task.disagreements],
        **_over_tasks(analysis),
    }
    return {stem: records[stem] for stem in STEMS if records.get(stem)}


def as_csv(records: list[Record]) -> str:
    """Returns records as csv; numbers with six significant digits, None as an empty cell."""
    text = StringIO()
    writer = csv.DictWriter(text, list(records[0]), lineterminator="\n")
    writer.writeheader()
    for record in records:
        writer.writerow({key: _rounded(value) for key, value in record.items()})
    return text.getvalue()


def _configuration(summary: Summary, metric: str) -> Record:
    low, high = summary.iqm_limits or (None, None)
    sets_low, sets_high = summary.over_test_sets or (None, None)
    worst = summary.worst_run
    return {
        "configuration": summary.label,
        "method": summary.method,
        "metric": metric,
        "n": summary.n,
        "failed": summary.failed,
        "collapsed": len(summary.collapsed),
        "pending": summary.pending,
        "mean": summary.mean.mean if summary.n else None,
        "mean_low": summary.mean.low,
        "mean_high": summary.mean.high,
        "over_test_sets_low": sets_low,
        "over_test_sets_high": sets_high,
        "sd": summary.sd,
        "iqm": summary.iqm,
        "iqm_low": low,
        "iqm_high": high,
        "worst": summary.worst,
        "worst_run": None if worst is None else worst.number,
        "cvar10": summary.cvar10,
        "cvar25": summary.cvar25,
    }


def decisions(analysis: Analysis) -> Record:
    """Returns what --json prints: the decision on every pair, its intervals, and the cost."""
    return {
        "decided": analysis.decided,
        "metric": analysis.metric,
        "tasks": [
            {
                "task": task.name,
                "folder": str(task.comparison.folder),
                "first": task.leader,
                "runs": dict(Counter(run.state for run in task.comparison.runs)),
                "seconds": sum(run.values.get("seconds", 0.0) for run in task.comparison.runs),
                "pairs": [_comparison(pair, task) for pair in task.pairs],
            }
            for task in analysis.tasks
        ],
    }


def _comparison(pair: Pair, task: TaskAnalysis) -> Record:
    known, own = bool(pair.differences), pair.over_seeds
    low, high = pair.deciding or (None, None)
    sets_low, sets_high = pair.over_test_sets or (None, None)
    better_low, better_high = pair.improvement_limits or (None, None)
    needed = task.further_pairs.get(pair.question.text)
    better, equal, worse = pair.probabilities or (None, None, None)
    return {
        "kind": pair.question.kind,
        "question": pair.question.text,
        "a": pair.question.a,
        "b": pair.question.b,
        "decision": pair.decision,
        "rope": pair.rope,
        "comparisons": pair.family,
        "pairs": len(pair.differences),
        "difference": own.mean if known else None,
        "low": low,
        "high": high,
        "over_seeds_low": own.low,
        "over_seeds_high": own.high,
        "over_test_sets_low": sets_low,
        "over_test_sets_high": sets_high,
        "tau": pair.tau,
        "p_single_look": own.p_value,
        "p_any_look": pair.anytime.p_value if pair.anytime and known else None,
        "e_value": pair.anytime.e_value if pair.anytime and known else None,
        "p_better": better,
        "p_equal": equal,
        "p_worse": worse,
        "unusable_a": pair.hurdle.a.k,
        "unusable_b": pair.hurdle.b.k,
        "p_unusable": pair.hurdle.p_value if pair.hurdle.any else None,
        "p_improvement": pair.improvement,
        "p_improvement_low": better_low,
        "p_improvement_high": better_high,
        "further_pairs": None if needed is None else needed.median,
        "further_pairs_low": None if needed is None else needed.low,
        "further_pairs_high": None if needed is None else needed.high,
    }


def _components(one: ConfigurationComponents) -> list[Record]:
    return [
        {
            "configuration": one.configuration,
            "scale": one.scale.name,
            "component": part.name,
            "variance": part.estimate,
            "variance_low": part.low,
            "variance_high": part.high,
            "sd": None if part.estimate is None else part.estimate**0.5,
            "share": part.share,
            "share_low": part.share_low,
            "share_high": part.share_high,
            "reason": part.reason,
        }
        for part in one.components.components
    ]


def _over_tasks(analysis: Analysis) -> dict[str, list[Record]]:
    ranking = analysis.ranking
    if ranking is None:
        return {}
    pooled = {one.label: one for one in analysis.pooled}
    rows = []
    for place, name in enumerate(ranking.configurations):
        one = pooled[name]
        rows.append(
            {
                "configuration": name,
                "mean_rank": float(ranking.mean_ranks[place]),
                "critical_difference": ranking.critical_difference,
                "iqm": one.iqm,
                "iqm_low": one.iqm_limits[0],
                "iqm_high": one.iqm_limits[1],
                "p_improvement_over_first": one.improvement,
                "p_improvement_low": one.improvement_limits[0],
                "p_improvement_high": one.improvement_limits[1],
                **dict(zip(ranking.tasks, map(float, ranking.means[:, place]), strict=True)),
            }
        )
    return {
        "tasks": rows,
        "task_pairs": [asdict(pair) for pair in ranking.pairs],
        "over_tasks": [
            {"a": one.a, "b": one.b, "task": task, **asdict(belief)}
            for one in analysis.over_tasks
            for task, belief in {"all tasks": one.overall, **one.tasks}.items()
        ],
    }


def _rounded(value: Any) -> Any:
    return float(f"{value:.6g}") if isinstance(value, float) else value
