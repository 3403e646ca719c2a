"""Stored studies: contents, and when the folder is read again."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from study.errors import InputError
from study.spec import load_spec
from study.storage import journal
from study.storage.events import StudyGrown, StudyResumed, TrialWarning
from study.storage.folder import StudyFolder, is_stored_spec
from study.storage.growth import changes_of_study
from study.storage.ledger import StudyLedger
from study.storage.opening import open_folder
from study.storage.stored import StoredStudy
from tests.study.ledgers import OpenLedger, ReadSpec, create, without_score_loss

Count = Callable[[], Counter[float]]


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> Counter[float]:
    """Counts how often the event of each time is parsed."""
    found: Counter[float] = Counter()
    parse = journal.event_of

    def count(data: dict[str, Any]) -> Any:
        found[data["time"]] += 1
        return parse(data)

    monkeypatch.setattr(journal, "event_of", count)
    return found


def test_a_folder_without_a_journal_has_no_events(tmp_path: Path) -> None:
    stored = StoredStudy.read(StudyFolder(tmp_path / "study"))
    assert stored.events == []
    assert stored.opened is stored.tracking is None
    assert stored.record("dev_mcc").trials == {}


def test_a_stored_study_has_the_last_tracking_address_and_the_first_opening(
    open_ledger: OpenLedger,
) -> None:
    ledger = open_ledger()
    ledger.append(StudyResumed(tracking="http://127.0.0.1:5000"))
    stored = StoredStudy.read(ledger.folder)
    assert stored.tracking == "http://127.0.0.1:5000"
    assert stored.opened == ledger.record.opened
    assert stored.record("dev_mcc") == ledger.record


def test_the_spec_is_that_of_the_last_growth(open_ledger: OpenLedger, read_spec: ReadSpec) -> None:
    ledger = open_ledger()
    assert StoredStudy.read(ledger.folder).spec == ledger.spec
    grown = StudyGrown(trials=9, changes=[], spec="search: {trials: 9}\n", fixed={}, space=False)
    ledger.append(grown)
    assert StoredStudy.read(ledger.folder).spec.search.trials == 9


def test_the_scores_of_a_study_of_an_older_version_are_of_the_total_loss(
    open_ledger: OpenLedger, read_spec: ReadSpec
) -> None:
    ledger = open_ledger()
    total, task = read_spec("adapter.score_loss=total"), read_spec()
    text = without_score_loss(ledger.folder.spec)
    stored = StoredStudy.read(ledger.folder)
    assert stored.spec == load_spec(str(ledger.folder.spec), stored=True) == total
    assert not changes_of_study(total)(stored)
    assert changes_of_study(task)(stored) == ["adapter.score_loss: total -> task"]
    ledger.append(StudyGrown(trials=9, changes=[], spec=text, fixed={}, space=False))
    assert StoredStudy.read(ledger.folder).spec == total
    assert load_spec(str(ledger.folder.spec)) == task  # A space of the user.


def test_the_spec_of_a_study_is_told_from_a_space_of_the_user(open_ledger: OpenLedger) -> None:
    folder = open_ledger().folder
    assert is_stored_spec(str(folder.spec))
    assert not is_stored_spec(str(folder.best_spec))
    folder.journal.unlink()
    assert not is_stored_spec(str(folder.spec))
    assert not is_stored_spec("smoke")


def test_an_unchanged_folder_is_not_read_again(
    open_ledger: OpenLedger, parsed: Counter[float]
) -> None:
    ledger = open_ledger()
    create(ledger, 0)
    parsed.clear()
    stored = StoredStudy.read(ledger.folder)
    assert stored.current() is stored
    again = StudyLedger(ledger.folder, stored.spec, stored)
    assert again.record == ledger.record
    assert set(parsed.values()) == {1}
    ledger.append(TrialWarning(trial=0, text="late"))
    assert len(stored.current().events) == len(stored.events) + 1


def test_a_new_spec_is_read_again(tmp_path: Path) -> None:
    folder = open_folder(tmp_path / "study", "search: {trials: 3}\n")
    stored = StoredStudy.read(folder)
    assert stored.spec.search.trials == 3
    open_folder(folder.path, "search: {trials: 4}\n", replace=True)
    assert stored.current().spec.search.trials == 4


def test_a_damaged_line_is_refused_when_its_event_is_read(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    create(ledger, 0)
    with ledger.folder.journal.open("a") as file:
        file.write('{"event": "ended", "time": 1, "trial": 0}\n{"event": "rep')
    stored = StoredStudy.read(ledger.folder)
    assert [line.event is None for line in stored.lines] == [False, False, True]
    assert stored.torn == b'{"event": "rep'
    assert len(stored.undamaged) == 2
    with pytest.raises(InputError, match=r"events\.jsonl:3: `ended`: state must be one of "):
        _ = stored.events


def test_a_torn_line_is_kept_until_the_next_event_is_appended(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    create(ledger, 0)
    before = ledger.folder.journal.read_bytes()
    with ledger.folder.journal.open("a") as file:
        file.write('{"event": "rep')
    torn = ledger.folder.journal.read_bytes()
    again = open_ledger()
    assert ledger.folder.journal.read_bytes() == torn
    again.append(TrialWarning(trial=0, text="late"))
    assert ledger.folder.journal.read_bytes().startswith(before)
    assert open_ledger().record == again.record


def test_a_torn_line_is_cut_off_without_an_event_on_request(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    create(ledger, 0)
    before = ledger.folder.journal.read_bytes()
    with ledger.folder.journal.open("a") as file:
        file.write('{"event": "rep')
    open_ledger().drop_torn_line()
    assert ledger.folder.journal.read_bytes() == before
