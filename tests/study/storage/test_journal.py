"""events.jsonl: appending, a torn last line, invalid lines."""

import json
import pickle
from pathlib import Path

import pytest

from study.errors import InputError
from study.storage.events import Report, TrialEnded, TrialWarning, UnknownEvent
from study.storage.journal import Journal, line_of, parse_events
from tests.fuzz.mutations import nested

WARNING = TrialWarning(trial=0, text="slow")
ENDED = TrialEnded(trial=0, state="complete", reason="", value=0.5)


def test_events_are_read_in_order_with_their_fields(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "events.jsonl")
    written = [journal.append(WARNING), journal.append(ENDED)]
    assert journal.read() == written
    assert [type(event) for event in written] == [TrialWarning, TrialEnded]
    assert written[0].time > 0


def test_a_torn_last_line_is_dropped_and_later_events_stay_readable(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    journal = Journal(path)
    first = journal.append(WARNING)
    with path.open("a") as file:
        file.write('{"event": "report", "tri')
    assert journal.read() == [first]
    journal.drop_torn_line()
    second = journal.append(ENDED)
    assert journal.read() == [first, second]


def test_a_journal_that_is_one_torn_line_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text('{"event": "stu')
    journal = Journal(path)
    assert journal.read() == []
    journal.drop_torn_line()
    assert path.read_text() == ""


@pytest.mark.parametrize("line", ["not json", "[1, 2]", '{"no": "event"}', '{"event": 3}'])
def test_a_broken_line_before_the_last_is_refused_with_its_number(
    tmp_path: Path, line: str
) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text('{"event": "study", "time": 1}\n' + line + '\n{"event": "study"}\n')
    with pytest.raises(InputError, match=r"events\.jsonl:2: every line must be a JSON object"):
        Journal(path).read()


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"step": "3"}, "step must be an integer of at least 1, but got '3'"),
        ({"step": True}, "step must be an integer of at least 1, but got True"),
        ({"step": 0}, "step must be an integer of at least 1, but got 0"),
        ({"metrics": []}, r"metrics must be an object, but got \[\]"),
        ({"time": None}, "time must be a number of at least 0, but got None"),
        ({"time": -1}, "time must be a number of at least 0, but got -1"),
        ({"trial": 10**30}, "trial must be an integer of at least 0, but got 10+"),
        ({"metrics": {"dev_mcc": "x"}}, r"metrics\.dev_mcc must be a number or null, but got 'x'"),
        ({"metrics": {"a": float("nan")}}, r"metrics\.a must be a number or null, but got nan"),
    ],
)
def test_an_invalid_value_of_a_field_is_refused_with_its_line(
    tmp_path: Path, fields: dict[str, object], rule: str
) -> None:
    report = {"event": "report", "time": 1.0, "trial": 0, "report": 1, "step": 3, "metrics": {}}
    path = tmp_path / "events.jsonl"
    path.write_text(json.dumps(report) + "\n" + json.dumps(report | fields) + "\n")
    with pytest.raises(InputError, match=rf"events\.jsonl:2: `report`: {rule}; "):
        Journal(path).read()


@pytest.mark.parametrize("field", ["time", "trial", "report", "step", "metrics"])
def test_a_missing_field_is_refused_by_its_name(tmp_path: Path, field: str) -> None:
    report = {"event": "report", "time": 1.0, "trial": 0, "report": 1, "step": 3, "metrics": {}}
    del report[field]
    with pytest.raises(InputError, match=rf"x:1: `report`: {field} must be .*, but got nothing; "):
        parse_events(tmp_path / "x", json.dumps(report).encode() + b"\n")


def test_fields_of_a_later_release_are_ignored_and_unknown_events_are_kept(tmp_path: Path) -> None:
    ended = b'{"event": "ended", "time": 2, "trial": 0, "state": "failed", "reason": "", "y": 1}'
    moved = b'{"event": "moved", "time": 3.0, "to": "elsewhere"}'
    events = parse_events(tmp_path / "x", ended + b"\n" + moved + b"\n")
    assert events == [
        TrialEnded(time=2.0, trial=0, state="failed", reason=""),
        UnknownEvent(time=3.0, name="moved", fields={"to": "elsewhere"}),
    ]


def test_numbers_that_are_not_finite_are_written_as_null(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "events.jsonl")
    metrics = {"dev_mcc": float("nan"), "loss": float("inf"), "seconds": 1.0}
    written = journal.append(Report(trial=0, report=1, step=1, metrics=metrics))
    text = (tmp_path / "events.jsonl").read_text()
    assert json.loads(text)["metrics"] == {"dev_mcc": None, "loss": None, "seconds": 1.0}
    assert isinstance(written, Report)
    assert written.metrics == {"dev_mcc": None, "loss": None, "seconds": 1.0}


def test_a_journal_without_a_file_is_empty(tmp_path: Path) -> None:
    assert Journal(tmp_path / "events.jsonl").read() == []


def test_a_journal_can_be_pickled_between_events(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "events.jsonl")
    journal.append(WARNING)
    copy = pickle.loads(pickle.dumps(journal))
    copy.append(ENDED)
    assert len(journal.read()) == 2


CREATED = {
    "event": "created",
    "time": 1.0,
    "trial": 0,
    "params": {},
    "settings": {},
    "seeds": {},
    "total_steps": 4,
    "reports": 1,
    "optuna": {},
}


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"params": {"p": [1]}}, r"params\.p must be .* or null, but got \[1\]"),
        ({"seeds": {"init": "x"}}, r"seeds\.init must be an integer of at least 0, but got 'x'"),
        ({"optuna": {"trial": 1}}, r"optuna\.trial must be an object, but got 1"),
        (
            {"optuna": {"trial": {"a": nested(0, 40)}}},
            r"optuna\.trial\.a(\[0\])+ must be nested at most 32 deep, but got more",
        ),
    ],
)
def test_what_a_field_contains_is_checked_at_every_depth(
    tmp_path: Path, fields: dict[str, object], rule: str
) -> None:
    with pytest.raises(InputError, match=rf"x:1: `created`: {rule}; "):
        parse_events(tmp_path / "x", json.dumps(CREATED | fields).encode() + b"\n")


@pytest.mark.parametrize(
    "line",
    [
        b'{"event": "x", "time": 1.0, "deep": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"event": "x", "time": 1.0, "half of a character": "\\ud800"}',
        b'{"event": "x", "time": 1.0, "no text": "\xff"}',
        b'{"event": "x", "time": ' + b"1" * 5000 + b"}",
    ],
    ids=["nested", "surrogate", "bytes", "digits"],
)
def test_a_line_that_json_cannot_hold_is_refused(tmp_path: Path, line: bytes) -> None:
    with pytest.raises(InputError, match="x:1: every line must be a JSON object with an `event`"):
        parse_events(tmp_path / "x", line + b"\n")


def test_a_doubled_line_is_refused_as_such(tmp_path: Path) -> None:
    warning = line_of(WARNING, 3.0)
    with pytest.raises(InputError, match="x:3: a line must be there once, but got line 1 again"):
        parse_events(tmp_path / "x", (warning + line_of(ENDED, 4.0) + warning).encode())


def test_a_path_that_is_no_text_is_escaped_in_the_journal(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "events.jsonl")
    journal.append(TrialWarning(trial=0, text="runs/caf\udce9"))
    assert journal.read() == [
        TrialWarning(time=journal.read()[0].time, trial=0, text="runs/caf\\udce9")
    ]
