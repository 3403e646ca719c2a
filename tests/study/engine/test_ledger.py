"""Recording: what cannot be written must not happen."""

import errno
from pathlib import Path

import pytest
from ledgers import OpenLedger, create

from study.engine.journal import Journal


def test_a_full_disk_stops_the_record_at_the_last_event_that_was_written(
    open_ledger: OpenLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = open_ledger()
    create(ledger, 0)
    before = ledger.journal.path.read_bytes()
    told = []
    ledger.listeners = [lambda event, record: told.append(event)]
    ledger.journal = Journal(Path("/dev/full"))
    with pytest.raises(OSError, match="No space left") as first:
        ledger.note("report", trial=0, report=1, step=1, metrics={})
    assert first.value.errno == errno.ENOSPC
    # Room comes back, but a torn line may stand in the way: nothing is written any more.
    ledger.journal = Journal(ledger.folder.journal)
    with pytest.raises(OSError, match="No space left"):
        ledger.note("report", trial=0, report=2, step=2, metrics={})
    assert ledger.broken is first.value
    assert told == []
    assert ledger.record.trials[0].reports == []
    assert ledger.journal.path.read_bytes() == before
