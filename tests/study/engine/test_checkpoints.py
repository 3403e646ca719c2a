"""Checkpoints on disk: atomic writes, and the previous one as a fallback."""

from pathlib import Path
from typing import Any

import pytest
import torch

from study.engine.checkpoints import discard, discard_partial, load, previous, save
from study.storage.folder import StudyFolder
from study.storage.opening import open_folder


@pytest.fixture
def folder(tmp_path: Path) -> StudyFolder:
    return open_folder(tmp_path / "study", "")


def state(report: int) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(report)
    weights = torch.randn(500, generator=generator)
    return {"trial": weights, "result": {"report": report}, "params": {}}


def anything(saved: dict[str, Any]) -> bool:
    return True


def flip_a_bit(file: Path) -> None:
    data = bytearray(file.read_bytes())
    place = data.index(state(2)["trial"].numpy().tobytes()) + 1000
    data[place] ^= 1
    file.write_bytes(data)


def test_the_last_checkpoint_is_loaded(folder: StudyFolder) -> None:
    for report in (1, 2):
        assert save(folder, 3, state(report)) == ""
    found, warnings = load(folder, 3, anything)
    assert found is not None
    assert (found["result"]["report"], warnings) == (2, [])
    assert torch.equal(found["trial"], state(2)["trial"])
    assert load(folder, 4, anything) == (None, [])


DAMAGE = {
    "a flipped bit": flip_a_bit,
    "half of it": lambda file: file.write_bytes(file.read_bytes()[:700]),
    "nothing": lambda file: file.write_bytes(b""),
    "zeros": lambda file: file.write_bytes(b"\0" * 4000),
    "text": lambda file: file.write_text("not a checkpoint"),
    "lost bytes": lambda file: file.write_bytes(
        file.read_bytes()[:700] + file.read_bytes()[1700:]
    ),
    "an endless part": lambda file: file.write_bytes(
        file.read_bytes().replace(b"PK\x01\x02", b"PK\x01\x02" + b"\xff" * 40, 1)
    ),
    "another content": lambda file: torch.save({"weights": 1}, file),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_checkpoint_is_set_aside_and_the_previous_one_is_used(
    folder: StudyFolder, damage: str
) -> None:
    for report in (1, 2):
        save(folder, 0, state(report))
    DAMAGE[damage](folder.checkpoint(0))
    damaged = folder.checkpoint(0).read_bytes()
    found, warnings = load(folder, 0, anything)
    assert found is not None
    assert found["result"]["report"] == 1
    assert warnings[0].startswith("trial-00000.pt is damaged and was set aside: ")
    assert (folder.checkpoints / "trial-00000.damaged").read_bytes() == damaged


def test_without_a_valid_checkpoint_the_trial_starts_again_with_a_warning(
    folder: StudyFolder,
) -> None:
    save(folder, 0, state(1))
    folder.checkpoint(0).write_bytes(b"?")
    found, warnings = load(folder, 0, anything)
    assert found is None
    assert warnings[-1] == "no older checkpoint: the trial starts again from its beginning"


def test_a_failed_write_leaves_the_previous_checkpoint(folder: StudyFolder) -> None:
    save(folder, 0, state(1))
    before = folder.checkpoint(0).read_bytes()
    unwritable: dict[str, Any] = {"weights": torch.zeros(4).to_sparse(), "none": lambda: None}
    with pytest.raises(Exception, match="pickle"):
        save(folder, 0, unwritable)  # A bug, which is raised, unlike a full disk.
    assert folder.checkpoint(0).read_bytes() == before


def test_a_full_disk_causes_a_warning_and_no_other_loss_than_the_checkpoint(
    folder: StudyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(folder, 0, state(1))
    open_ = Path.open
    monkeypatch.setattr(Path, "open", lambda self, mode: open_(Path("/dev/full"), mode))
    reason = save(folder, 0, state(2))
    monkeypatch.undo()
    assert reason.startswith("trial-00000.pt could not be written: ")
    found, _ = load(folder, 0, anything)
    assert found is not None
    assert found["result"]["report"] == 1


def test_discarding_deletes_all_checkpoints_of_the_trial_and_no_others(
    folder: StudyFolder,
) -> None:
    for trial in (1, 11):
        for report in (1, 2):
            save(folder, trial, state(report))
    (folder.checkpoints / "trial-00001.77.partial").write_bytes(b"half")
    discard(folder, 1)
    assert sorted(folder.checkpoints.iterdir()) == sorted(
        [folder.checkpoint(11), previous(folder.checkpoint(11))]
    )


def test_partial_files_of_killed_processes_are_deleted(folder: StudyFolder) -> None:
    save(folder, 1, state(1))
    (folder.checkpoints / "trial-00001.77.partial").write_bytes(b"half")
    discard_partial(folder)
    assert list(folder.checkpoints.iterdir()) == [folder.checkpoint(1)]


def test_a_checkpoint_that_cannot_be_deleted_is_kept(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path)
    folder.checkpoint(0).mkdir(parents=True)  # No file, so it cannot be unlinked.
    discard(folder, 0)
    assert folder.checkpoint(0).exists()


@pytest.mark.parametrize(
    "error", [OSError(22, "Invalid argument"), MemoryError(), RecursionError("depth"), KeyError(1)]
)
def test_whatever_a_reader_raises_is_damage(
    folder: StudyFolder, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    for report in (1, 2):
        save(folder, 0, state(report))
    read = torch.load
    failing = [error]

    def load_(*arguments: Any, **options: Any) -> Any:
        if failing:
            raise failing.pop()
        return read(*arguments, **options)

    monkeypatch.setattr(torch, "load", load_)
    found, warnings = load(folder, 0, anything)
    assert found is not None
    assert found["result"]["report"] == 1
    assert len(warnings) == 1


def test_an_error_of_the_comparison_with_the_journal_is_no_damage(folder: StudyFolder) -> None:
    def fits(saved: dict[str, Any]) -> bool:
        raise KeyError("a bug")

    save(folder, 0, state(1))
    with pytest.raises(KeyError, match="a bug"):
        load(folder, 0, fits)
    assert folder.checkpoint(0).exists()
