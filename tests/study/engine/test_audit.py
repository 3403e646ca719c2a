"""Stopped trials train to their end: in this process, without Ray."""

import time
from pathlib import Path
from typing import Any

import pytest

from study.engine.audit import _Results, _Searcher
from study.engine.preparation import prepare_data
from study.engine.scheduling.dispatch import unlimited
from study.engine.scheduling.outcomes import record_report
from study.engine.scheduling.runs import RunRecorder
from study.engine.worker import TrialWorker
from study.models.info import BackboneInfo
from study.spec import StudySpec, dump_spec, load_spec
from study.storage.events import Decision, StudyOpened, TrialCreated
from study.storage.folder import StudyFolder
from study.storage.ledger import Ledger, StudyLedger
from study.storage.opening import open_folder
from study.training.encoding import EncodedTask
from tests.study.engine.test_worker import PARAMS, SEEDS, SMALL, scores, start

Prepared = tuple[StudySpec, BackboneInfo, EncodedTask]


@pytest.fixture(scope="module")
def prepared() -> Prepared:
    spec = load_spec("smoke", (*SMALL, "scheduler.audit=1"))
    return spec, *prepare_data(spec)


def stopped_study(prepared: Prepared, path: Path) -> StudyLedger:
    """A study of one trial, which was stopped after the first of three reports."""
    spec = prepared[0]
    ledger = StudyLedger(open_folder(path, dump_spec(spec)), spec)
    ledger.append(StudyOpened(version=1, name="study", spec="spec.yaml"))
    ledger.append(
        TrialCreated(
            trial=0,
            params=PARAMS,
            settings={"b0": 4, "bT": 2, "p": 0.2, "lr": 1e-3},
            seeds=SEEDS,
            total_steps=6,
            reports=3,
            optuna={},
        )
    )
    result = start(prepared, ledger.folder, {"trial": 0, "params": PARAMS}).step()
    trial = ledger.record.trials[0]
    assert record_report(ledger, trial, result)
    cutoff = Decision(trial=0, report=1, decision="stop", reason="below the rung", cutoff=0.5)
    ledger.append(cutoff)
    ledger.end(trial, "pruned", "below the rung")
    return ledger


def ray_trial(number: int) -> Any:
    """A trial as Ray passes it to the scheduler."""
    return type("Trial", (), {"config": {"trial": number}})()


def audit(prepared: Prepared, study: StudyLedger, steps: int) -> list[dict[str, Any]]:
    """Continues the stopped trial for some reports; returns those."""
    folder = open_folder(study.folder.audit, dump_spec(prepared[0]))
    ledger = Ledger(folder, study.metric)
    if not ledger.opened:
        ledger.append(StudyOpened(version=1, name="audit", spec="spec.yaml"))
    ledger.listeners = [_Results(study, ledger)]
    recorder = RunRecorder(ledger, 0)
    config = _Searcher(study, ledger, unlimited).suggest("a")
    assert isinstance(config, dict)
    worker: TrialWorker = start(prepared, folder, config | {"assigned": time.time()})
    results = []
    for _ in range(steps):
        results.append(worker.step())
        recorder.on_trial_result(None, ray_trial(config["trial"]), results[-1])
    return results


def files(folder: StudyFolder) -> list[str]:
    return sorted(file.name for file in folder.checkpoints.iterdir())


def test_the_rest_of_a_stopped_trial_is_that_of_one_that_was_not_stopped(
    prepared: Prepared, tmp_path: Path
) -> None:
    study = stopped_study(prepared, tmp_path / "study")
    whole = start(prepared, open_folder(tmp_path / "other", ""), {"trial": 0, "params": PARAMS})
    expected = [scores(whole.step()) for _ in range(3)]
    # The first report is that of the checkpoint, repeated.
    assert [scores(one) for one in audit(prepared, study, 3)] == expected
    trial = study.record.trials[0]
    assert trial.audited is not None
    assert trial.audited.metrics["dev_mcc"] == expected[-1]["dev_mcc"]
    assert (trial.audited.step, trial.audited.reason) == (6, "")
    assert (trial.state, len(trial.reports), study.best()) == ("pruned", 1, None)
    assert files(study.folder) == files(StudyFolder(study.folder.audit)) == []


def test_an_interrupted_audit_continues_and_the_result_is_recorded_once(
    prepared: Prepared, tmp_path: Path
) -> None:
    study = stopped_study(prepared, tmp_path / "study")
    audit(prepared, study, 2)
    assert study.record.trials[0].audited is None
    assert files(StudyFolder(study.folder.audit)) != []
    study = StudyLedger(study.folder, prepared[0])
    assert [one["report"] for one in audit(prepared, study, 2)] == [2, 3]
    # A driver that died before it recorded the result does so when it starts again.
    text = study.folder.journal.read_text().splitlines(keepends=True)
    study.folder.journal.write_text("".join(text[:-1]))
    again = StudyLedger(study.folder, prepared[0])
    assert again.record.trials[0].audited is None
    _Results(again, Ledger(StudyFolder(study.folder.audit), study.metric))
    assert again.record.trials[0].audited is not None


def test_a_trial_without_its_checkpoint_starts_again(prepared: Prepared, tmp_path: Path) -> None:
    study = stopped_study(prepared, tmp_path / "study")
    for file in study.folder.checkpoints.iterdir():
        file.unlink()
    assert [one["report"] for one in audit(prepared, study, 3)] == [1, 2, 3]
    assert study.record.trials[0].audited is not None
