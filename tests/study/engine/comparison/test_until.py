"""Pairs that are added until a decision."""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from study.engine.comparison import session
from study.engine.comparison.runs import ComparisonRun
from study.engine.comparison.until import Growth, PlannedRuns
from study.engine.console.display import Display
from study.spec import SeedsSpec
from study.spec.comparison.schema import (
    ComparisonSpec,
    FactorSeeds,
    dump_comparison,
    load_comparison,
)
from study.storage.events import Report, StudyOpened, TrialEnded
from study.storage.folder import StudyFolder
from study.storage.ledger import Ledger
from study.storage.opening import open_folder
from study.storage.runs import created, key_of, latest_trials
from study.storage.stored import StoredStudy
from tests.study.engine.comparison.small import configuration

SPEC = ComparisonSpec(
    configurations={"best": configuration().spec, "never": configuration("n", "adapter.p=0").spec},
    pairs=FactorSeeds.fresh(SeedsSpec(), 2, 2, 2),
)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    ledger = Ledger(open_folder(tmp_path / "a", ""), "dev_mcc")
    ledger.append(StudyOpened(version=1, name="a", spec="spec.yaml"))
    return ledger


def end(ledger: Ledger, run: ComparisonRun) -> None:
    number = len(ledger.record.trials)
    ledger.append(created(number, run, 8, 1))
    metrics = {"dev_mcc": 0.5, "test_mcc": 0.5}
    ledger.append(Report(trial=number, report=1, step=8, metrics=metrics))
    ledger.append(TrialEnded(trial=number, state="complete", reason=""))


def run_all(planned: PlannedRuns, ledger: Ledger, most: int = 100) -> int:
    """Ends one run after another as long as there are any; returns their number."""
    for ended in range(most):
        trials = latest_trials(ledger.record)
        left = [run for run in planned(ledger.record) if key_of(run) not in trials]
        if not left:
            return ended
        end(ledger, left[0])
    return most


def test_pairs_are_added_until_the_decision(ledger: Ledger) -> None:
    looks: list[Path] = []

    def decided(folder: Path) -> bool:
        looks.append(folder)
        assert StudyFolder(folder).results.is_file()
        return len(looks) == 5

    planned = PlannedRuns(ledger.folder, SPEC, "dev_mcc", Growth(decided, 50))
    assert run_all(planned, ledger) == 2 * 5
    stored = load_comparison(ledger.folder.spec)
    assert stored.pairs is not None
    assert stored.pairs.parallel == [(n, n, n) for n in range(2000, 2005)]


def test_after_the_decision_only_runs_of_pairs_that_have_begun_remain(ledger: Ledger) -> None:
    spec = SPEC.model_copy(update={"pairs": FactorSeeds.fresh(SeedsSpec(), 9, 9, 9)})
    ended: list[ComparisonRun] = []
    planned = PlannedRuns(
        ledger.folder, spec, "dev_mcc", Growth(lambda folder: len(ended) >= 6, 50)
    )
    for run in planned(ledger.record)[:7]:  # Three pairs and a run of the fourth.
        end(ledger, run)
        ended.append(run)
        left = planned(ledger.record)
    # The first run of the fourth pair ended after the decision: its partner is not begun.
    assert [key_of(run) for run in left[:6]] == [key_of(run) for run in ended[:6]]
    assert len(left) == 6
    stored = load_comparison(ledger.folder.spec)
    assert stored.pairs is not None
    assert len(stored.pairs.init) == 3
    again = PlannedRuns(ledger.folder, spec, "dev_mcc", Growth(lambda folder: True, 50))
    assert len(again(ledger.record)) == 8  # The pair that has begun is completed.


def test_the_budget_ends_an_undecided_comparison(ledger: Ledger) -> None:
    planned = PlannedRuns(ledger.folder, SPEC, "dev_mcc", Growth(lambda folder: False, 4))
    assert run_all(planned, ledger) == 8


def test_a_resumed_comparison_continues_with_the_same_pairs(ledger: Ledger) -> None:
    never = Growth(lambda folder: False, 4)
    planned = PlannedRuns(ledger.folder, SPEC, "dev_mcc", never)
    run_all(planned, ledger, most=5)
    again = PlannedRuns(ledger.folder, load_comparison(ledger.folder.spec), "dev_mcc", never)
    assert run_all(again, ledger) == 3
    assert {run.init for run in again(ledger.record)} == {2000, 2001, 2002, 2003}


def test_an_undecided_comparison_is_resumed_with_a_larger_budget(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(most: int) -> Growth:
        return Growth(lambda folder: False, most)

    folder = ledger.folder
    folder.spec.write_text(dump_comparison(SPEC))
    run_all(PlannedRuns(folder, SPEC, "dev_mcc", never(3)), ledger)

    def opened(*given: Any) -> None:
        raise OpenedError(given[1])

    def cluster(*given: Any) -> AbstractContextManager[Any]:
        return nullcontext((None, SimpleNamespace(concurrent=1)))

    monkeypatch.setattr(session, "check_data", lambda *given: None)
    monkeypatch.setattr(session, "study_cluster", cluster)
    monkeypatch.setattr(session, "open_comparison", opened)
    none: Any = None
    with pytest.raises(OpenedError) as reached:
        session.run_comparison(
            StoredStudy.read(folder), load_comparison(folder.spec), none, none, None, None,
            Display(), never(9),
        )  # fmt: skip
    # A fourth pair is in spec.yaml before its runs exist, and is no change of the comparison.
    assert str(reached.value) == folder.spec.read_text()
    grown = load_comparison(folder.spec).pairs
    assert grown is not None
    assert len(grown.init) == 4


class OpenedError(Exception):
    """The session got as far as its runs."""


def test_without_growth_the_planned_runs_are_all(ledger: Ledger) -> None:
    planned = PlannedRuns(ledger.folder, SPEC, "dev_mcc", None)
    assert run_all(planned, ledger) == 4
