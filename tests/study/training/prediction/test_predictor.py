"""The predictor gives the trial's own logits; long sequences are refused, cut or windowed."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from study.errors import InputError
from study.models import inspect_backbone
from study.models.tokenization import load_tokenizer
from study.tasks import load_task
from study.training.prediction.inputs import Inputs
from study.training.prediction.predictor import Predictor
from study.training.trial import Trial
from tests.study.finished_studies import spec_of, three_classes, trained
from tests.study.models.checkpoints import random_dna, write_checkpoint

Backbones = Callable[[str], Path]


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Backbones:
    """(family) -> the folder of a small checkpoint of 64 positions."""

    def make(family: str) -> Path:
        folder = tmp_path_factory.mktemp("backbones") / family
        write_checkpoint(folder, family)
        return folder

    return make


def predictor(trial: Trial, overlap: float | None = None) -> Predictor:
    info = inspect_backbone(trial.spec.backbone.name)
    inputs = Inputs(trial.spec.task, info, overlap)
    return Predictor(trial.spec, trial.prepared, info, trial.data.classes, inputs, batch_size=7)


@pytest.mark.parametrize(
    ("family", "task", "training", "dtype"),
    [
        ("opt", {}, {}, "float32"),
        ("esm", {"rc_average": True}, {}, "float32"),
        ("bert", {"max_length": 20}, {}, "float32"),
        ("opt", {}, {"precision": "bf16"}, "float32"),
        ("opt", {}, {}, "bfloat16"),
    ],
)
def test_predictions_are_the_trials_own_logits(
    family: str, task: dict, training: dict, dtype: str, backbone: Backbones, tmp_path: Path
) -> None:
    where, folder = three_classes(tmp_path / "task"), backbone(family)
    sections = {"task": task, "training": training, "backbone": {"dtype": dtype}}
    trial = trained(spec_of(folder, where, **sections))
    expected = trial.logits(trial.data.test)
    sequences = load_task(trial.spec.task).test.sequences
    found = predictor(trial).logits(sequences)
    # Half precision rounds at 1e-2: batches of other lengths sum in another order.
    near = 1e-6 if dtype == "float32" and not training else 2e-2
    np.testing.assert_allclose(found, expected, rtol=0, atol=near)
    assert expected.std() > 1e-3
    whole = predictor(trial).probabilities([f" {one.lower()} " for one in sequences])
    exact = torch.from_numpy(expected).double().softmax(dim=1).numpy()
    np.testing.assert_allclose(whole, exact, rtol=0, atol=near)


@pytest.mark.parametrize(
    ("family", "average"),
    [
        ("esm", True),
        pytest.param("bert", False, marks=pytest.mark.slow),
        pytest.param("opt", False, marks=pytest.mark.slow),
    ],
)
def test_windows_are_averaged(
    family: str, average: bool, backbone: Backbones, tmp_path: Path
) -> None:
    folder = backbone(family)
    task = {"rc_average": average}
    trial = trained(spec_of(folder, three_classes(tmp_path / "task"), task=task))
    long, short = random_dna(1, 500)[0], random_dna(1, 30, seed=1)[0]
    with pytest.raises(InputError, match=r"must fit the 6[24] positions .* --windows"):
        predictor(trial).logits([short, long])

    windowed = predictor(trial, overlap=0.5)
    found = windowed.probabilities([short, long, long])
    alone = predictor(trial)
    np.testing.assert_allclose(found[0], alone.probabilities([short])[0], atol=1e-6)
    np.testing.assert_allclose(found[1], found[2], atol=1e-6)

    # By hand: windows of the token ids, through the model one by one.
    tokenizer = load_tokenizer(inspect_backbone(str(folder)))
    complement = str.maketrans("ACGT", "TGCA")
    strands = [long, long[::-1].translate(complement)] if average else [long]
    means = []
    for strand in strands:
        [row] = tokenizer([strand])
        before, after = len(tokenizer.prefix), len(tokenizer.suffix)
        inner = row[before : len(row) - after]
        size = inspect_backbone(str(folder)).max_positions - before - after
        starts = [*range(0, len(inner) - size, round(size / 2)), len(inner) - size]
        assert len(starts) > 2
        parts = []
        for start in starts:
            ids = [*tokenizer.prefix, *inner[start : start + size], *tokenizer.suffix]
            with torch.no_grad():
                parts.append(trial.model.eval()(input_ids=torch.tensor([ids])).logits.softmax(-1))
        means.append(torch.cat(parts).mean(dim=0))
    np.testing.assert_allclose(found[1], torch.stack(means).mean(dim=0).numpy(), atol=1e-6)


def test_cut_sequences_are_counted_and_windows_are_of_the_studys_length(
    backbone: Backbones, tmp_path: Path
) -> None:
    folder = backbone("esm")
    task = spec_of(folder, three_classes(tmp_path / "task"), task={"max_length": 12}).task
    sequences = [*random_dna(2, 30), random_dna(1, 60)[0]]
    info = inspect_backbone(str(folder))
    [encoded] = Inputs(task, info).encode(sequences)
    assert (encoded.cut, list(map(len, encoded.windows))) == (1, [11, 11, 12])
    [encoded] = Inputs(task, info, overlap=0.0).encode(sequences)
    assert (encoded.cut, encoded.owner.tolist()) == (0, [0, 1, 2, 2])
    assert list(map(len, encoded.windows)) == [11, 11, 12, 12]


def test_windows_are_refused_where_nothing_is_too_long(
    backbone: Backbones, tmp_path: Path
) -> None:
    folder = backbone("mosaicbert")
    task = spec_of(folder, three_classes(tmp_path / "task")).task
    info = inspect_backbone(str(folder))
    with pytest.raises(InputError, match=r"--windows: must be left out .* any length whole"):
        Inputs(task, info, overlap=0.5)
    [encoded] = Inputs(task, info).encode(random_dna(1, 3000))
    assert len(encoded.windows) == 1
