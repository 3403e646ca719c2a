"""The baselines that every study computes at its start and beside its trials."""

import threading
from collections.abc import Callable

import pytest

from study.engine import baselines
from study.engine.baselines import Baselines
from study.spec.task import TaskSpec
from study.storage.events import BaselineMeasured, StudyOpened
from study.storage.journal import Journal
from study.storage.ledger import StudyLedger
from study.storage.result import study_result

TINY = TaskSpec(name="promoters", train=64, dev=32, test=32)
OpenLedger = Callable[..., StudyLedger]


def test_the_quick_ones_are_computed_in_a_thread_and_the_cnn_is_journalled_when_it_is_known(
    open_ledger: OpenLedger,
) -> None:
    ledger = open_ledger()
    with Baselines(TINY) as found:
        quick = found.quick()
        found.record_cnn(ledger, wait=True)
        found.record_cnn(ledger, wait=True)
    assert list(quick) == ["majority", "gc", "kmer"]
    assert quick["majority"]["dev_mcc"] == 0.0
    assert {"dev_mcc", "test_mcc", "test_auc"} <= set(quick["kmer"]) == set(quick["gc"])
    assert set(ledger.record.baselines["cnn"]) == set(quick["kmer"])
    journalled = Journal(ledger.folder.journal).read()
    assert sum(isinstance(event, BaselineMeasured) for event in journalled) == 1
    shown = study_result(ledger.record, ledger.spec).baselines
    assert shown["cnn"] == ledger.record.baselines["cnn"]


def test_a_resumed_study_computes_only_what_its_journal_lacks(
    open_ledger: OpenLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = open_ledger()
    with Baselines(TINY, known={"cnn": {}}) as found:
        assert found.quick() == {}
        found.record_cnn(ledger, wait=True)
    assert not ledger.record.baselines
    with Baselines(TINY, known={}) as found:
        assert found.quick() == {}
        found.record_cnn(ledger, wait=True)
    assert set(ledger.record.baselines) == {"cnn"}


def test_an_end_of_the_session_stops_the_cnn_and_a_failure_is_a_warning(
    open_ledger: OpenLedger,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ledger, begun = open_ledger(), threading.Event()

    def cnn(task: object, stopped: Callable[[], bool]) -> None:
        begun.set()
        while not stopped():
            pass
        raise MemoryError("too large")

    monkeypatch.setattr("study.training.cnn_baseline.cnn", cnn)
    with Baselines(TINY, known={}) as found:
        assert begun.wait(30)
        found.record_cnn(ledger, wait=False)  # Not known yet.
    found.record_cnn(ledger, wait=True)
    assert "the baseline cnn was not measured: too large" in capsys.readouterr().err
    assert not ledger.record.baselines


def test_a_large_task_has_no_counts_of_5_mers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baselines, "MOST_ROWS", 127)
    with Baselines(TINY) as found:
        assert list(found.quick()) == ["majority", "gc"]


def test_older_journals_have_the_baselines_of_their_version(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    ledger.record.opened = StudyOpened(baselines={"majority": {"test_mcc": 0.0}})
    assert list(study_result(ledger.record, ledger.spec).baselines) == ["majority"]
