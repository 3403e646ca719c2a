"""The weights of runs: which are kept, and that they are those of the run."""

from typing import Any

import numpy as np
import pytest

from study.engine import worker as worker_module
from study.engine.comparison.finalists import discard_other_weights
from study.engine.comparison.runs import ComparisonRun
from study.engine.comparison.scheduling import ComparisonSearcher
from study.engine.comparison.shared_prefixes import SharedPrefixes
from study.training.files import trained
from study.training.files.trained import load_trained
from tests.study.engine.comparison.simulated import Driver
from tests.study.engine.comparison.small import (
    ROWS,
    OpenLedger,
    Prepared,
    configuration,
    crossed,
    open_ledger,
    prepared,
    reports_of,
    start,
)

__all__ = ["open_ledger", "prepared"]


@pytest.fixture
def loads_the_tiny_backbone(monkeypatch: pytest.MonkeyPatch, prepared: Prepared) -> None:
    """The reader of trained weights gets the backbone that the workers get."""
    monkeypatch.setattr(trained, "inspect_backbone", lambda *given, **settings: prepared[0])
    monkeypatch.setattr(trained, "load_backbone", worker_module.load_backbone)


def test_the_weights_of_a_run_give_its_logits_and_are_kept_on_request_only(
    prepared: Prepared, open_ledger: OpenLedger, loads_the_tiny_backbone: None
) -> None:
    folder = open_ledger().folder
    run = ComparisonRun.of(configuration(), mask=7, init=8, data=9)
    reports_of(start(prepared, folder, run, number=0))
    assert not folder.weights.exists()
    worker = start(prepared, folder, run, number=3, keep=True)
    reports_of(worker)
    assert worker.trial is not None
    expected = worker.trial.logits(worker.data.test)
    model, _ = load_trained(run.spec, folder.run_weights(3), None)
    worker.trial.model = model.model
    np.testing.assert_array_equal(worker.trial.logits(worker.data.test), expected)


def test_the_searcher_asks_for_the_weights_of_the_runs_that_confirm(
    open_ledger: OpenLedger,
) -> None:
    ledger, runs = open_ledger(), crossed(configuration(), masks=1, blocks=2)
    searcher = ComparisonSearcher(
        ledger,
        lambda record: runs,
        SharedPrefixes(ledger.folder, ROWS),
        lambda run: ("dev",),
        keeps=lambda run: run is runs[1],
    )
    handed: list[Any] = [searcher.suggest(name) for name in ("a", "b")]
    assert [one["keep"] for one in handed] == [False, True]


def test_only_the_weights_of_the_runs_that_confirm_remain(open_ledger: OpenLedger) -> None:
    ledger, runs = open_ledger(), crossed(configuration(), masks=3)
    driver = Driver(ledger, lambda record: runs)
    driver.finish()
    for number in (0, 1, 2, 9):
        ledger.folder.run_weights(number).mkdir(parents=True)
        (ledger.folder.run_weights(number) / "head.safetensors").touch()
    discard_other_weights(ledger, runs[1:])
    trials = {number: trial.seeds["mask"] for number, trial in ledger.record.trials.items()}
    left = sorted(int(one.name.removeprefix("run-")) for one in ledger.folder.weights.iterdir())
    assert [trials[number] for number in left] == [101, 102]
    discard_other_weights(ledger, [])
    assert not any(ledger.folder.weights.iterdir())
