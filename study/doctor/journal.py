"""Checks of events.jsonl line by line: syntax, fields, and the order of events."""

from collections.abc import Iterator, Sequence
from functools import partial

from study.doctor.finding import Finding
from study.doctor.subject import Subject
from study.storage.events import StudyOpened, TrialCreated
from study.storage.journal import FROM_A_COPY, Line
from study.storage.opening import has_results

MOST = 5
"""The most findings of one kind that are reported."""

finding = partial(Finding, "journal")
RESTORE = (
    f"copy the folder as it is; then restore events.jsonl {FROM_A_COPY}. Without an earlier "
    "copy, delete line {number} (sed -i '{number}d' events.jsonl) and run the doctor again: the "
    "content of the line is lost, and its effects are reported then"
)


def check(subject: Subject) -> Iterator[Finding]:
    """Finds damaged lines, and events that do not fit each other."""
    yield from _unreadable(subject.lines)
    yield from _torn(subject)
    yield from _beginning(subject)
    yield from _fields(subject.lines)
    yield from _unknown_trials(subject.lines)
    yield from _numbers(subject.lines)


def _unreadable(lines: Sequence[Line]) -> Iterator[Finding]:
    unreadable = [line for line in lines if line.name is None]
    for line in unreadable[:MOST]:
        nul = b"\0" in line.text
        what = "holds NUL bytes" if nul else "is not a JSON object with an `event`"
        yield finding(
            f"events.jsonl:{line.number}: {what}: {_excerpt(line.text)}",
            RESTORE.format(number=line.number),
        )
    if len(unreadable) > MOST:
        yield finding(
            f"events.jsonl: {len(unreadable)} lines cannot be read",
            f"the file is not a journal any more: restore it {FROM_A_COPY}",
        )


def _torn(subject: Subject) -> Iterator[Finding]:
    if subject.stored.torn and not subject.running:
        what = "NUL bytes" if b"\0" in subject.stored.torn else _excerpt(subject.stored.torn)
        yield finding(
            f"events.jsonl:{len(subject.lines) + 1}: the last line has no end: {what}",
            f"resuming removes it: {subject.resume}",
            unfinished=True,
        )


def _beginning(subject: Subject) -> Iterator[Finding]:
    kinds = [line.name for line in subject.lines if line.name is not None]
    if not kinds:
        if not subject.lines and has_results(subject.folder):
            yield finding(
                "events.jsonl: is missing or empty, but there are results",
                f"restore it {FROM_A_COPY}; without a copy the study cannot be resumed",
            )
        elif not subject.running and not subject.lines:
            yield finding(
                "events.jsonl: nothing has happened in this study yet",
                subject.resume,
                unfinished=True,
            )
        return
    opened = kinds.count(StudyOpened.event)
    if kinds[0] != StudyOpened.event or opened > 1:
        yield finding(
            f"events.jsonl: the first event must be `study`, and no other, but got {opened} of "
            f"them, and the first event is `{kinds[0]}`",
            f"lines are missing, or two journals were joined: restore the file {FROM_A_COPY}",
        )


def _fields(lines: Sequence[Line]) -> Iterator[Finding]:
    faults = [(line, fault) for line in lines for fault in line.faults]
    for line, fault in faults[:MOST]:
        yield finding(
            f"events.jsonl:{line.number}: `{line.name}`: {fault}",
            RESTORE.format(number=line.number),
        )


def _unknown_trials(lines: Sequence[Line]) -> Iterator[Finding]:
    known: set[object] = {None}
    for line in lines:
        if line.name != TrialCreated.event and line.trial not in known:
            yield finding(
                f"events.jsonl:{line.number}: `{line.name}` is about trial {line.trial}, which "
                "was not created before",
                f"the line with which it was created is missing: restore the file {FROM_A_COPY}",
            )
        known.add(line.trial)


def _numbers(lines: Sequence[Line]) -> Iterator[Finding]:
    created = [(line.number, line.trial) for line in lines if line.name == TrialCreated.event]
    for place, (number, trial) in enumerate(created):
        if trial != place:
            yield finding(
                f"events.jsonl:{number}: trials must be created as 0, 1, 2 and so on, but trial "
                f"{trial} is number {place}",
                f"a trial is missing, or was created twice: restore the file {FROM_A_COPY}",
            )
            return


def _excerpt(text: bytes) -> str:
    return repr(text[:60].decode("utf-8", errors="replace"))
