"""Sessions of comparisons: when Ray is started, and when it is not needed."""

from pathlib import Path
from typing import Any

import pytest

from study.engine.comparison import session
from study.engine.comparison.design import runs_of
from study.engine.console.display import Display
from study.engine.driver import SessionStatus
from study.errors import InputError
from study.spec import SeedsSpec
from study.spec.comparison.schema import ComparisonSpec, FactorSeeds
from study.storage.folder import StudyFolder
from study.storage.opening import locked
from study.storage.stored import StoredStudy
from tests.study.engine.comparison.simulated import Driver
from tests.study.engine.comparison.small import OpenLedger, Prepared, configuration

SPEC = ComparisonSpec(
    configurations={"best": configuration().spec}, seeds=FactorSeeds.fresh(SeedsSpec(), 2, 1, 1)
)


class NoTracker:
    """In place of MLflow."""

    def __init__(self, *given: Any) -> None:
        self.closed = ""

    def close(self, record: Any, status: str) -> None:
        """Does nothing."""


@pytest.fixture(autouse=True)
def without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*given: Any) -> None:
        raise AssertionError("Ray was to be started")

    monkeypatch.setattr(session, "study_cluster", refuse)
    monkeypatch.setattr(session, "Tracker", NoTracker)


def go(path: Path, prepared: Prepared) -> SessionStatus:
    stored = StoredStudy.read(StudyFolder(path))
    return session.run_comparison(
        stored,
        SPEC,
        *prepared,
        address=None,
        tracking_uri=None,
        display=Display(),
    )


def test_a_finished_comparison_needs_no_ray_and_prints_the_shared_steps(
    open_ledger: OpenLedger, prepared: Prepared, capsys: pytest.CaptureFixture[str]
) -> None:
    driver = Driver(open_ledger(), lambda record: runs_of(SPEC), concurrent=1)
    driver.fill()
    driver.report(), driver.report(), driver.fill()
    driver.report(shared_steps=2.0, shared_seconds=1.5)
    driver.report(shared_steps=2.0, shared_seconds=1.5)
    folder = driver.ledger.folder
    assert go(folder.path, prepared) is SessionStatus.DONE
    printed = capsys.readouterr().out
    assert "runs       2 complete, 0 failed, 0 left of 2" in printed
    assert "shared     2 steps (2 s of training) were not repeated" in printed
    assert folder.results.exists()


def test_an_unfinished_comparison_starts_ray(open_ledger: OpenLedger, prepared: Prepared) -> None:
    with pytest.raises(AssertionError, match="Ray was to be started"):
        go(open_ledger().folder.path, prepared)


def test_a_second_driver_is_refused_before_ray_is_started(
    open_ledger: OpenLedger, prepared: Prepared
) -> None:
    path = open_ledger().folder.path
    with locked(StudyFolder(path)), pytest.raises(InputError, match="another is at work"):
        go(path, prepared)
