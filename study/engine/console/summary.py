"""What the terminal prints at the end of a study."""

import shlex
from collections.abc import Mapping
from typing import Any

from rich.console import Console

from study.engine.console.lines import format_value, print_lines, titled
from study.engine.tracking.database import sqlite_uri
from study.storage.commands import compare_seeds, predict, reproduce, shown
from study.storage.ledger import StudyLedger
from study.storage.record import StudyRecord
from study.storage.result import Estimate, Headline, StudyResult, study_result
from study.storage.result.collapse import lost_text
from study.storage.result.fields import Level
from study.storage.result.stopping_words import stopping_lines
from study.storage.result.words import STATE_WORDS

SHOWN = ("mcc", "auc", "f1", "accuracy", "loss")
"""The metrics that are printed beside the objective; the report has all."""
BASELINE_NAMES = {
    "majority": "the most frequent class",
    "gc": "GC content",
    "kmer": "5-mers",
    "cnn": "a CNN",
}


def print_summary(console: Console, ledger: StudyLedger, tracking_uri: str | None) -> None:
    """Prints what is wrong, the winner with its scores, the path and the next commands."""
    record, folder = ledger.record, ledger.folder
    result = study_result(record, ledger.spec, name=folder.path.name)
    headline = result.headline
    assert headline is not None
    trial = record.trials[headline.trial]
    settings = "  ".join(f"{k}={format_value(v)}" for k, v in headline.settings.items())
    lines = [
        "",
        *_lights(result, "bad"),
        f"winner     trial {trial.number}: {settings}",
        *_score_lines(result, headline),
        _as_good_line(result),
        *_baseline_lines(result),
        _parameters_line(trial.metrics),
        _budget_line(record, trial.number),
        f"trials     {_counts(record)}",
        *titled("stopping", stopping_lines(result, ledger.spec.scheduler.audit)),
        f"earlier    started with {record.began_with}" if record.began_with else None,
        _constraints_line(ledger),
        _front_line(ledger),
        *_failure_lines(ledger),
        *_lights(result, "warn"),
        f"folder     {folder.path}",
        "",
        "next:",
        f"  open {shlex.quote(shown(folder.report))}",
        f"  {reproduce(folder.path)}",
        f"  {compare_seeds(folder.path)}",
        f"  {predict(folder.path)}",
        _tracking_line(tracking_uri or sqlite_uri(folder.mlflow)),
    ]
    print_lines(console, [line for line in lines if line is not None])


def print_failures(console: Console, ledger: StudyLedger, gave_up: str) -> None:
    """Prints why a study has no winner."""
    reason = gave_up or ledger.record.why_no_winner(ledger.goals)
    lines = [f"the study could not finish: {reason}", *_failure_lines(ledger)]
    lines.append(f"folder     {ledger.folder.path}")
    print_lines(console, lines)


def _constraints_line(ledger: StudyLedger) -> str | None:
    constraints = ledger.goals.constraints
    if not constraints:
        return None
    complete = ledger.record.in_state("complete")
    kept = len(ledger.record.eligible(constraints))
    bounds = ", ".join(map(str, constraints))
    return f"bounds     {bounds}: satisfied by {kept} of {len(complete)} complete trials"


def _front_line(ledger: StudyLedger) -> str | None:
    goals, front = ledger.goals, ledger.record.front(ledger.goals)
    if len(goals.objectives) == 1:
        return None
    numbers = ", ".join(str(trial.number) for trial in front)
    objectives = ", ".join(map(str, goals.objectives))
    return f"front      {objectives}: trials {numbers} (pareto.csv)"


def _budget_line(record: StudyRecord, number: int) -> str | None:
    metrics = record.trials[number].metrics
    if "kept" not in metrics:
        return None
    return (
        f"triplets   {int(metrics['kept'])} kept of a budget of {int(metrics['budget'])} "
        f"({int(metrics['reintroduced'])} re-introduced, {int(metrics['dropped'])} dropped by "
        "the random mask at the last event)"
    )


def _tracking_line(uri: str) -> str:
    command = "open" if uri.startswith("http") else "mlflow ui --backend-store-uri"
    return f"  {command} {shlex.quote(uri)}"


def _counts(record: StudyRecord) -> str:
    words = [(state, word) for state, word in STATE_WORDS.items() if state != "running"]
    return ", ".join(f"{len(record.in_state(state))} {word}" for state, word in words)


def _failure_lines(ledger: StudyLedger) -> list[str]:
    lines = []
    for trial in ledger.record.in_state("failed"):
        file = ledger.folder.failure(trial.number)
        where = f"; traceback in {file}" if file.exists() else ""
        lines.append(f"failed     trial {trial.number}: {trial.reason}{where}")
    return lines


def _lights(result: StudyResult, level: Level) -> list[str]:
    """Returns a line for each light of a level."""
    title = {"bad": "WARNING", "warn": "note"}.get(level, level)
    return titled(title, [light.text for light in result.health if light.level == level])


def _score_lines(result: StudyResult, headline: Headline) -> list[str]:
    """Returns the lines on the winner's scores: the confirmed ones after a race."""
    dev, test = _scores(headline.dev, result.metric), _scores(headline.test, result.test_metric)
    if not headline.confirmed:
        return [
            f"dev        {dev}   (it was chosen by this score: optimistic)",
            f"test       {test}   (evaluated once, for the winner)",
        ]
    score, own = headline.dev[result.metric], headline.weights.get(result.test_metric)
    lost = f"; {lost_text(score)}"
    lines = [
        f"dev        {dev}",
        f"test       {test}",
        f"           ({len(headline.seeds)} fresh seeds{lost}; mean and 95 % interval over seeds"
        f" on these rows{_over_splits(headline.score(result.test_metric))})",
    ]
    if result.race is not None and headline.search is not None:
        lines.append(
            f"race       of {len(result.race.candidates)} candidates; its score in the search, "
            f"{headline.search:.4f}, was off by {headline.search - score.mean:+.4f}"
        )
    if own is not None:
        lines.append(
            f"best/      the weights of the run in the search: {result.test_metric} {own:.4f}"
        )
    return lines


def _over_splits(score: Estimate | None) -> str:
    """Returns the interval that also counts the rows of test, as text."""
    if score is None or score.over_splits is None:
        return ""
    low, high = score.over_splits
    return f"; over seeds and test sets {low:.4f} to {high:.4f}"


def _scores(scores: Mapping[str, Estimate], objective: str) -> str:
    """Returns the scores of a split by `SHOWN` and by the objective, which has its interval."""
    names = {f"{split}_{metric}" for split in ("dev", "test") for metric in SHOWN} | {objective}
    return "  ".join(
        f"{name} {one.mean:.4f}{_interval(one, objective)}"
        for name, one in scores.items()
        if name in names
    )


def _interval(score: Estimate, objective: str) -> str:
    if score.metric != objective or score.low is None or score.high is None:
        return ""
    return f" ({score.low:.4f} to {score.high:.4f})"


def _as_good_line(result: StudyResult) -> str | None:
    if not result.as_good:
        return None
    numbers = ", ".join(map(str, result.as_good))
    return f"as good    trials {numbers} cannot be told from the winner"


def _baseline_lines(result: StudyResult) -> list[str]:
    """Returns a line on the classifiers without a backbone."""
    known = [
        f"{BASELINE_NAMES.get(name, name)} {scores[result.test_metric]:.4f}"
        for name, scores in result.baselines.items()
        if result.test_metric in scores
    ]
    return [f"baselines  {result.test_metric} of {', of '.join(known)}"] if known else []


def _parameters_line(metrics: Mapping[str, Any]) -> str | None:
    """Returns the trained parameters by part; the backbone's under full fine-tuning."""
    names = ("trainable", "adapter", "kept", "head")
    counts = [metrics.get(f"{name}_parameters") for name in names]
    if None in counts:
        return None
    trainable, adapter, kept, head = (int(count) for count in counts if count is not None)
    backbone = trainable - adapter - head
    parts = [f"{adapter:,} adapter ({kept:,} kept)"] if adapter else []
    parts += [f"{backbone:,} backbone"] if backbone else []
    return f"parameters {trainable:,} trainable: {', '.join([*parts, f'{head:,} head'])}"
