"""Ledgers: events on disk before listeners are called, and errors of writing."""

import errno
import os
from pathlib import Path

import pytest

from study.storage.events import Event, Report, TrialWarning
from study.storage.journal import Journal
from study.storage.record import StudyRecord
from tests.study.ledgers import OpenLedger, create


def test_after_a_failed_write_the_record_ends_with_the_last_written_event(
    open_ledger: OpenLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = open_ledger()
    create(ledger, 0)
    before = ledger.journal.path.read_bytes()
    received = []
    ledger.listeners = [lambda event, record: received.append(event)]
    ledger.journal = Journal(Path("/dev/full"))
    with pytest.raises(OSError, match="No space left") as first, ledger.batch():
        ledger.append(Report(trial=0, report=1, step=1, metrics={}))
    assert first.value.errno == errno.ENOSPC
    # A torn line may be left, so nothing is written even if there is space again.
    ledger.journal = Journal(ledger.folder.journal)
    with pytest.raises(OSError, match="No space left"), ledger.batch():
        ledger.append(Report(trial=0, report=2, step=2, metrics={}))
    assert ledger.broken is first.value
    assert received == []
    assert ledger.record.trials[0].reports == []
    assert ledger.journal.path.read_bytes() == before


def test_events_of_a_batch_are_synced_once_before_listeners_are_called(
    open_ledger: OpenLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = open_ledger()
    create(ledger, 0)
    happened: list[str] = []
    sync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (sync(file), happened.append("sync")))

    def listen(event: Event, record: StudyRecord) -> None:
        happened.append(event.event)

    ledger.listeners = [listen]
    with ledger.batch():
        ledger.append(Report(trial=0, report=1, step=1, metrics={}))
        assert len(ledger.record.trials[0].reports) == 1
        ledger.end(ledger.record.trials[0], "pruned", "")
        assert happened == []
    assert happened == ["sync", "report", "ended"]
    ledger.append(TrialWarning(trial=0, text=""))
    assert happened[3:] == ["sync", "warning"]


def test_after_a_failed_write_of_a_listener_every_append_raises(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()

    def listen(event: Event, record: StudyRecord) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "results.csv")

    ledger.listeners = [listen]
    with pytest.raises(OSError, match=r"results\.csv"):
        create(ledger, 0)
    assert ledger.broken is not None
    ledger.listeners = []
    with pytest.raises(OSError, match=r"results\.csv"):
        create(ledger, 1)


def test_after_a_failed_sync_of_a_batch_no_listener_is_called_and_every_append_raises(
    open_ledger: OpenLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = open_ledger()
    create(ledger, 0)
    received: list[Event] = []
    ledger.listeners = [lambda event, record: received.append(event)]

    def fail(file: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="Input/output"), ledger.batch():
        ledger.append(Report(trial=0, report=1, step=1, metrics={}))
    monkeypatch.undo()
    with pytest.raises(OSError, match="Input/output"):
        ledger.append(Report(trial=0, report=2, step=2, metrics={}))
    assert received == []
