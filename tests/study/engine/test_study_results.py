"""trials.csv and pareto.csv: which columns, which rows."""

import csv
import errno
from pathlib import Path
from unittest import mock

import pytest
import ray
import torch
from ray.exceptions import RayTaskError, WorkerCrashedError
from safetensors import SafetensorError

from study.engine.resources import Resources
from study.engine.winner import evaluate_winner, write_best_spec
from study.spec import load_spec, resolve
from study.storage.events import Report
from study.storage.ledger import StudyLedger
from study.storage.record import OUT_OF_MEMORY
from study.storage.tables import write_trials
from tests.study.ledgers import OpenLedger, create

TWO = "objectives=[maximize dev_mcc, minimize trainable_parameters]"


def ended(ledger: StudyLedger, value: float, size: int, state: str, reason: str = "") -> None:
    number = len(ledger.record.trials)
    create(ledger, number)
    metrics = {"dev_mcc": value, "trainable_parameters": size}
    ledger.append(Report(trial=number, report=4, step=40, metrics=metrics))
    ledger.end(ledger.record.trials[number], state, reason)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_table_without_constraints_and_objectives_has_no_columns_for_them(
    open_ledger: OpenLedger,
) -> None:
    ledger = open_ledger()
    ended(ledger, 0.5, 100, "complete")
    write_trials(ledger)
    [row] = rows(ledger.folder.trials)
    assert not {"feasible", "on_front"} & set(row)
    assert not ledger.folder.pareto.exists()


def test_feasible_and_front_stand_in_the_tables(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(TWO, 'constraints={trainable_parameters: "<= 100"}')
    ended(ledger, 0.5, 100, "complete")
    ended(ledger, 0.9, 101, "complete")
    ended(ledger, 0.4, 100, "complete")
    ended(ledger, 0.3, 50, "complete")
    ended(ledger, 0.9, 50, "pruned")
    ended(ledger, 0.9, 200, "pruned")
    ended(ledger, 0.9, 50, "failed", "diverged")
    ended(ledger, 0.9, 50, "failed", f"{OUT_OF_MEMORY} on the GPU")
    create(ledger, 8)
    write_trials(ledger)
    table = rows(ledger.folder.trials)
    assert [row["feasible"] for row in table] == [
        "yes", "no", "yes", "yes", "", "no", "", "no", "",
    ]  # fmt: skip
    assert [row["on_front"] for row in table] == ["yes", "no", "no", "yes", *[""] * 5]
    front = rows(ledger.folder.pareto)
    assert [row["trial"] for row in front] == ["0", "3"]
    assert front[0] == table[0]


def test_the_winners_spec_has_nothing_to_choose(open_ledger: OpenLedger, tmp_path: Path) -> None:
    ledger = open_ledger(TWO, 'constraints={trainable_parameters: "<= 100"}')
    params = {"b0": 6, "bT_ratio": 0.5, "p": 0.1, "lr": 1e-3}
    write_best_spec(ledger.folder, resolve(ledger.spec, params))
    best = load_spec(str(ledger.folder.best_spec))
    assert (best.goals.constraints, len(best.goals.objectives)) == ((), 1)
    assert best.search.trials == 1


@pytest.mark.parametrize(
    ("raised", "kind", "said"),
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
def test_what_goes_wrong_where_the_winner_is_evaluated_is_told_as_if_it_were_here(
    open_ledger: OpenLedger,
    monkeypatch: pytest.MonkeyPatch,
    raised: Exception,
    kind: type[Exception],
    said: str,
) -> None:
    def fail(reference: object) -> None:
        if isinstance(raised, WorkerCrashedError):  # Ray's own, not the task's.
            raise raised
        raise RayTaskError("_measure", "Traceback ...", raised).as_instanceof_cause()

    ledger = open_ledger()
    ended(ledger, 0.5, 100, "complete")
    monkeypatch.setattr(ray, "remote", lambda function: mock.MagicMock())
    monkeypatch.setattr(ray, "put", lambda data: data)
    monkeypatch.setattr(ray, "get", fail)
    wanted = Resources(1, 0.0, concurrent=1)
    with pytest.raises(kind, match=said) as told:
        evaluate_winner(ledger, ledger.record.trials[0], mock.Mock(), mock.Mock(), wanted)
    if isinstance(told.value, OSError):
        assert told.value.errno == errno.ENOSPC
