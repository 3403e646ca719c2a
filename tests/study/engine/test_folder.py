"""Study folders: what may start where, what may go on."""

import os
from pathlib import Path

import pytest
from ledgers import ReadSpec

from study.engine.folder import StudyFolder, changes_of_study, check_folder, locked, open_folder
from study.errors import InputError
from study.spec import dump_spec, load_spec


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
    with pytest.raises(InputError, match="holds a study; continue it with --resume"):
        check_folder(tmp_path / "study", changes_of_study(read_spec()), resume=False)
    check_folder(tmp_path / "study", changes_of_study(read_spec()), resume=True)


def test_resuming_needs_a_study(tmp_path: Path, read_spec: ReadSpec) -> None:
    with pytest.raises(InputError, match=r"there is no spec\.yaml here"):
        check_folder(tmp_path / "study", changes_of_study(read_spec()), resume=True)


def test_resuming_with_another_spec_is_refused_and_names_the_section(
    tmp_path: Path, read_spec: ReadSpec
) -> None:
    open_folder(tmp_path / "study", dump_spec(read_spec()))
    with pytest.raises(InputError, match="it differs in: adapter, seeds"):
        check_folder(
            tmp_path / "study",
            changes_of_study(read_spec("adapter.p=0.2", "seeds.mask=3")),
            resume=True,
        )


def test_resuming_with_other_resources_is_allowed(tmp_path: Path, read_spec: ReadSpec) -> None:
    open_folder(tmp_path / "study", dump_spec(read_spec()))
    check_folder(
        tmp_path / "study", changes_of_study(read_spec("resources.max_concurrent=1")), resume=True
    )


def test_a_foreign_folder_is_refused(tmp_path: Path, read_spec: ReadSpec) -> None:
    (tmp_path / "mine.txt").write_text("a letter")
    with pytest.raises(InputError, match="in use by something else"):
        check_folder(tmp_path, changes_of_study(read_spec()), resume=False)


def test_a_file_in_the_way_is_refused(tmp_path: Path, read_spec: ReadSpec) -> None:
    (tmp_path / "study").write_text("a letter")
    with pytest.raises(InputError, match="in use by something else"):
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


def test_one_driver_at_a_time_works_in_a_folder(tmp_path: Path, read_spec: ReadSpec) -> None:
    folder = open_folder(tmp_path / "study", dump_spec(read_spec()))
    with locked(folder), pytest.raises(InputError, match="another is at work"), locked(folder):
        pass
    with locked(folder):
        pass


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
