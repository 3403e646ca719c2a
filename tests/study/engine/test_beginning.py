"""What a run of the driver says before it goes on with a study."""

from pathlib import Path

import pytest

from study.engine.beginning import created_with, warn_of_versions
from study.engine.folder import StudyFolder
from study.engine.ledger import Ledger


def test_other_versions_than_a_study_was_begun_with_are_warned_of_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger, now = Ledger(StudyFolder(tmp_path), "dev_mcc"), created_with()
    ledger.note("study", version=1, name="a", created_with=now | {"torch": "2.0", "ray": "2.9"})
    ledger.note("resumed", version=1, created_with=now)
    warn_of_versions(ledger, now)
    [line] = capsys.readouterr().err.splitlines()
    assert f"was begun with torch 2.0, ray 2.9, goes on with torch {now['torch']}, ray" in line


@pytest.mark.parametrize("begun", [{}, {"created_with": created_with()}])
def test_the_versions_that_a_study_was_begun_with_need_no_word(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], begun: dict[str, dict[str, str]]
) -> None:
    ledger = Ledger(StudyFolder(tmp_path), "dev_mcc")
    ledger.note("study", version=1, name="a", **begun)
    warn_of_versions(ledger, created_with())
    assert capsys.readouterr().err == ""
