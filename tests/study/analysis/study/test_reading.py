from pathlib import Path

import pytest

from study.analysis.study.reading import read_study
from study.errors import InputError
from study.storage.folder import StudyFolder
from study.storage.stored import StoredStudy
from tests.study.analysis.study.made_studies import FIXED, MadeStudy


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="but got no such folder"):
        read_study(StoredStudy.read(StudyFolder(tmp_path / "none")))


@pytest.mark.parametrize("name", ["events.jsonl", "spec.yaml"])
def test_a_folder_without_a_file_of_a_study_is_refused(finished: MadeStudy, name: str) -> None:
    (finished.folder.path / name).unlink()
    with pytest.raises(InputError, match=f"but got a folder without {name}; "):
        finished.read()


def test_a_line_that_is_not_json_is_refused_with_its_number(finished: MadeStudy) -> None:
    with finished.folder.journal.open("a") as file:
        file.write("not json\n")
    lines = finished.folder.journal.read_text().count("\n")
    with pytest.raises(InputError, match=rf"events\.jsonl:{lines}: .*'not json'"):
        finished.read()


def test_a_half_written_last_line_is_ignored_and_left_in_the_file(finished: MadeStudy) -> None:
    before = StoredStudy.read(finished.folder).events
    with finished.folder.journal.open("a") as file:
        file.write('{"event": "repo')
    text = finished.folder.journal.read_text()
    assert StoredStudy.read(finished.folder).events == before
    assert finished.folder.journal.read_text() == text


def test_a_budget_trace_that_is_not_json_is_refused(finished: MadeStudy) -> None:
    (finished.folder.best / "budget_trace.json").write_text("[")
    with pytest.raises(InputError, match=r"budget_trace\.json:1: must be JSON"):
        finished.read()


def test_a_budget_trace_without_a_winner_is_not_read(study: MadeStudy) -> None:
    study.folder.best.mkdir()
    (study.folder.best / "budget_trace.json").write_text("[")
    assert study.read().trace == []


def test_the_winner_is_the_leader(finished: MadeStudy) -> None:
    leader = finished.read().leader
    assert leader is not None
    assert leader.number == 0


def test_without_a_winner_the_best_complete_trial_is_the_leader(study: MadeStudy) -> None:
    study.run(0, [0.1] * 8)
    study.run(1, [0.2] * 8)
    study.run(2, [0.9])
    leader = study.read().leader
    assert leader is not None
    assert leader.number == 1


def test_the_trial_with_the_smallest_loss_is_the_leader(tmp_path: Path) -> None:
    made = MadeStudy(tmp_path / "loss", FIXED)
    for trial, loss in enumerate([0.7, 0.5, 0.6]):
        made.create(trial, {})
        made.report(trial, 1, loss, "dev_loss")
        made.end(trial, "complete")
    leader = made.read().leader
    assert leader is not None
    assert leader.number == 1


def test_the_name_is_that_of_the_journal_or_of_the_folder(study: MadeStudy) -> None:
    assert study.read().name == "made"
    study.folder.journal.write_text("")
    moved = study.folder.path.rename(study.folder.path.with_name("moved"))
    assert read_study(StoredStudy.read(StudyFolder(moved))).name == "moved"
