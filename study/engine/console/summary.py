"""What the terminal prints at the end of a study."""

import shlex
from collections.abc import Mapping, Sequence

from rich.console import Console

from study.engine.console.lines import format_value, print_lines
from study.engine.tracking.database import sqlite_uri
from study.storage.commands import compare_seeds, predict, reproduce, shown
from study.storage.events import MetricValues, WinnerEvaluated
from study.storage.ledger import StudyLedger
from study.storage.race import reported
from study.storage.record import StudyRecord
from study.storage.result.words import STATE_WORDS


def print_summary(console: Console, ledger: StudyLedger, tracking_uri: str | None) -> None:
    """Prints the winner with its scores, the failures, the path and the next commands."""
    record, folder = ledger.record, ledger.folder
    winner = record.winner
    assert winner is not None
    trial = record.trials[winner.trial]
    settings = "  ".join(f"{k}={format_value(v)}" for k, v in trial.settings.items())
    lines = [
        "",
        f"winner     trial {trial.number}: {settings}",
        *_score_lines(ledger, winner),
        f"parameters {int(trial.metrics['trainable_parameters']):,} trainable: "
        f"{int(trial.metrics['adapter_parameters']):,} adapter "
        f"({int(trial.metrics['kept_parameters']):,} kept), "
        f"{int(trial.metrics['head_parameters']):,} head",
        _budget_line(record, trial.number),
        f"trials     {_counts(record)}",
        f"earlier    started with {record.began_with}" if record.began_with else None,
        _constraints_line(ledger),
        _front_line(ledger),
        *_failure_lines(ledger),
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


def _score_lines(ledger: StudyLedger, winner: WinnerEvaluated) -> list[str]:
    """Returns the lines on the winner's scores: of fresh seeds after a race, of its weights."""
    race = winner.race
    if not race:
        return [
            f"dev        {_scores(winner.dev)}   (it was chosen by this score: optimistic)",
            f"test       {_scores(winner.test)}   (evaluated once, for the winner)",
        ]
    objective, metric = ledger.metric, ledger.spec.search.metric
    splits = {"dev": race.dev, "test": race.test}
    lines = [f"{split:<10} {_reported(values, metric)}" for split, values in splits.items()]
    failed = f", {race.failed} of them failed" if race.failed else ""
    lines.append(f"           ({len(race.seeds)} fresh seeds{failed}; mean and 95 % interval)")
    single = next(one.search for one in race.candidates if one.trial == winner.trial)
    fresh = reported(objective, race.dev.get(objective, ()))
    if fresh is not None:
        lines.append(
            f"race       of {len(race.candidates)} candidates; its score in the search, "
            f"{single:.4f}, was off by {single - fresh.mean:+.4f}"
        )
    test = _scores(winner.test)
    return [*lines, f"best/      the weights of trial {winner.trial} itself: test {test}"]


def _reported(values: Mapping[str, Sequence[float | None]], metric: str) -> str:
    estimates = {name: reported(name, scores) for name, scores in values.items()}
    return "  ".join(
        f"{name} {one.mean:.4f}" + f" ({one.low:.4f} to {one.high:.4f})" * name.endswith(metric)
        for name, one in estimates.items()
        if one is not None
    )


def _scores(scores: MetricValues) -> str:
    return "  ".join(f"{name} {value:.4f}" for name, value in scores.items() if value is not None)
