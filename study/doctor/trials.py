"""Checks of what an interruption has left: unfinished trials, a winner to be chosen."""

from collections.abc import Iterator
from functools import partial

from study.doctor.finding import Finding, some
from study.doctor.subject import Subject
from study.spec.space import planned_trials
from study.storage.auditing import awaiting
from study.storage.record import STATE_AFTER, StudyRecord, TrialRecord
from study.storage.stalls import stall_text

finding = partial(Finding, "trials", unfinished=True)


def check(subject: Subject) -> Iterator[Finding]:
    """Finds trials that no driver continues, and a study whose winner must be chosen.

    That the events of each trial follow each other is checked when the journal is read.
    """
    record = subject.require_record()
    if subject.running:
        yield from _stalled(subject, record)
        return
    if subject.kind == "study":
        for trial in record.in_state("running"):
            yield from _undecided(trial, subject)
    yield from _unfinished(subject, record)
    if subject.kind == "study" and subject.spec is not None:
        yield from _winner(subject)


def _stalled(subject: Subject, record: StudyRecord) -> Iterator[Finding]:
    """Finds running trials, also of a race, whose workers give no sign of life."""
    race = subject.race()
    for one in (record, *([] if race is None else [race[1]])):
        for trial in one.in_state("running"):
            if trial.stalled is not None:
                yield Finding(
                    "trials",
                    stall_text(trial.stalled),
                    "nothing needs to be done, or: end the process, whose id is in "
                    f"heartbeats/trial-{trial.number:05d}.json, or set resources.stall_minutes",
                )


def _undecided(trial: TrialRecord, subject: Subject) -> Iterator[Finding]:
    """Finds a last report without a decision, and a last decision without the end."""
    last = trial.decisions[-1].decision if trial.decisions else None
    if len(trial.decisions) < len(trial.reports):
        yield finding(
            f"trial {trial.number}: its last report has no decision",
            f"resuming makes the decision: {subject.resume}",
        )
    elif last in STATE_AFTER:
        yield finding(
            f"trial {trial.number}: the last decision was {last}, but the trial has not ended",
            f"resuming ends it: {subject.resume}",
        )


def _unfinished(subject: Subject, record: StudyRecord) -> Iterator[Finding]:
    """Finds trials that are missing or unfinished."""
    running = [trial.number for trial in record.in_state("running")]
    planned = len(record.trials) if subject.spec is None else planned_trials(subject.spec)
    if running or len(record.trials) < planned:
        left = f", {some(running)} unfinished" if running else ""
        yield finding(
            f"no driver is running, but {len(record.trials)} of {planned} trials were "
            f"created{left}",
            subject.resume,
        )


def _winner(subject: Subject) -> Iterator[Finding]:
    """Finds a study that is over and has no winner yet, or one among fewer finalists."""
    ledger = subject.ledger()
    if not ledger.complete or not ledger.finalists():
        return
    waiting = [trial.number for trial in awaiting(ledger.record, ledger.spec)]
    if ledger.winner_is_current and waiting:
        yield finding(
            f"{some(waiting)}: stopped early, and not yet trained to the end for the audit",
            f"resuming trains them: {subject.resume}",
        )
    if ledger.winner_is_current:
        return
    yield finding(
        "all trials have ended, but the winner was not chosen from "
        f"{some([trial.number for trial in ledger.finalists()])}",
        f"resuming chooses the winner and evaluates it on the test split: {subject.resume}",
    )
