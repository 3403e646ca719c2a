"""Examinations of the folders of a comparison and of a race."""

from pathlib import Path

import pytest

from study.doctor.examination import GROUPS
from study.doctor.finding import Finding, NotCheckedError
from study.doctor.subject import read_subject
from study.engine.comparison.design import runs_of
from study.engine.comparison.results import rebuild_results
from study.errors import InputError
from study.spec import SeedsSpec
from study.spec.comparison.schema import ComparisonSpec, FactorSeeds, dump_comparison
from study.storage.folder import StudyFolder
from study.storage.stored import StoredStudy
from tests.study.engine.comparison.simulated import Driver
from tests.study.engine.comparison.small import OpenLedger, configuration

SPEC = ComparisonSpec(
    configurations={"best": configuration().spec}, seeds=FactorSeeds.fresh(SeedsSpec(), 2, 1, 1)
)


def made(open_ledger: OpenLedger) -> StudyFolder:
    """Two runs, complete."""
    driver = Driver(open_ledger(), lambda record: runs_of(SPEC))
    driver.finish()
    folder = driver.ledger.folder
    folder.spec.write_text(dump_comparison(SPEC))
    rebuild_results(StoredStudy.read(folder))
    return folder


def ask(folder: StudyFolder, group: str) -> list[Finding]:
    return list(GROUPS[group](read_subject(folder.path, None)))


def test_a_valid_comparison_has_no_findings(open_ledger: OpenLedger) -> None:
    folder = made(open_ledger)
    for group in ("journal", "trials", "checkpoints", "files"):
        assert ask(folder, group) == [], group
    with pytest.raises(NotCheckedError, match="a comparison has none"):
        ask(folder, "scheduler")


def test_results_that_differ_from_the_journal_are_reported(open_ledger: OpenLedger) -> None:
    folder = made(open_ledger)
    folder.results.write_text(folder.results.read_text().replace("complete", "running", 1))
    [found] = ask(folder, "files")
    assert "results.csv differs from the journal in row 0" in found.problem
    assert "python -m study.seeds" in found.fix


def test_the_folder_of_a_race_is_refused_with_the_folder_of_its_study(tmp_path: Path) -> None:
    study = StudyFolder(tmp_path / "study")
    study.finalists.mkdir(parents=True)
    for folder in (study, StudyFolder(study.finalists)):
        folder.spec.write_text("task: {name: promoters}\n")
    with pytest.raises(InputError, match=f"race of its finalists.*give {study.path}"):
        read_subject(study.finalists, None)
