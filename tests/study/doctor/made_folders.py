"""Consistent study folders, created without Ray and without training."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from study.doctor.examination import GROUPS
from study.doctor.finding import Finding
from study.doctor.subject import read_subject
from study.engine import checkpoints
from study.engine.scheduling.asha import AshaScheduler
from study.engine.scheduling.optuna_file import OptunaJournal
from study.engine.tracking.subject import of_study
from study.engine.tracking.summary import Summary, summary_of
from study.engine.tracking.tracker import Tracker
from study.engine.winner import write_best_spec
from study.spec import dump_spec, load_spec, resolve
from study.storage.events import Report, StudyOpened, TrialCreated, WinnerEvaluated
from study.storage.folder import StudyFolder
from study.storage.ledger import StudyLedger
from study.storage.opening import open_folder
from study.storage.predictions import SPLITS, Predictions, SplitPredictions, write_predictions
from study.storage.tables import write_trials
from tests.study.ledgers import SPACE

SCORES = ((0.1, 0.2, 0.3, 0.4), (0.05, 0.3, 0.3, 0.3), (0.3, 0.4, 0.5, 0.6))
"""Scores of the trials at each report; the second trial is stopped at its first report."""
Study = tuple[StudyLedger, AshaScheduler]


def open_study(path: Path, trials: int) -> Study:
    """Creates an empty study."""
    (path.parent / "space.yaml").write_text(SPACE)
    spec = load_spec(str(path.parent / "space.yaml"), [f"search.trials={trials}"])
    ledger = StudyLedger(open_folder(path, dump_spec(spec)), spec)
    ledger.append(StudyOpened(version=1, name=path.name, spec="spec.yaml", tracking=None))
    return ledger, AshaScheduler(ledger)


def run(study: Study, number: int, reports: int = 4) -> None:
    """Journals a trial up to its end or a number of reports, and writes its checkpoints."""
    ledger, scheduler = study
    p = 0.05 * number
    ledger.append(
        TrialCreated(
            trial=number,
            params={"b0": 6, "bT_ratio": 0.5, "p": p, "lr": 1e-3},
            settings={"b0": 6, "bT": 3, "p": p, "lr": 1e-3},
            seeds={"init": 0, "data": 0, "mask": 0},
            total_steps=40,
            reports=4,
            optuna={"trial": {}, "study": {}},
        )
    )
    scheduler.on_trial_add(None, SimpleNamespace(config={"trial": number}))
    trial = ledger.record.trials[number]
    for index, score in enumerate(SCORES[number][:reports], start=1):
        metrics = {"dev_mcc": score, "train_loss": 0.5, "trainable_parameters": 1000}
        ledger.append(Report(trial=number, report=index, step=10 * index, metrics=metrics))
        save_checkpoint(ledger.folder, number, index, trial.params)
        if scheduler.decide(trial, index) != "continue":
            break
    best = ledger.best()
    for other in ledger.record.trials.values():
        if other.state != "running" and (best is None or other.number != best.number):
            checkpoints.discard(ledger.folder, other.number)


def save_checkpoint(folder: StudyFolder, trial: int, report: int, params: dict[str, Any]) -> None:
    """Writes a minimal checkpoint."""
    state = {"trial": {"w": torch.zeros(64)}, "result": {"report": report}, "params": params}
    assert checkpoints.save(folder, trial, state) == ""


def evaluate_winner(study: Study) -> None:
    """Writes the files and the event of the winner."""
    ledger, _ = study
    folder, best = ledger.folder, ledger.best()
    assert best is not None
    folder.best.mkdir()
    for part in ("head", "adapters"):
        save_file({"w": torch.zeros(64)}, folder.best / f"{part}.safetensors")
    scores = {
        "dev": {"dev_mcc": best.value, "dev_accuracy": 0.75},
        "test": {"test_mcc": 0.5, "test_accuracy": 0.75},
    }
    write_predictions(folder.predictions, made_predictions(right=3))
    write_best_spec(folder, resolve(ledger.spec, best.params))
    folder.scores.write_text(json.dumps({"trial": best.number, **scores}))
    ledger.append(WinnerEvaluated(trial=best.number, **scores))


def made_predictions(right: int) -> Predictions:
    """Returns predictions of four rows in each split, of which `right` are of the true class."""
    labels = np.array([0, 1, 0, 1])
    shown = np.where(np.arange(4) < right, labels, 1 - labels)
    split = SplitPredictions(np.eye(2, dtype=np.float32)[shown], labels)
    return Predictions(dict.fromkeys(SPLITS, split), ("no", "yes"))


def close(study: Study, status: str) -> None:
    """Writes what a driver writes at its end: Optuna's journal, trials.csv and MLflow."""
    ledger, _ = study
    OptunaJournal(ledger)
    write_trials(ledger)
    Tracker(ledger, None, of_study(ledger)).close(ledger.record, status, lambda: _summary(ledger))


def _summary(ledger: StudyLedger) -> Summary | None:
    """The result of a study without the model, which takes seconds to make."""
    summary = summary_of(ledger)
    return None if summary is None else replace(summary, model=None)


def edit(path: Path, change: Callable[[list[dict[str, Any]]], Any]) -> None:
    """Rewrites a journal with changed events."""
    journal = StudyFolder(path).journal
    events = [json.loads(line) for line in journal.read_text().splitlines()]
    change(events)
    journal.write_text("".join(json.dumps(event) + "\n" for event in events))


def of(events: list[dict[str, Any]], kind: str, trial: int, place: int = 0) -> dict[str, Any]:
    """Returns the event of a kind and a trial at an index among those, from 0."""
    return [e for e in events if e["event"] == kind and e["trial"] == trial][place]


def ask(path: Path, group: str, tracking_uri: str | None = None) -> list[Finding]:
    """Returns the findings of one group of checks."""
    return list(GROUPS[group](read_subject(path, tracking_uri)))
