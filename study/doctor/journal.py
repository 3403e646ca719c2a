"""The journal, line by line: whether it can be read, and whether its events have their fields."""

from collections.abc import Iterator
from functools import partial

from study.doctor.finding import Finding
from study.doctor.subject import Line, Subject
from study.storage.journal import FROM_A_COPY, Event
from study.storage.opening import has_results

FIELDS = {
    "study": ("version", "name"),
    "warm_start": ("source", "results", "left_out", "differs"),
    "grown": ("trials", "changes", "spec", "fixed", "space"),
    "created": (
        *("trial", "params", "settings", "seeds"),
        *("total_steps", "reports", "optuna"),
    ),
    "report": ("trial", "report", "step", "metrics"),
    "crashed": ("trial", "attempt", "fault", "reason"),
    "decision": ("trial", "report", "decision", "reason", "cutoff"),
    "ended": ("trial", "state", "reason"),
    "finalists": ("candidates", "rounds", "winner"),
    "winner": ("trial", "dev", "test"),
}
"""Of the events that the record is made of; others may have what they like."""
BOOLS = ("space", "fault")
COUNTS = ("version", "trials", "total_steps", "reports", "report", "step")
KINDS: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("trial", "attempt", "winner", *COUNTS), int),
    **dict.fromkeys(
        ("params", "settings", "seeds", "optuna", "metrics", "fixed", "left_out"), dict
    ),
    **dict.fromkeys(("dev", "test"), dict),
    **dict.fromkeys(("name", "spec", "reason", "decision", "state", "source"), str),
    **dict.fromkeys(("changes", "results", "differs", "candidates", "rounds"), list),
    **dict.fromkeys(BOOLS, bool),
    "cutoff": (int, float, type(None)),
}
MOST = 5
"""Findings of one kind that are told; a file of garbage has thousands."""

finding = partial(Finding, "journal")
RESTORE = (
    f"copy the folder as it is; then restore events.jsonl {FROM_A_COPY}. Without an earlier "
    "copy, delete line {number} (sed -i '{number}d' events.jsonl) and ask the doctor again: what "
    "the line said is lost, and what it was needed for is said then"
)


def check(subject: Subject) -> Iterator[Finding]:
    """Finds what is wrong with the lines of events.jsonl."""
    yield from _unreadable(subject.lines)
    yield from _torn(subject)
    yield from _beginning(subject)
    yield from _fields(subject.lines)
    yield from _unknown_trials(subject.lines)
    yield from _numbers(subject.lines)


def _unreadable(lines: list[Line]) -> Iterator[Finding]:
    found = [line for line in lines if line.event is None]
    for line in found[:MOST]:
        nul = b"\0" in line.text
        what = "holds NUL bytes" if nul else "is not a JSON object with an `event`"
        yield finding(
            f"events.jsonl:{line.number}: {what}: {_excerpt(line.text)}",
            RESTORE.format(number=line.number),
        )
    if len(found) > MOST:
        yield finding(
            f"events.jsonl: {len(found)} lines cannot be read",
            f"this is no journal any more: restore it {FROM_A_COPY}",
        )


def _torn(subject: Subject) -> Iterator[Finding]:
    if subject.torn and not subject.running:
        what = "NUL bytes" if b"\0" in subject.torn else _excerpt(subject.torn)
        yield finding(
            f"events.jsonl:{len(subject.lines) + 1}: the last line has no end: {what}",
            f"it is cut off by {subject.resume}",
            unfinished=True,
        )


def _beginning(subject: Subject) -> Iterator[Finding]:
    kinds = [line.event["event"] for line in subject.lines if line.event is not None]
    if not kinds:
        if not subject.lines and has_results(subject.folder):
            yield finding(
                "events.jsonl: is missing or empty, but there are results",
                f"restore it {FROM_A_COPY}; without a copy the study is lost to --resume",
            )
        elif not subject.running and not subject.lines:
            yield finding(
                "events.jsonl: nothing has happened in this study yet",
                subject.resume,
                unfinished=True,
            )
        return
    if kinds[0] != "study" or kinds.count("study") > 1:
        yield finding(
            "events.jsonl: the first event must be `study`, and no other, but "
            f"{kinds.count('study')} are, and the first is `{kinds[0]}`",
            f"lines are missing, or two journals were joined: restore the file {FROM_A_COPY}",
        )


def _fields(lines: list[Line]) -> Iterator[Finding]:
    faults = [(line, fault) for line in lines if line.event for fault in _faults(line.event)]
    for line, fault in faults[:MOST]:
        assert line.event is not None
        yield finding(
            f"events.jsonl:{line.number}: `{line.event['event']}` {fault}",
            RESTORE.format(number=line.number),
        )


def _faults(event: Event) -> Iterator[str]:
    names = FIELDS.get(event["event"], ())
    missing = [name for name in names if name not in event]
    if missing:
        yield f"lacks {', '.join(missing)}"
    if not isinstance(event.get("time"), int | float):
        yield "lacks its time"
    for name in names:
        if name in event and not _fits(name, event[name]):
            yield f"has a {name} that cannot be: {event[name]!r:.60}"


def _fits(name: str, value: object) -> bool:
    if not isinstance(value, KINDS[name]) or (isinstance(value, bool) and name not in BOOLS):
        return False
    least = {"trial": 0, "attempt": 0, "winner": 0} | dict.fromkeys(COUNTS, 1)
    return name not in least or (isinstance(value, int) and value >= least[name])


def _unknown_trials(lines: list[Line]) -> Iterator[Finding]:
    known: set[object] = set()
    told: set[object] = set()
    for line in lines:
        event = line.event or {"event": ""}
        number = event.get("trial")
        if event["event"] == "created":
            known.add(number)
        elif (
            "trial" in FIELDS.get(event["event"], ())
            and number not in known
            and number not in told
        ):
            told.add(number)
            yield finding(
                f"events.jsonl:{line.number}: `{event['event']}` is about trial {number}, which "
                "was not created before",
                f"the line with which it was created is missing: restore the file {FROM_A_COPY}",
            )


def _numbers(lines: list[Line]) -> Iterator[Finding]:
    created = [
        (line.number, line.event.get("trial"))
        for line in lines
        if line.event is not None and line.event["event"] == "created"
    ]
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
