"""Checks of events.jsonl line by line: syntax, fields, and what may follow what."""

from collections.abc import Iterator, Sequence
from functools import partial

from study.doctor.finding import Finding
from study.doctor.subject import Subject
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
    """Finds damaged and doubled lines, else the first event that does not fit those before it."""
    damaged = [*_unreadable(subject.lines), *_fields(subject.lines), *_doubled(subject.lines)]
    yield from damaged
    yield from _torn(subject)
    yield from _beginning(subject)
    if not damaged:
        yield from _inconsistent(subject)


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
    if subject.lines:
        return
    if has_results(subject.folder):
        yield finding(
            "events.jsonl: is missing or empty, but there are results",
            f"restore it {FROM_A_COPY}; without a copy the study cannot be resumed",
        )
    elif not subject.running:
        yield finding(
            "events.jsonl: nothing has happened in this study yet",
            subject.resume,
            unfinished=True,
        )


def _fields(lines: Sequence[Line]) -> Iterator[Finding]:
    faults = [(line, fault) for line in lines for fault in line.faults]
    for line, fault in faults[:MOST]:
        yield finding(
            f"events.jsonl:{line.number}: `{line.name}`: {fault}",
            RESTORE.format(number=line.number),
        )


def _doubled(lines: Sequence[Line]) -> Iterator[Finding]:
    for line in [line for line in lines if line.copy_of is not None][:MOST]:
        yield finding(
            f"events.jsonl:{line.number}: is line {line.copy_of} again",
            f"copy the folder as it is; then delete line {line.number} (sed -i '{line.number}d' "
            "events.jsonl) and run the doctor again; nothing is lost with it",
        )


def _inconsistent(subject: Subject) -> Iterator[Finding]:
    damage = subject.damage
    if damage is not None:
        where = "events.jsonl" if damage.line is None else f"events.jsonl:{damage.line}"
        yield finding(
            f"{where}: {damage.problem}",
            f"lines were lost, doubled or edited: restore events.jsonl {FROM_A_COPY}",
        )


def _excerpt(text: bytes) -> str:
    return repr(text[:60].decode("utf-8", errors="replace"))
