"""The winner: its spec best.yaml, and the errors of its evaluation."""

import errno
import json
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import ray
import torch
from ray.exceptions import RayTaskError, WorkerCrashedError
from safetensors import SafetensorError

from study.engine.resources import Resources
from study.engine.winner import evaluate_winner, scores_of, write_best_spec
from study.spec import load_spec, resolve
from study.storage.events import Report
from study.storage.predictions import SPLITS, Predictions, SplitPredictions
from tests.study.ledgers import OpenLedger, create


def test_the_winners_spec_has_no_domains_constraints_or_second_objective(
    open_ledger: OpenLedger, tmp_path: Path
) -> None:
    ledger = open_ledger(
        "objectives=[maximize dev_mcc, minimize trainable_parameters]",
        'constraints={trainable_parameters: "<= 100"}',
    )
    params = {"b0": 6, "bT_ratio": 0.5, "p": 0.1, "lr": 1e-3}
    write_best_spec(ledger.folder, resolve(ledger.spec, params))
    best = load_spec(str(ledger.folder.best_spec))
    assert (best.goals.constraints, len(best.goals.objectives)) == ((), 1)
    assert best.search.trials == 1


def test_a_metric_that_does_not_exist_without_a_class_is_null_in_the_scores() -> None:
    labels = np.array([0, 1, 1, 0])
    split = SplitPredictions(np.eye(3, dtype=np.float32)[labels], labels)
    scores = scores_of(Predictions(dict.fromkeys(SPLITS, split), ("a", "b", "c")))
    assert [scores["test"][f"test_{name}"] for name in ("auc", "auprc", "f1")] == [None, None, 1]
    assert "NaN" not in json.dumps(scores)


@pytest.mark.parametrize(
    ("raised", "kind", "message"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "head"), OSError, "No space left"),
        (SafetensorError("I/O error: full (os error 28)"), OSError, "No space left"),
        (
            MemoryError(),
            MemoryError,
            r"\(trial 0\) could not be evaluated: MemoryError",
        ),
        (
            torch.OutOfMemoryError("20 GiB"),
            MemoryError,
            "evaluated: OutOfMemoryError: 20 GiB",
        ),
        (
            OSError(errno.ENOMEM, "Cannot allocate memory"),
            MemoryError,
            r"\(trial 0\) could not be evaluated: .*Cannot allocate memory",
        ),
        (
            WorkerCrashedError(),
            MemoryError,
            r"\(trial 0\) could not be evaluated: the worker process died",
        ),
        (ZeroDivisionError("a bug"), ZeroDivisionError, "pid="),
    ],
)
def test_an_error_of_the_evaluation_in_the_worker_is_raised_with_its_type_and_message(
    open_ledger: OpenLedger,
    monkeypatch: pytest.MonkeyPatch,
    raised: Exception,
    kind: type[Exception],
    message: str,
) -> None:
    def fail(reference: object) -> None:
        if isinstance(raised, WorkerCrashedError):  # Raised by Ray, not by the task.
            raise raised
        raise RayTaskError("_measure", "Traceback ...", raised).as_instanceof_cause()

    ledger = open_ledger()
    create(ledger, 0)
    metrics = {"dev_mcc": 0.5, "trainable_parameters": 100}
    ledger.append(Report(trial=0, report=4, step=40, metrics=metrics))
    ledger.end(ledger.record.trials[0], "complete", "")
    monkeypatch.setattr(ray, "remote", lambda function: mock.MagicMock())
    monkeypatch.setattr(ray, "put", lambda data: data)
    monkeypatch.setattr(ray, "wait", lambda tasks, timeout: (tasks, []))
    monkeypatch.setattr(ray, "get", fail)
    resources = Resources(1, 0.0, concurrent=1)
    with pytest.raises(kind, match=message) as caught:
        evaluate_winner(ledger, ledger.record.trials[0], mock.Mock(), mock.Mock(), resources)
    if isinstance(caught.value, OSError):
        assert caught.value.errno == errno.ENOSPC
