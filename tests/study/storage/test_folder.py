"""Study folders: in which a study may start, and which may be resumed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from study.errors import InputError
from study.spec import TaskSpec, dump_spec, load_spec
from study.storage.events import StudyOpened, StudyResumed
from study.storage.folder import StudyFolder
from study.storage.growth import changes_of_study
from study.storage.journal import Journal
from study.storage.opening import check_folder, is_locked, locked, open_folder
from tests.study.ledgers import ReadSpec

ROOT = Path(__file__).parent.parent.parent.parent


def test_the_spec_in_the_folder_reloads_to_the_same_spec(
    tmp_path: Path, read_spec: ReadSpec
) -> None:
    spec = read_spec()
    folder = open_folder(tmp_path / "study", dump_spec(spec))
    assert load_spec(str(folder.spec)) == spec


def test_a_folder_with_a_study_is_refused_unless_it_is_resumed(
    tmp_path: Path, read_spec: ReadSpec
) -> None:
    open_folder(tmp_path / "study", dump_spec(read_spec()))
    with pytest.raises(InputError, match="has been started; continue it with --resume"):
        check_folder(tmp_path / "study", changes_of_study(read_spec()), resume=False)
    check_folder(tmp_path / "study", changes_of_study(read_spec()), resume=True)


def test_a_new_study_in_the_folder_of_another_is_told_a_free_name(
    tmp_path: Path, read_spec: ReadSpec
) -> None:
    open_folder(tmp_path / "my study", dump_spec(read_spec()))
    with pytest.raises(InputError, match=r"or start another with --name 'my study-2'$"):
        check_folder(tmp_path / "my study", changes_of_study(read_spec()), resume=False)
    (tmp_path / "my study-2").mkdir()
    other = read_spec().model_copy(update={"task": TaskSpec(path=tmp_path)})
    with pytest.raises(
        InputError, match=r"other settings \(task\.[^)]*\); add --name 'my study-3'"
    ):
        check_folder(tmp_path / "my study", changes_of_study(other), resume=False)


def test_resuming_needs_a_study(tmp_path: Path, read_spec: ReadSpec) -> None:
    with pytest.raises(InputError, match=r"needs a study folder, but got no such folder"):
        check_folder(tmp_path / "study", changes_of_study(read_spec()), resume=True)


def test_resuming_with_another_spec_is_refused_and_names_the_settings(
    tmp_path: Path, read_spec: ReadSpec
) -> None:
    open_folder(tmp_path / "study", dump_spec(read_spec()))
    with pytest.raises(
        InputError, match=r"differs in: adapter\.p: .* -> 0\.2; seeds\.mask: 0 -> 3"
    ):
        check_folder(
            tmp_path / "study",
            changes_of_study(read_spec("adapter.p=0.2", "seeds.mask=3")),
            resume=True,
        )


@pytest.mark.parametrize("left", ["trials.csv", "best/scores.json", "checkpoints/trial-00000.pt"])
@pytest.mark.parametrize("is_there", [True, False])
def test_a_study_with_results_but_without_a_journal_is_not_resumed(
    tmp_path: Path, read_spec: ReadSpec, left: str, is_there: bool
) -> None:
    folder = open_folder(tmp_path / "study", dump_spec(read_spec()))
    check_folder(folder.path, changes_of_study(read_spec()), resume=True)
    (folder.path / left).parent.mkdir(exist_ok=True)
    (folder.path / left).touch()
    if is_there:
        folder.journal.touch()
    what = "an empty one" if is_there else "none"
    with pytest.raises(InputError, match=f"must have the journal, but got {what}; restore"):
        check_folder(folder.path, changes_of_study(read_spec()), resume=True)


def test_a_study_with_a_damaged_journal_is_not_resumed(
    tmp_path: Path, read_spec: ReadSpec
) -> None:
    folder = open_folder(tmp_path / "study", dump_spec(read_spec()))
    folder.journal.write_text('{"event": "report", garbage\n{"event": "resumed", "time": 1}\n')
    with pytest.raises(InputError, match=r"events\.jsonl:1: every line must be"):
        check_folder(folder.path, changes_of_study(read_spec()), resume=True)


def test_resuming_with_other_resources_is_allowed(tmp_path: Path, read_spec: ReadSpec) -> None:
    open_folder(tmp_path / "study", dump_spec(read_spec()))
    check_folder(
        tmp_path / "study", changes_of_study(read_spec("resources.max_concurrent=1")), resume=True
    )


def test_a_foreign_folder_is_refused(tmp_path: Path, read_spec: ReadSpec) -> None:
    (tmp_path / "mine.txt").write_text("a letter")
    with pytest.raises(InputError, match="one with other files, or a file"):
        check_folder(tmp_path, changes_of_study(read_spec()), resume=False)


def test_a_partly_created_folder_of_a_killed_driver_can_be_used(
    tmp_path: Path, read_spec: ReadSpec
) -> None:
    folder, spec = StudyFolder(tmp_path / "study"), read_spec()
    for directory in (folder.path, folder.checkpoints, folder.failures, folder.ray):
        directory.mkdir()
    for name in (".lock", "spec.partial", ".cluster-check-0a1b"):
        (folder.path / name).touch()
    check_folder(folder.path, changes_of_study(spec), resume=False)
    folder.checkpoint(0).touch()
    with pytest.raises(InputError, match="one with other files, or a file"):
        check_folder(folder.path, changes_of_study(spec), resume=False)


def test_the_spec_is_written_before_the_subfolders(
    tmp_path: Path, read_spec: ReadSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*arguments: object) -> None:
        raise KeyboardInterrupt

    spec = read_spec()
    monkeypatch.setattr(StudyFolder, "checkpoints", property(die))
    with pytest.raises(KeyboardInterrupt):
        open_folder(tmp_path / "study", dump_spec(spec))
    monkeypatch.undo()
    check_folder(tmp_path / "study", changes_of_study(spec), resume=True)
    assert open_folder(tmp_path / "study", dump_spec(spec)).checkpoints.is_dir()


def test_a_file_in_place_of_a_folder_is_refused(tmp_path: Path, read_spec: ReadSpec) -> None:
    (tmp_path / "study").write_text("a letter")
    with pytest.raises(InputError, match="one with other files, or a file"):
        check_folder(tmp_path / "study", changes_of_study(read_spec()), resume=False)
    with pytest.raises(InputError, match="must be writable"):
        check_folder(tmp_path / "study" / "below", changes_of_study(read_spec()), resume=False)


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_storage_without_permission_is_refused(tmp_path: Path, read_spec: ReadSpec) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(InputError, match="must be writable"):
            check_folder(tmp_path / "study", changes_of_study(read_spec()), resume=False)
    finally:
        tmp_path.chmod(0o700)


def test_a_second_driver_is_refused_while_the_first_has_the_lock(
    tmp_path: Path, read_spec: ReadSpec
) -> None:
    folder = open_folder(tmp_path / "study", dump_spec(read_spec()))
    with locked(folder), pytest.raises(InputError, match="another is at work"), locked(folder):
        pass
    with locked(folder):
        pass


HOLD = """
import subprocess, sys, time
from pathlib import Path
from study.storage.folder import StudyFolder
from study.storage.opening import locked
with locked(StudyFolder(Path(sys.argv[1]))):
    child = subprocess.Popen(["sleep", "60"])  # As Ray's processes may outlive their driver.
    print(child.pid, flush=True)
    time.sleep(60)
"""


@pytest.mark.process
def test_the_lock_of_a_killed_driver_is_released_although_its_children_live(
    tmp_path: Path,
) -> None:
    (tmp_path / "study").mkdir()
    folder = StudyFolder(tmp_path / "study")
    command = [sys.executable, "-c", HOLD, str(folder.path)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as driver:
        assert driver.stdout is not None
        child = int(driver.stdout.readline())
        assert is_locked(folder)
        with pytest.raises(InputError, match="another is at work"), locked(folder):
            pass
        driver.kill()
        driver.wait()
        os.kill(child, 0)  # The child is still alive.
        assert not is_locked(folder)
        with locked(folder):
            pass
        os.kill(child, signal.SIGKILL)


def test_is_locked_writes_no_file(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path)
    assert not is_locked(folder)
    assert list(tmp_path.iterdir()) == []
    with locked(folder):
        assert is_locked(folder)
    assert not is_locked(folder)


@pytest.mark.parametrize("version", [2, 17])
def test_a_study_of_a_newer_version_is_refused_before_its_spec_is_read(
    tmp_path: Path, read_spec: ReadSpec, version: int
) -> None:
    folder = StudyFolder(tmp_path)
    folder.spec.write_text("key_of_the_future: 1\n")
    written = {"adalora-rs-study": "7.1.0"}
    Journal(folder.journal).append(StudyOpened(version=version, name="a", created_with=written))
    with pytest.raises(InputError, match=r"newer version of this package \(adalora-rs-study 7"):
        check_folder(tmp_path, changes_of_study(read_spec()), resume=True)


def test_a_study_that_a_newer_version_has_resumed_is_refused(
    tmp_path: Path, read_spec: ReadSpec
) -> None:
    folder = open_folder(tmp_path / "study", dump_spec(read_spec()))
    journal = Journal(folder.journal)
    journal.append(StudyOpened(version=1, name="a"))
    for version in (1, 2):
        check_folder(folder.path, changes_of_study(read_spec()), resume=True)
        journal.append(StudyResumed(version=version, created_with={"adalora-rs-study": "7.1.0"}))
    with pytest.raises(InputError, match=r"newer version of this package \(adalora-rs-study 7"):
        check_folder(folder.path, changes_of_study(read_spec()), resume=True)
    with pytest.raises(InputError, match="newer version of this package"):
        journal.read()


def test_a_folder_that_cannot_be_created_is_refused(tmp_path: Path, read_spec: ReadSpec) -> None:
    with pytest.raises(InputError, match="must be one that can be created"):
        open_folder(Path("/proc/self/study"), dump_spec(read_spec()))


def test_checking_writes_nothing(tmp_path: Path, read_spec: ReadSpec) -> None:
    spec = read_spec()
    before = sorted(tmp_path.rglob("*"))
    check_folder(tmp_path / "runs" / "study", changes_of_study(spec), resume=False)
    assert sorted(tmp_path.rglob("*")) == before


def test_trial_files_are_named_by_number(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path)
    assert folder.checkpoint(7).name == "trial-00007.pt"
    assert folder.failure(7).name == "trial-00007.txt"
