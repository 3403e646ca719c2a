"""Checks of the checkpoints: needed ones must be there and sound, and no others."""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from study.doctor.finding import Finding, some
from study.doctor.subject import Subject
from study.storage.record import StudyRecord, TrialRecord

finding = partial(Finding, "checkpoints")


def check(subject: Subject) -> Iterator[Finding]:
    """Finds checkpoints that are damaged, of another study, missing, or not needed."""
    record = subject.require_record()
    for trial in record.in_state("running"):
        yield from _of_unfinished(subject, trial)
    if not subject.running:
        yield from _left_over(subject, record)
        yield from _of_winner_to_be(subject)


def _of_unfinished(subject: Subject, trial: TrialRecord) -> Iterator[Finding]:
    # Imported here: torch takes seconds.
    from study.engine.checkpoints import PARTS, DamagedError, previous, read

    newest = subject.folder.checkpoint(trial.number)
    damaged = False
    for file in (newest, previous(newest)):
        try:
            saved = read(file, PARTS)
        except FileNotFoundError:  # Also one that was replaced meanwhile.
            continue
        except DamagedError as error:
            damaged = True
            yield finding(
                f"trial {trial.number}: checkpoints/{file.name} is damaged: {error}",
                "nothing needs to be done: the trial continues from the checkpoint before it, or "
                f"starts again, to the same values; {subject.resume}",
            )
            continue
        if not damaged:
            yield from _content(subject, trial, file, saved["result"]["report"], saved["params"])
        return
    if trial.reports and not subject.running and not damaged:
        yield finding(
            f"trial {trial.number}: has {len(trial.reports)} reports, but no checkpoint",
            "restore it from a backup, or let the trial start from its beginning, to the same "
            f"values; {subject.resume}",
        )


def _content(
    subject: Subject, trial: TrialRecord, file: Path, report: int, params: dict[str, object]
) -> Iterator[Finding]:
    if not params.items() <= trial.params.items():
        yield finding(
            f"trial {trial.number}: checkpoints/{file.name} is of other parameters: {params}",
            "it is of another study; nothing needs to be done: the trial starts again",
        )
    elif not subject.running and not 0 <= report - len(trial.reports) <= 1:
        older = report < len(trial.reports)
        yield finding(
            f"trial {trial.number}: checkpoints/{file.name} is of report {report}, but the "
            f"journal has {len(trial.reports)}",
            "nothing needs to be done: the trial repeats what is missing, to the same values"
            if older
            else "restore a newer copy of events.jsonl; without one nothing needs to be done: the "
            "trial ignores the checkpoint, and --resume trains it again",
        )


def _left_over(subject: Subject, record: StudyRecord) -> Iterator[Finding]:
    """Finds files of trials that have ended, of unknown trials, and half-written files."""
    study = subject.kind == "study" and subject.spec is not None
    needed = subject.ledger().needed if study else set()
    ended: list[int] = []
    for file in sorted(subject.folder.checkpoints.glob("*")):
        match = re.match(r"trial-(\d+)\.", file.name)
        trial = record.trials.get(int(match[1])) if match else None
        if trial is None:
            yield finding(
                f"checkpoints/{file.name}: belongs to no trial of this study", f"rm {file}"
            )
        elif file.suffix == ".partial":
            yield finding(
                f"checkpoints/{file.name}: is half written",
                f"nothing needs to be done, or: rm {file}",
                unfinished=True,
            )
        elif trial.state != "running" and trial.number not in needed:
            ended += [] if trial.number in ended else [trial.number]
    if ended:
        yield finding(
            f"checkpoints of {some(ended)} are not needed any more",
            f"resuming deletes them: {subject.resume}",
            unfinished=True,
        )


def _of_winner_to_be(subject: Subject) -> Iterator[Finding]:
    if subject.kind != "study" or subject.spec is None:
        return
    ledger = subject.ledger()
    if ledger.winner_is_current:
        return
    without = [
        trial.number
        for trial in ledger.finalists()
        if not subject.folder.checkpoint(trial.number).is_file()
    ]
    for number in without:
        yield finding(
            f"trial {number}: is among the best so far, but has no checkpoint",
            "restore it from a backup, or let it train again if it wins, to the same values; "
            f"{subject.resume}",
        )
