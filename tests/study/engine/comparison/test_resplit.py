"""Runs whose data seed draws their splits: data, outputs, resume, and the race."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from study.engine.comparison import finalists
from study.engine.comparison.outputs import write_labels
from study.engine.comparison.preview import preview
from study.engine.comparison.request import ComparisonRequest
from study.engine.comparison.runs import ComparisonRun
from study.spec.comparison.schema import ComparisonSpec, FactorSeeds
from study.tasks import Split
from study.tasks.resplit import Pool
from study.training.encoding import EncodedPool, EncodedTask, encode_split
from tests.study.engine.comparison.small import (
    OpenLedger,
    Prepared,
    configuration,
    open_ledger,
    prepared,
    reports_of,
    start,
)

__all__ = ["open_ledger", "prepared"]


@pytest.fixture
def redrawn(prepared: Prepared) -> Prepared:
    """The small data, whose 72 rows may be drawn into other splits."""
    info, data = prepared
    splits = {name: getattr(data, name) for name in ("train", "dev", "test")}
    rows = [split.row(row).tolist() for split in splits.values() for row in range(len(split))]
    labels = np.concatenate([split.labels for split in splits.values()]).tolist()
    first = [name for name, split in splits.items() for _ in range(len(split))]
    sequences = ["".join("ACGT"[number >> shift & 3] for shift in (0, 2, 4)) + "A" * (number + 1)
                 for number in range(len(rows))]  # fmt: skip
    pool = Pool("made", Split(sequences, labels), {"dev": 0.25, "test": 0.25}, first)
    whole = EncodedPool(encode_split(rows, labels), pool, pool.units(), ())
    return info, replace(data, pool=whole)


def drawn_by(data: int, label: str = "best", *overrides: str) -> ComparisonRun:
    return ComparisonRun.of(configuration(label, *overrides), mask=1, init=2, data=data)


def test_a_run_trains_and_is_tested_on_the_rows_of_its_data_seed(
    redrawn: Prepared, open_ledger: OpenLedger
) -> None:
    folder, data = open_ledger().folder, redrawn[1]
    runs = [drawn_by(3), drawn_by(3, "other", "adapter.p=0"), drawn_by(4)]
    for number, run in enumerate(runs):
        worker = start(redrawn, folder, run, number)
        reports_of(worker)
        assert worker.trial is not None
        assert worker.trial.data.fingerprint() == data.at(run.data).fingerprint()
    stored = [np.load(folder.output(number)) for number in range(3)]
    for run, arrays in zip(runs, stored, strict=True):
        expected = data.at(run.data)
        assert expected.drawn is not None
        assert np.array_equal(arrays["units_test"], expected.drawn.units["test"])
        assert np.array_equal(arrays["labels_test"], expected.test.labels)
        assert arrays["test"].shape == (len(expected.test), 2)
        assert float(arrays["share_test"]) == pytest.approx(len(expected.test) / 72)
    assert np.array_equal(stored[0]["units_test"], stored[1]["units_test"])
    assert not np.array_equal(stored[0]["units_test"], stored[2]["units_test"])


def test_a_resumed_run_has_the_same_rows_and_scores(
    redrawn: Prepared, open_ledger: OpenLedger
) -> None:
    folder = open_ledger().folder
    expected = reports_of(start(redrawn, folder, drawn_by(3), 0))
    interrupted = start(redrawn, folder, drawn_by(3), 1)
    interrupted.step()
    resumed = start(redrawn, folder, drawn_by(3), 1)
    assert reports_of(resumed) == expected


def test_one_worker_trains_runs_of_different_splits_one_after_another(
    redrawn: Prepared, open_ledger: OpenLedger
) -> None:
    folder = open_ledger().folder
    worker = start(redrawn, folder, drawn_by(3), 0)
    seen = [worker._data(seed) for seed in (3, 3, 4, 3)]
    assert seen[0] is seen[1]
    assert seen[2].fingerprint() != seen[0].fingerprint() == seen[3].fingerprint()


def test_the_folder_of_a_comparison_has_labels_by_which_it_is_known(
    redrawn: Prepared, open_ledger: OpenLedger
) -> None:
    folder, data = open_ledger().folder, redrawn[1]
    write_labels(folder, data)
    assert np.array_equal(np.load(folder.labels)["test"], data.test.labels)


def test_the_race_draws_train_and_dev_but_keeps_test(
    redrawn: Prepared, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    class OpenedError(Exception):
        pass

    def opened(*arguments: Any) -> None:
        data: EncodedTask = next(one for one in arguments if isinstance(one, EncodedTask))
        for seed in (3, 4):
            assert np.array_equal(data.at(seed).test.tokens, redrawn[1].test.tokens)
        raise OpenedError

    own = configuration()
    candidates = SimpleNamespace(
        search={0: 0.5, 1: 0.4}, check=lambda record: None, configurations=[own]
    )
    monkeypatch.setattr(finalists, "Candidates", lambda ledger: candidates)
    monkeypatch.setattr(finalists, "open_comparison", opened)
    monkeypatch.setattr(finalists, "experiment_of", lambda record: "x")
    folder = SimpleNamespace(finalists=tmp_path / "finalists", mlflow=tmp_path / "mlflow.db")
    ledger: Any = SimpleNamespace(folder=folder, metric="dev_mcc", record=None)
    resources: Any = None
    display: Any = None
    with pytest.raises(OpenedError):
        finalists.run_race(ledger, redrawn[0], redrawn[1], resources, None, display)


def test_the_plan_says_that_splits_are_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    seeds = FactorSeeds(mask=(1, 2), init=(1, 2), data=(1, 2))
    for resplit in (True, False):
        one = configuration("best", f"task.resplit={resplit}".lower()).spec
        spec = ComparisonSpec(configurations={"best": one}, pairs=seeds)
        preview(ComparisonRequest(spec, {}), 32)
        assert ("task.resplit" in capsys.readouterr().out) == resplit
