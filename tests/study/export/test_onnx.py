"""The ONNX model gives the winner's logits for batches of any size and length."""

from importlib import util
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from study.export import onnx_file
from study.export.__main__ import main
from study.models import inspect_backbone
from study.models.families import FAMILIES
from study.models.tokenization import load_tokenizer
from study.training.trial import Trial
from tests.study.export.test_card import probabilities_by_card
from tests.study.finished_studies import finish, spec_of, three_classes, trained
from tests.study.models.checkpoints import random_dna, write_checkpoint

CASES = [
    pytest.param("opt", "auto"),
    *(
        pytest.param(family, pooling, marks=pytest.mark.slow)
        for family in FAMILIES
        for pooling in ("auto", "mean", "last")
        if family != "cnn" and (family, pooling) != ("opt", "auto")
    ),
]


def check_batch(trial: Trial, session: onnxruntime.InferenceSession, bases: list[int]) -> None:
    """Compares the logits of sequences of these lengths in one padded batch."""
    tokenizer = load_tokenizer(inspect_backbone(trial.spec.backbone.name))
    rows = tokenizer([random_dna(1, length, seed=length)[0] for length in bases])
    longest = max(map(len, rows))
    ids = np.array([[*row, *[tokenizer.pad_id] * (longest - len(row))] for row in rows])
    mask = np.array([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
    [found] = session.run(None, {"input_ids": ids, "attention_mask": mask})
    with torch.no_grad():
        given = {"input_ids": torch.tensor(ids), "attention_mask": torch.tensor(mask)}
        expected = trial.model.eval()(**given).logits.numpy()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)
    assert abs(expected).max() > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize(("family", "pooling"), CASES)
def test_onnx_gives_the_winners_logits(family: str, pooling: str, tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "backbone", family)
    data = three_classes(tmp_path / "task")
    backbone = {"pooling": pooling}
    trial = trained(spec_of(tmp_path / "backbone", data, "adalora_rs", backbone=backbone))
    study, out = finish(tmp_path / "study", trial), tmp_path / "out"
    assert main([str(study.path), "--to", "onnx", "--out", str(out)]) == 0
    session = onnxruntime.InferenceSession(out / "model.onnx")
    for bases in ([4], [40], [10, 30, 50], [60] * 5):
        check_batch(trial, session, bases)
    assert len(probabilities_by_card(out, random_dna(2, 30))) == 2


def test_a_missing_package_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_checkpoint(tmp_path / "backbone", "opt")
    trial = trained(spec_of(tmp_path / "backbone", three_classes(tmp_path / "task")))
    study, out = finish(tmp_path / "study", trial), tmp_path / "out"
    found = util.find_spec
    monkeypatch.setattr(
        onnx_file, "find_spec", lambda name: None if name == "onnxscript" else found(name)
    )
    assert main([str(study.path), "--to", "onnx", "--out", str(out)]) == 2
    error = capsys.readouterr().err
    assert (
        "must have the packages onnx and onnxscript, but got no onnxscript; pip install" in error
    )
    assert not out.exists()
