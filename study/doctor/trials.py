"""Checks of the events of each trial, and of the choice of the winner."""

from collections.abc import Iterator
from functools import partial

from study.doctor.finding import Finding, some
from study.doctor.subject import ReadLedger, Subject
from study.spec.space import planned_trials
from study.storage.events import (
    Decision,
    Event,
    Report,
    TrialCrashed,
    TrialEnded,
    WinnerEvaluated,
)
from study.storage.journal import FROM_A_COPY
from study.storage.race import finalists_of, ranked
from study.storage.record import STATE_AFTER, StudyRecord, TrialRecord
from study.training.steps import report_step

finding = partial(Finding, "trials")
EDITED = f"lines were lost, doubled or edited: restore events.jsonl {FROM_A_COPY}"


def check(subject: Subject) -> Iterator[Finding]:
    """Finds trials with inconsistent events, and a winner that was not a finalist."""
    record = subject.require_record()
    for trial in record.trials.values():
        about = [e for e in subject.events if getattr(e, "trial", None) == trial.number]
        yield from _reports(trial)
        yield from _end(trial, about)
        if subject.kind == "study":
            yield from _decisions(trial, about, subject)
    yield from _unfinished(subject, record)
    if subject.kind == "study" and subject.spec is not None:
        yield from _winner(subject)


def _reports(trial: TrialRecord) -> Iterator[Finding]:
    """Checks that reports are numbered 1, 2, 3 and so on, at the planned steps."""
    for place, report in enumerate(trial.reports, start=1):
        if report.report != place:
            yield finding(
                f"trial {trial.number}: reports must come as 1, 2, 3 and so on, but report "
                f"{report.report} is number {place}",
                EDITED,
            )
            return
    planned = trial.reports_planned
    if len(trial.reports) > planned:
        yield finding(
            f"trial {trial.number}: has {len(trial.reports)} reports of {planned} planned", EDITED
        )
        return
    for report in trial.reports:
        step = report_step(report.report, planned, trial.total_steps)
        if report.step != step and not _diverged_before(trial, report, step):
            yield finding(
                f"trial {trial.number}: report {report.report} of {planned} must come at step "
                f"{step} of {trial.total_steps}, but came at step {report.step}",
                EDITED,
            )
            return


def _diverged_before(trial: TrialRecord, report: Report, step: int) -> bool:
    """Whether a trial's last report was early because the loss was not finite."""
    last = report is trial.reports[-1] and report.metrics.get("train_loss") is None
    earlier = trial.reports[-2].step if len(trial.reports) > 1 else 0
    return last and earlier < report.step < step


def _end(trial: TrialRecord, about: list[Event]) -> Iterator[Finding]:
    """Checks that a trial ends once, and has no later events."""
    ends = [place for place, event in enumerate(about) if isinstance(event, TrialEnded)]
    if len(ends) > 1:
        yield finding(f"trial {trial.number}: ended {len(ends)} times", EDITED)
    elif ends:
        late = [e for e in about[ends[0] :] if isinstance(e, Report | Decision | TrialCrashed)]
        if late:
            yield finding(
                f"trial {trial.number}: continues after its end, with `{late[0].event}`", EDITED
            )


def _decisions(trial: TrialRecord, about: list[Event], subject: Subject) -> Iterator[Finding]:
    """Checks that each report has one decision, and that the last one agrees with the end."""
    decided = [decision.report for decision in trial.decisions]
    reports = [report.report for report in trial.reports]
    if decided != reports[: len(decided)]:
        yield finding(
            f"trial {trial.number}: every report must have its decision, but reports {reports} "
            f"have decisions about {decided}",
            EDITED,
        )
        return
    last = trial.decisions[-1].decision if trial.decisions else None
    open_ = reports[len(decided) :]
    if len(open_) > 1 or (open_ and (trial.state != "running" or last in STATE_AFTER)):
        yield finding(f"trial {trial.number}: reports {open_} have no decision", EDITED)
    elif open_ and not subject.running:
        yield finding(
            f"trial {trial.number}: its last report has no decision",
            f"resuming makes the decision: {subject.resume}",
            unfinished=True,
        )
    if trial.state == "running" and last in STATE_AFTER and not subject.running:
        yield finding(
            f"trial {trial.number}: the last decision was {last}, but the trial has not ended",
            f"resuming ends it: {subject.resume}",
            unfinished=True,
        )
    elif trial.state != "running" and trial.state != STATE_AFTER.get(last or "", "failed"):
        yield finding(
            f"trial {trial.number}: ended as {trial.state}, but the last decision was {last}",
            EDITED,
        )


def _unfinished(subject: Subject, record: StudyRecord) -> Iterator[Finding]:
    """Finds trials that are missing or unfinished while no driver runs."""
    if subject.running:
        return
    running = [trial.number for trial in record.in_state("running")]
    planned = len(record.trials) if subject.spec is None else planned_trials(subject.spec)
    if running or len(record.trials) < planned:
        left = f", {some(running)} unfinished" if running else ""
        yield finding(
            f"no driver is running, but {len(record.trials)} of {planned} trials were "
            f"created{left}",
            subject.resume,
            unfinished=True,
        )


def _winner(subject: Subject) -> Iterator[Finding]:
    """Checks that the winner was chosen among the finalists at that time."""
    assert subject.spec is not None
    ledger = ReadLedger(subject.folder, subject.spec, StudyRecord(subject.spec.objective))
    for event in subject.events:
        ledger.record.apply(event)
        if isinstance(event, WinnerEvaluated):
            raced = finalists_of(event)
            first = [t.number for t in ranked(ledger.record, subject.spec.goals)[: len(raced)]]
            if event.trial not in raced or set(raced) != set(first):
                best = f"{some(first)} came first" if first else "none was complete"
                yield finding(f"trial {event.trial} was made the winner when {best}", EDITED)
    if (
        subject.running
        or not ledger.complete
        or not ledger.finalists()
        or ledger.winner_is_current
    ):
        return
    yield finding(
        "all trials have ended, but the winner was not chosen from "
        f"{some([trial.number for trial in ledger.finalists()])}",
        f"resuming chooses the winner and evaluates it on the test split: {subject.resume}",
        unfinished=True,
    )
