"""A study folder with a spec, without Ray and without training."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from study.spec import StudySpec, dump_spec, load_spec
from study.storage.events import Report, StudyOpened, TrialCreated
from study.storage.ledger import Ledger, StudyLedger
from study.storage.opening import open_folder

SPACE = """
adapter:
  method: adalora_rs
  deltaT: 5
  b0: {type: int, low: 4, high: 8}
  bT: {type: float, low: 0.25, high: 1.0, ratio_of: b0}
  p: {type: float, low: 0.0, high: 0.3}
training:
  lr: {type: float, low: 1e-4, high: 1e-2, log: true, role: nuisance}
  steps: 40
  reports: 4
search:
  trials: 6
scheduler:
  name: asha
  reduction_factor: 2
  grace_fraction: 0.25
"""

ReadSpec = Callable[..., StudySpec]
OpenLedger = Callable[..., StudyLedger]


@pytest.fixture
def read_spec(tmp_path: Path) -> ReadSpec:
    """Returns a function of --set overrides: the spec above, read from a file."""

    def read(*overrides: str) -> StudySpec:
        file = tmp_path / "space.yaml"
        file.write_text(SPACE)
        return load_spec(str(file), overrides)

    return read


@pytest.fixture
def open_ledger(tmp_path: Path, read_spec: ReadSpec) -> OpenLedger:
    """Returns a function of --set overrides: a ledger in one and the same study folder."""

    def open_(*overrides: str) -> StudyLedger:
        spec = read_spec(*overrides)
        ledger = StudyLedger(open_folder(tmp_path / "runs" / "a study", dump_spec(spec)), spec)
        if not ledger.opened:
            ledger.append(StudyOpened(version=1, name="a study", spec="spec.yaml"))
        return ledger

    return open_


def without_score_loss(file: Path) -> str:
    """Makes a stored spec one of a version that did not have `score_loss`; returns its text."""
    text = file.read_text()
    older = re.sub(r"\n *(adapter\.)?score_loss: task", "", text)
    older = re.sub(r"(adapter\.)?score_loss: task, |, (adapter\.)?score_loss: task", "", older)
    assert older != text
    assert "score_loss" not in older
    file.write_text(older)
    return older


def create(ledger: StudyLedger, number: int, reports: int = 4) -> None:
    """Journals a created trial with parameters in the middle of the space."""
    ledger.append(
        TrialCreated(
            trial=number,
            params={"b0": 6, "bT_ratio": 0.5, "p": 0.1, "lr": 1e-3},
            settings={"b0": 6, "bT": 3, "p": 0.1, "lr": 1e-3},
            seeds={"init": 0, "data": 0, "mask": 0},
            total_steps=40,
            reports=reports,
            optuna={"trial": {}, "study": {}},
        )
    )


def report(ledger: Ledger, number: int, index: int, value: float | None) -> None:
    """Journals a report with a value of the objective, by default a dev MCC."""
    metrics = {ledger.metric: value, "train_loss": 0.5}
    ledger.append(Report(trial=number, report=index, step=10 * index, metrics=metrics))
