"""Trials of `backbone.name: cnn`: as other trials, with a network of their own."""

from pathlib import Path

import numpy as np
import pytest
import torch

from study.models import Backbone, inspect_backbone, load_backbone
from study.spec import StudySpec, resolve
from study.tasks import Task
from study.tasks.split import Split
from study.training.encoding import EncodedTask, encode_task
from study.training.files.artifacts import save_artifacts
from study.training.files.trained import load_trained
from study.training.forecast import forecast
from study.training.prediction.predictor import Predictor
from study.training.trial import Trial
from tests.study.training.tiny_trials import CPU, assert_same

SPACE = StudySpec.model_validate(
    {
        "backbone": {
            "name": "cnn",
            "width": {"type": "int", "low": 4, "high": 12},
            "pooling": {"type": "categorical", "choices": ["max", "mean"]},
            "kernel_size": 3,
        },
        "task": {"rc_augment": True, "rc_average": True},
        "adapter": {"method": "fmft"},
        "training": {"steps": 9, "batch_size": 4, "reports": 3, "lr": 0.01},
    }
)
PARAMS = {"width": 8, "pooling": "mean"}


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    info = inspect_backbone("cnn", with_weights=False)
    return load_backbone(info, num_labels=2, dtype="float32", random_seed=0)


@pytest.fixture(scope="module")
def sequences() -> list[str]:
    generator = np.random.default_rng(0)
    return ["".join(generator.choice(list("ACGTN"), size=n)) for n in range(5, 25)]


@pytest.fixture(scope="module")
def data(backbone: Backbone, sequences: list[str]) -> EncodedTask:
    split = Split(sequences, [index % 2 for index in range(len(sequences))])
    task = Task("tiny", split, split, split, num_labels=2, warnings=[])
    return encode_task(SPACE.task, backbone.info, task)


def test_trials_have_the_searched_sizes_and_leave_no_trace(
    backbone: Backbone, data: EncodedTask
) -> None:
    before = {name: weight.clone() for name, weight in backbone.model.state_dict().items()}
    for width in (4, 12):
        spec = resolve(SPACE, {"width": width, "pooling": "max"})
        trial = Trial(spec, backbone, data, CPU)
        trial.train_until(2)
        counted = sum(p.numel() for p in trial.model.parameters())
        [point] = forecast(spec, 20, backbone)
        assert trial.facts()["trainable_parameters"] == counted == point.parameters.total
        assert trial.facts()["head_parameters"] == 2 * width + 2
        trial.close()
    assert_same(dict(backbone.model.state_dict()), before)


def test_a_resumed_trial_and_its_files_have_the_logits_of_an_uninterrupted_one(
    backbone: Backbone, data: EncodedTask, sequences: list[str], tmp_path: Path
) -> None:
    spec = resolve(SPACE, PARAMS)
    trial, resumed = Trial(spec, backbone, data, CPU), Trial(spec, backbone, data, CPU)
    trial.train_until(5)
    torch.save(trial.state_dict(), tmp_path / "state")
    trial.train_until(9)
    resumed.load_state_dict(torch.load(tmp_path / "state", weights_only=True))
    resumed.train_until(9)
    logits = trial.logits(data.test)
    assert (resumed.logits(data.test) == logits).all()
    save_artifacts(trial, tmp_path)
    prepared, info = load_trained(spec, tmp_path, None)
    probabilities = Predictor(spec, prepared, info, []).probabilities(sequences)
    np.testing.assert_allclose(probabilities, np.exp(logits), rtol=1e-5)
    other = resolve(SPACE, PARAMS, {"init": 1, "data": 0, "mask": 0})
    assert (Trial(other, backbone, data, CPU).logits(data.test) != logits).any()
