"""The winner as a model of MLflow: class probabilities of sequences, as in the study."""

import ast
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

import study
from study.engine.preparation import prepare_data
from study.engine.tracking.database import sqlite_uri
from study.engine.tracking.runs import StudyRuns
from study.engine.tracking.subject import Subject
from study.engine.tracking.winner_model import LAYERS, WinnerModel, log_model
from study.models import load_backbone
from study.models.backbones import fingerprint
from study.spec import StudySpec
from study.training.files.artifacts import save_artifacts
from study.training.trial import Trial
from tests.study.models.checkpoints import write_checkpoint

LETTERS = 40


def sequences(rows: int) -> list[str]:
    generator = np.random.default_rng(0)
    return ["".join(generator.choice(list("ACGT"), LETTERS)) for _ in range(rows)]


@pytest.fixture
def trained(tmp_path: Path) -> tuple[Trial, WinnerModel]:
    """A trial of three named classes on an OPT model of two layers, and its winner's files."""
    write_checkpoint(tmp_path / "opt", "opt")
    (tmp_path / "task").mkdir()
    for split in ("train", "dev", "test"):
        rows = [f"{one},{'abc'[k % 3]}" for k, one in enumerate(sequences(12))]
        (tmp_path / "task" / f"{split}.csv").write_text("\n".join(["sequence,label", *rows]))
    spec = StudySpec.model_validate(
        {
            "backbone": {"name": str(tmp_path / "opt")},
            "task": {"path": tmp_path / "task", "rc_average": True},
            "adapter": {"method": "adalora_rs", "b0": 3, "bT": 1, "deltaT": 2, "p": 0.3},
            "training": {"steps": 4, "batch_size": 4, "lr": 5e-3, "reports": 1},
        }
    )
    info, data = prepare_data(spec)
    backbone = load_backbone(info, num_labels=3, dtype="float32")
    weights = fingerprint(backbone)
    trial = Trial(spec, backbone, data, torch.device("cpu"))
    trial.train_until(4)
    save_artifacts(trial, tmp_path / "best")
    model = WinnerModel(spec, tmp_path / "best", data.classes, 3, weights, None)
    return trial, model


@pytest.fixture
def logged(tmp_path: Path, trained: tuple[Trial, WinnerModel]) -> tuple[str, Any, Trial]:
    """Logs the model as the output of a run; returns the run, its client and the trial."""
    trial, model = trained
    runs = StudyRuns(sqlite_uri(tmp_path / "mlflow.db"), "key", Subject("a study"))
    runs.adopt()
    for _ in range(2):  # The second time as after a lost response.
        log_model(runs._client, runs._experiment, runs._parent, model)
    return runs._parent, runs._client, trial


def test_a_logged_winner_gives_the_class_probabilities_of_the_study(
    logged: tuple[str, MlflowClient, Trial], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, client, trial = logged
    [output] = client.get_run(run).outputs.model_outputs
    monkeypatch.setenv("MLFLOW_TRACKING_URI", sqlite_uri(tmp_path / "mlflow.db"))
    import mlflow.pyfunc  # Warns where it is imported first: not here, but with the model.

    model = mlflow.pyfunc.load_model(f"models:/{output.model_id}")
    found = model.predict(pd.DataFrame({"sequence": sequences(12)}))
    assert list(found.columns) == ["a", "b", "c"]
    assert trial.data.test.reverse_complement is not None
    logits = trial.logits(trial.data.test)
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert model.metadata.signature.inputs.input_names() == ["sequence"]
    example = model.predict(model.input_example)
    assert example.sum(axis=1).tolist() == pytest.approx([1.0])
    with pytest.raises(MlflowException, match="sequence"):
        model.predict(pd.DataFrame({"dna": ["ACGT"]}))


def test_the_packages_in_a_model_import_nothing_that_is_not_in_it() -> None:
    root = Path(study.__file__).parent
    kept = [file for layer in LAYERS for file in (root / layer).rglob("*.py")]
    for file in kept:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("study."):
                part = str(node.module).split(".")[1]
                assert part in LAYERS or (root / f"{part}.py").is_file(), f"{file}: {node.module}"
