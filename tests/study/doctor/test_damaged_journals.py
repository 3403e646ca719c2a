"""Findings on damaged journals: every kind of damage is reported, and nothing else."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from study.errors import InputError
from study.storage.folder import StudyFolder
from study.storage.stored import StoredStudy
from tests.study.doctor.made_folders import ask, edit, of

Events = list[dict[str, Any]]


BYTES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "NUL": (lambda d: d.replace(b'{"event": "report"', b"\x00\x01", 1), "NUL bytes"),
    "a list": (lambda d: d.replace(b'{"event": "report"', b'["event"', 1), "not a JSON object"),
    "no event": (lambda d: d.replace(b'"event": "report"', b'"evnt": 1', 1), "not a JSON object"),
    "half a line": (lambda d: d.replace(b'"metrics": {"dev_mcc"', b"\n", 1), "not a JSON object"),
    "all NUL": (lambda d: b"\0" * len(d) + b"\n", "NUL bytes"),
}


@pytest.mark.parametrize("damage", BYTES)
def test_an_unreadable_line_is_reported(finished: Path, damage: str) -> None:
    change, message = BYTES[damage]
    journal = StudyFolder(finished).journal
    journal.write_bytes(change(journal.read_bytes()))
    findings = ask(finished, "journal")
    assert message in findings[0].problem
    assert re.match(r"events\.jsonl:\d+: ", findings[0].problem)
    assert "restore events.jsonl from a copy (what came after" in findings[0].fix
    assert re.search(r"sed -i '\d+d' events", findings[0].fix)
    assert not findings[0].unfinished


def test_many_unreadable_lines_are_summarised(finished: Path) -> None:
    StudyFolder(finished).journal.write_bytes(b"garbage\n" * 1000)
    findings = ask(finished, "journal")
    assert len(findings) == 6
    assert "1000 lines cannot be read" in findings[-1].problem


@pytest.mark.parametrize("torn", [b'{"event": "rep', b"\0\0\0"])
def test_a_torn_last_line_is_unfinished_work(finished: Path, torn: bytes) -> None:
    with StudyFolder(finished).journal.open("ab") as journal:
        journal.write(torn)
    [finding] = ask(finished, "journal")
    assert "the last line has no end" in finding.problem
    assert finding.unfinished


JOURNAL: dict[str, tuple[Callable[[Events], Any], str]] = {
    "no beginning": (lambda e: e.pop(0), "the first event must be `study`"),
    "two beginnings": (
        lambda e: e.insert(5, e[0] | {"time": 1.0}),
        "the first event must be `study`, and no other, but got one later",
    ),
    "a line twice": (lambda e: e.insert(5, e[0]), "events.jsonl:6: is line 1 again"),
    "missing field": (
        lambda e: of(e, "report", 1).pop("step"),
        "`report`: step must be an integer of at least 1, but got nothing",
    ),
    "missing fields": (
        lambda e: of(e, "created", 1).pop("params"),
        "`created`: params must be an object, but got nothing",
    ),
    "a race without a winner": (
        lambda e: e.append(
            {"event": "finalists", "time": 1.0, "candidates": [0], "rounds": [], "winner": None}
        ),
        "`finalists`: winner must be an integer of at least 0, but got None",
    ),
    "no time": (
        lambda e: of(e, "ended", 1).pop("time"),
        "`ended`: time must be a number of at least 0, but got nothing",
    ),
    "text for a number": (
        lambda e: of(e, "report", 1).update(report="one"),
        "`report`: report must be an integer of at least 1, but got 'one'",
    ),
    "true for a number": (
        lambda e: of(e, "decision", 1).update(report=True),
        "`decision`: report must be an integer of at least 1, but got True",
    ),
    "negative": (
        lambda e: of(e, "report", 1).update(step=-4),
        "`report`: step must be an integer of at least 1, but got -4",
    ),
    "list for a mapping": (
        lambda e: of(e, "report", 1).update(metrics=[]),
        "`report`: metrics must be an object, but got []",
    ),
    "unknown end": (
        lambda e: of(e, "ended", 1).update(state="bored"),
        "`ended`: state must be one of complete, pruned, failed, but got 'bored'",
    ),
    "never created": (
        lambda e: e.remove(of(e, "created", 2)),
        "`report`: its trial must have been created before, but got trial 2, which was not",
    ),
    "gap": (
        lambda e: [event.update(trial=5) for event in e if event.get("trial") == 2],
        "trials must be created as 0, 1, 2 and so on, but got trial 5 as number 2",
    ),
    "created twice": (
        lambda e: e.append(of(e, "created", 1) | {"time": 1.0}),
        "trials must be created as 0, 1, 2 and so on, but got trial 1 as number 3",
    ),
    "more reports than steps": (
        lambda e: of(e, "created", 1).update(reports=50),
        "must have at most as many reports as steps, but got 50 reports and 40 steps",
    ),
    "unknown seeds": (
        lambda e: of(e, "created", 1).update(seeds={"init": 0, "data": 0}),
        "seeds must be those of init, data and mask, but got init, data",
    ),
    "another parameter": (
        lambda e: of(e, "created", 1)["params"].update(q=1),
        "params of trial 1 must be b0, bT_ratio, p, lr, but got b0, bT_ratio, p, lr, q",
    ),
    "a parameter outside its domain": (
        lambda e: of(e, "created", 1)["params"].update(p=0.5),
        "params.p of trial 1 must lie in 0 to 0.3, but got 0.5",
    ),
    "no setting": (
        lambda e: of(e, "created", 1)["settings"].pop("p"),
        "settings of trial 1 must have b0, bT, p, lr, but got b0, bT, lr",
    ),
    "a text for a setting": (
        lambda e: of(e, "created", 1)["settings"].update(bT="x"),
        "settings.bT of trial 1 must be a number, but got 'x'",
    ),
    "a setting that differs": (
        lambda e: of(e, "created", 1)["settings"].update(p=0.2),
        "settings.p of trial 1 must be 0.05, but got 0.2",
    ),
    "a point without a spec": (
        lambda e: of(e, "created", 1).update(point=3),
        "point must be below 0, but got 3",
    ),
}


@pytest.mark.parametrize("damage", JOURNAL)
def test_impossible_events_are_reported(finished: Path, damage: str) -> None:
    change, message = JOURNAL[damage]
    edit(finished, change)
    [finding] = ask(finished, "journal")
    assert message in finding.problem
    assert not finding.unfinished


def doubled(events: Events, kind: str, trial: int) -> None:
    event = of(events, kind, trial)
    events.insert(events.index(event) + 1, event | {"time": event["time"] + 1})


def moved_to_the_end(events: Events, event: dict[str, Any]) -> None:
    events.remove(event)
    events.append(event)


TRIALS: dict[str, tuple[Callable[[Events], Any], str]] = {
    "report lost": (
        lambda e: e.remove(of(e, "report", 0, 1)),
        "but got a decision on report 2 after 1 reports and 1 decisions",
    ),
    "report doubled": (
        lambda e: doubled(e, "report", 0),
        "reports must come as 1, 2, 3 and so on, but got report 1 as number 2",
    ),
    "wrong step": (
        lambda e: of(e, "report", 0, 2).update(step=31),
        "report 3 of 4 must come at step 30 of 40, but got step 31",
    ),
    "too many": (
        lambda e: of(e, "created", 0).update(reports=3),
        "report 1 of 3 must come at step 14 of 40, but got step 10",
    ),
    "decision lost": (
        lambda e: e.remove(of(e, "decision", 0, 1)),
        "every report must have its decision, but got none on report 2",
    ),
    "decision doubled": (
        lambda e: doubled(e, "decision", 0),
        "but got a decision on report 1 after 1 reports and 1 decisions",
    ),
    "last decision lost": (
        lambda e: e.remove(of(e, "decision", 0, 3)),
        "every report must have its decision, but got none on report 4",
    ),
    "another end": (
        lambda e: of(e, "ended", 1).update(state="complete"),
        "the state must be that of the last decision, stop, but got complete",
    ),
    "ended twice": (
        lambda e: doubled(e, "ended", 1),
        "a trial must have no events after its end, but got one that is pruned",
    ),
    "continues": (
        lambda e: moved_to_the_end(e, of(e, "report", 0, 3)),
        "but got a decision on report 4 after 3 reports and 3 decisions",
    ),
    "another winner": (
        lambda e: e[-1].update(trial=0),
        "the winner must be chosen from the best trials, [2], but got one of [0]",
    ),
    "early winner": (
        lambda e: e.insert(1, e.pop()),
        "its trial must have been created before, but got trial 2, which was not",
    ),
}


@pytest.mark.parametrize("damage", TRIALS)
def test_contradictory_events_of_a_trial_are_reported(finished: Path, damage: str) -> None:
    change, message = TRIALS[damage]
    edit(finished, change)
    [finding] = ask(finished, "journal")
    assert message in finding.problem
    with pytest.raises(InputError, match=re.escape(message)):
        StoredStudy.read(StudyFolder(finished)).study_record()


def cut(place: int) -> Callable[[Events], None]:
    """Leaves only the events before a place, counted from the end of a finished study."""

    def change(events: Events) -> None:
        del events[place:]

    return change


@pytest.mark.parametrize(
    ("left_out", "message"),
    [
        (1, "the winner was not chosen from trial 2"),
        (2, "trial 2: the last decision was complete, but the trial has not ended"),
        (3, "trial 2: its last report has no decision"),
        (4, "3 of 3 trials were created, trial 2 unfinished"),
    ],
)
def test_events_missing_after_a_kill_are_unfinished_work(
    finished: Path, left_out: int, message: str
) -> None:
    edit(finished, cut(-left_out))
    findings = ask(finished, "trials")
    assert any(message in finding.problem for finding in findings)
    assert all(finding.unfinished for finding in findings)


def test_a_crash_may_end_a_trial_at_any_report(finished: Path) -> None:
    def crash(events: Events) -> None:
        del events[events.index(of(events, "report", 2, 2)) :]
        crashed = {"event": "crashed", "time": 0, "trial": 2, "reason": "x"}
        events.append(crashed | {"attempt": 0, "fault": False})  # A node was lost.
        events.append(crashed | {"attempt": 1, "fault": True})
        ended = {"event": "ended", "trial": 2, "state": "failed", "reason": "crashed: x"}
        events.append(ended | {"time": 0, "value": 0.5})

    edit(finished, crash)
    assert ask(finished, "journal") == []
    findings = ask(finished, "trials")
    assert ["the winner" in finding.problem for finding in findings] == [True]


def diverge(events: Events, step: int) -> None:
    """Trial 1 ends with its second report, due at step 20, as a worker reports a divergence."""
    metrics = {"train_loss": None, "trainable_parameters": 1000}
    of(events, "decision", 1).update(decision="continue", reason="", cutoff=None)
    end = events.index(of(events, "ended", 1))
    about = {"time": 0, "trial": 1, "report": 2}
    events[end:end] = [
        {"event": "report", **about, "step": step, "metrics": metrics},
        {"event": "decision", **about, "decision": "fail", "reason": "diverged", "cutoff": None},
    ]
    of(events, "ended", 1).update(state="failed", reason="diverged")


@pytest.mark.parametrize("step", [11, 17, 20])
def test_divergence_between_two_reports_is_valid(finished: Path, step: int) -> None:
    edit(finished, lambda events: diverge(events, step))
    assert ask(finished, "journal") == ask(finished, "trials") == []


@pytest.mark.parametrize("step", [10, 21])
def test_divergence_at_the_step_of_an_earlier_or_later_report_is_reported(
    finished: Path, step: int
) -> None:
    edit(finished, lambda events: diverge(events, step))
    [finding] = ask(finished, "journal")
    assert "report 2 of 4 must come at step 20 of 40" in finding.problem


def raised(events: Events) -> None:
    of(events, "report", 1)["metrics"]["dev_mcc"] = 0.9


RUNGS: dict[str, tuple[Callable[[Events], Any], str]] = {
    "a stop that was none": (
        lambda e: (
            of(e, "decision", 1).update(decision="continue"),
            e.remove(of(e, "ended", 1)),
        ),
        "trial 1, report 1: the journal has continue at a cutoff of 0.1000, but the reports "
        "before it give stop",
    ),
    "another cutoff": (
        lambda e: of(e, "decision", 1, 0).update(cutoff=0.7),
        "trial 1, report 1: the journal has stop at a cutoff of 0.7000, but the reports before "
        "it give stop at a cutoff of 0.1000",
    ),
    "another value": (raised, "trial 1, report 1: the journal has stop at a cutoff of 0.1000"),
}


@pytest.mark.parametrize("damage", RUNGS)
def test_a_decision_that_contradicts_the_rungs_is_reported(finished: Path, damage: str) -> None:
    change, message = RUNGS[damage]
    edit(finished, change)
    [finding] = ask(finished, "scheduler")
    assert message in finding.problem


@pytest.mark.parametrize("text", ["0", "", "[1, 2]", "a: ["])
def test_a_grown_spec_that_is_no_spec_is_refused(finished: Path, text: str) -> None:
    grown = {"event": "grown", "time": 1.0, "trials": 3, "changes": [], "spec": text}
    edit(finished, lambda events: events.append(grown | {"fixed": {}, "space": False}))
    with pytest.raises(InputError, match=r"\(its last event `grown`\).*: must "):
        StoredStudy.read(StudyFolder(finished)).study_record()
