"""After a new or renamed file its folder is brought to disk too."""

import os
import stat
from pathlib import Path

import pytest

from study.engine.checkpoints import save
from study.storage.durable import replacing
from study.storage.events import StudyResumed
from study.storage.folder import StudyFolder
from study.storage.journal import Journal
from study.storage.opening import open_folder


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders that were brought to disk."""
    found: list[Path] = []
    sync = os.fsync

    def noting(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            found.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", noting)
    return found


def test_the_folder_of_a_journal_is_synced_with_its_first_event_only(
    tmp_path: Path, synced: list[Path]
) -> None:
    journal = Journal(tmp_path / "events.jsonl")
    for _ in range(3):
        journal.append(StudyResumed())
    assert synced == [tmp_path]


def test_the_folders_of_the_spec_and_of_checkpoints_are_synced(
    tmp_path: Path, synced: list[Path]
) -> None:
    folder = open_folder(tmp_path / "study", "")
    assert synced == [StudyFolder(tmp_path / "study").path]
    for _ in range(2):
        assert save(folder, 0, {}) == ""
    assert synced[1:] == [folder.checkpoints] * 2


def test_two_writers_of_one_file_do_not_disturb_each_other(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    with replacing(path) as first, replacing(path) as second:
        first.write(b"first" * 1000)
        second.write(b"second")
        second.flush()
    assert path.read_bytes() == b"first" * 1000
    assert list(tmp_path.iterdir()) == [path]
