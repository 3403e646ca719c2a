"""events.jsonl: appended whole lines, a torn last one, lines that are no events."""

import json
import pickle
from pathlib import Path

import pytest

from study.errors import InputError
from study.storage.journal import Journal


def test_events_come_back_in_order_with_their_fields(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "events.jsonl")
    written = [journal.append("created", trial=0), journal.append("report", trial=0, step=3)]
    assert journal.read() == written
    assert [event["event"] for event in written] == ["created", "report"]


def test_a_torn_last_line_is_dropped_and_later_events_stay_readable(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    journal = Journal(path)
    journal.append("created", trial=0)
    with path.open("a") as file:
        file.write('{"event": "report", "tri')
    assert [event["event"] for event in journal.read()] == ["created"]
    journal.append("ended", trial=0)
    assert [event["event"] for event in journal.read()] == ["created", "ended"]


def test_a_journal_that_is_one_torn_line_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text('{"event": "stu')
    assert Journal(path).read() == []
    assert path.read_text() == ""


@pytest.mark.parametrize("line", ["not json", "[1, 2]", '{"no": "event"}'])
def test_a_broken_line_before_the_last_is_refused_with_its_number(
    tmp_path: Path, line: str
) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text('{"event": "study"}\n' + line + '\n{"event": "created"}\n')
    with pytest.raises(InputError, match=r"events\.jsonl:2: every line must be a JSON object"):
        Journal(path).read()


def test_numbers_that_are_not_finite_are_written_as_null(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "events.jsonl")
    journal.append("report", metrics={"dev_mcc": float("nan"), "loss": [float("inf"), 1.0]})
    text = (tmp_path / "events.jsonl").read_text()
    assert json.loads(text)["metrics"] == {"dev_mcc": None, "loss": [None, 1.0]}
    assert "NaN" not in text


def test_a_journal_without_a_file_is_empty(tmp_path: Path) -> None:
    assert Journal(tmp_path / "events.jsonl").read() == []


def test_a_journal_can_be_pickled_between_events(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "events.jsonl")
    journal.append("created", trial=0)
    copy = pickle.loads(pickle.dumps(journal))
    copy.append("ended", trial=0)
    assert len(journal.read()) == 2
