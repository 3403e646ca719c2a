"""Events as classes: lines of every kind are read and written again unchanged."""

import json
from pathlib import Path

import pytest

from study.storage.events import (
    ABSENT,
    CandidateScores,
    DataFacts,
    EarlierTrial,
    StudyOpened,
    StudyResumed,
    TrialCreated,
    TrialEnded,
    WinnerEvaluated,
    opened_by,
    tracking_of,
)
from study.storage.journal import line_of, parse_events
from study.storage.parsing import CLASSES

LINES = """\
{"event": "study", "time": 1764400000.5, "version": 1, "name": "a", "spec": "spec.yaml", \
"data": "5f", "commit": null, "tokens": {"max_length": 512, "measured": true, "splits": {"train": \
{"mean": 9.5, "longest": 12, "truncated": 0.0, "unknown": 0.0}}}, "quality": {"conflicts": 0}, \
"tracking": null, "created_with": {"adalora-rs-study": "0.1.0", "torch": "2.13.0"}}
{"event": "warm_start", "time": 1764400001.25, "source": "/runs/b", "results": [{"trial": 3, \
"params": {"p": 0.1}, "state": "complete", "values": [0.5], "steps": [[10, 0.25], [20, 0.5]], \
"violations": {"train_seconds": -0.5}}, {"trial": 4, "params": {"p": 0.2}, "state": "pruned", \
"values": null, "steps": [[10, 0.1]], "violations": {}}], "left_out": {"without p": 2}, \
"differs": ["steps"]}
{"event": "created", "time": 1764400002.0, "trial": 0, "params": {"p": 0.1, "b0": 6}, \
"point": null, "settings": {"p": 0.1, "b0": 6}, "seeds": {"init": 0, "data": 0, "mask": 0}, \
"total_steps": 40, "reports": 4, "optuna": {"trial": {"cma:generation": 1}, "study": {}}}
{"event": "report", "time": 1764400003.0, "trial": 0, "report": 1, "step": 10, \
"metrics": {"dev_mcc": 0.1, "train_loss": null, "budget": 72}}
{"event": "decision", "time": 1764400003.0, "trial": 0, "report": 1, "decision": "continue", \
"reason": "", "cutoff": null}
{"event": "crashed", "time": 1764400004.0, "trial": 0, "attempt": 0, "fault": false, \
"reason": "its node died"}
{"event": "stalled", "time": 1764400004.5, "trial": 0, "minutes": 3.5, "limit": 15.0}
{"event": "warning", "time": 1764400005.0, "trial": 0, "text": "a checkpoint was late"}
{"event": "ended", "time": 1764400006.0, "trial": 0, "state": "complete", "reason": "", \
"value": 0.1}
{"event": "resumed", "time": 1764400007.0, "version": 1, "tracking": "http://127.0.0.1:5000", \
"created_with": {"torch": "2.13.0"}}
{"event": "grown", "time": 1764400008.0, "trials": 9, "changes": ["search.trials: 6 -> 9"], \
"spec": "search: {trials: 9}\\n", "fixed": {"beta1": 0.85}, "space": true}
{"event": "created", "time": 1764400008.5, "trial": 1, "params": {"backbone": "x", "seed": null}, \
"settings": {}, "seeds": {}, "total_steps": 1, "reports": 1, "optuna": {}}
{"event": "baseline", "time": 1764400008.75, "name": "cnn", "scores": {"dev_mcc": 0.5}}
{"event": "audited", "time": 1764400008.8, "trial": 1, "step": 40, "metrics": {"dev_mcc": 0.2}, \
"reason": ""}
{"event": "finalists", "time": 1764400009.0, "candidates": [0, 1], "rounds": [[0, 1]], "winner": 0}
{"event": "winner", "time": 1764400010.0, "trial": 0, "dev": {"dev_mcc": 0.1}, \
"test": {"test_mcc": null}, "race": {"candidates": [{"trial": 0, "search": 0.1, "fresh": [0.2, \
null]}], "rounds": [[0, 1]], "seeds": [{"init": 1000, "data": 1000, "mask": 1000}], "failed": 0, \
"dev": {"dev_mcc": [0.2]}, "test": {"test_mcc": [0.3]}}}
{"event": "data", "time": 1764400011.0, "tasks": [{"backbone": "b", "task": "t", "settings": \
{"name": "promoters"}, "commit": null, "fingerprint": "5f", "reports": {"tokens": {}}}], \
"unavailable": {"a, b, c": "no copy in the cache"}}
{"event": "of a later release", "time": 1764400012.0, "anything": [1, {"a": null}]}
"""

OLDER = """\
{"event": "study", "time": 1.0, "version": 1, "name": "a"}
{"event": "resumed", "time": 2.0}
{"event": "created", "time": 3.0, "trial": 0, "params": {}, "settings": {}, "seeds": {}, \
"total_steps": 4, "reports": 1, "optuna": {}}
{"event": "ended", "time": 4.0, "trial": 0, "state": "complete", "reason": ""}
{"event": "winner", "time": 5.0, "trial": 0, "dev": {}, "test": {}}
"""
"""Lines of earlier releases, which had fewer fields."""


@pytest.mark.parametrize("text", [LINES, OLDER])
def test_every_line_of_a_journal_is_written_as_it_was_read(text: str) -> None:
    events = parse_events(Path("events.jsonl"), text.encode())
    assert "".join(line_of(event, event.time) for event in events) == text


def test_the_example_journal_has_every_kind_of_event() -> None:
    assert {json.loads(line)["event"] for line in LINES.splitlines()} > set(CLASSES)


def test_nested_objects_are_typed() -> None:
    events = {type(event): event for event in parse_events(Path("x"), LINES.encode())}
    [first, second] = events[CLASSES["warm_start"]].results  # type: ignore[attr-defined]
    assert isinstance(first, EarlierTrial)
    assert (first.trial, second.values) == (3, None)
    winner = events[WinnerEvaluated]
    assert isinstance(winner, WinnerEvaluated)
    assert winner.race
    assert winner.race.candidates == [CandidateScores(trial=0, search=0.1, fresh=[0.2, None])]
    [facts] = events[CLASSES["data"]].tasks  # type: ignore[attr-defined]
    assert isinstance(facts, DataFacts)
    assert facts.key == '["b", "t", {"name": "promoters"}]'


def test_missing_fields_are_absent_and_null_fields_are_none() -> None:
    opened, resumed, created, ended, winner = parse_events(Path("x"), OLDER.encode())
    assert isinstance(opened, StudyOpened)
    assert isinstance(created, TrialCreated)
    assert isinstance(ended, TrialEnded)
    assert isinstance(winner, WinnerEvaluated)
    assert opened.tracking is created.point is ended.value is winner.race is ABSENT
    assert not ABSENT
    assert tracking_of([opened, resumed]) is ABSENT
    assert opened_by([resumed, opened]) is opened


def test_the_tracking_address_is_the_last_in_the_journal() -> None:
    here = StudyOpened(tracking=None)
    there = StudyResumed(tracking="http://127.0.0.1:5000")
    assert tracking_of([here]) is None
    assert tracking_of([here, there, StudyResumed()]) == "http://127.0.0.1:5000"
    assert tracking_of([here, there, StudyResumed(tracking=None)]) is None
