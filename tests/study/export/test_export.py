"""Export of a study's winner for PEFT and for transformers, of a backbone with two layers."""

import functools
import json
import shutil
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import peft
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSequenceClassification

from study.export.__main__ import main
from study.models import inspect_backbone, load_backbone
from study.models.backbones import fingerprint
from study.storage.events import StudyOpened
from study.storage.folder import StudyFolder
from study.storage.journal import Journal
from study.training.trial import Trial
from tests.study.finished_studies import ADAPTERS, finish, spec_of, three_classes, trained
from tests.study.models.checkpoints import write_checkpoint

pytestmark = [
    # PEFT reads a property that transformers has renamed, and warns about its own rank_pattern.
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated"),
    pytest.mark.filterwarnings("ignore:The following rank_pattern keys did not match"),
]


def train(folder: Path, backbone: Path, method: str, random_seed: int | None = None) -> Trial:
    """Writes the folder of a study with a winner trained for 6 steps."""
    weights = {} if random_seed is None else {"weights": "random", "weights_seed": random_seed}
    data = three_classes(folder.with_name(f"{folder.name} data"))
    trial = trained(spec_of(backbone, data, method, backbone=weights))
    finish(folder, trial)
    return trial


Finished = Callable[[str], tuple[Path, Trial]]


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an OPT model with two layers, once trained for another task."""
    folder = tmp_path_factory.mktemp("backbones") / "opt"
    write_checkpoint(folder, "opt")
    config = json.loads((folder / "config.json").read_text())
    config |= {"problem_type": "regression", "id2label": {"0": "age"}, "label2id": {"age": 0}}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, backbone: Path) -> Finished:
    """(method) -> study folder and trained winner, both not to be changed."""

    @functools.cache
    def make(method: str) -> tuple[Path, Trial]:
        folder = tmp_path_factory.mktemp("studies") / method
        return folder, train(folder, backbone, method)

    return make


def logits(trial: Trial, model: torch.nn.Module) -> np.ndarray:
    """The logits of another model on the trial's test split."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trial, "model", model)
        return trial.logits(trial.data.test)


def refuse(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Runs the command on bad input and returns its error message, a single line."""
    assert main([str(argument) for argument in arguments]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    assert captured.out == ""
    return captured.err


@pytest.mark.parametrize(
    ("method", "to"),
    [*product(("adalora_rs", "adalora", "lora"), ("peft-lora", "peft-adalora")), ("peft", "peft")],
)
def test_peft_gives_the_winners_test_logits(
    method: str, to: str, finished: Finished, tmp_path: Path
) -> None:
    study, trial = finished(method)
    assert main([str(study), "--to", to, "--out", str(tmp_path / "out")]) == 0
    expected = trial.logits(trial.data.test)
    config = json.loads((tmp_path / "out" / "adapter_config.json").read_text())
    plain = AutoModelForSequenceClassification.from_pretrained(
        config["base_model_name_or_path"], num_labels=3, dtype="float32"
    )
    assert abs(logits(trial, plain) - expected).max() > 1e-2
    loaded = peft.PeftModel.from_pretrained(plain, tmp_path / "out")
    np.testing.assert_allclose(logits(trial, loaded), expected, rtol=0, atol=1e-5)


def test_adapters_of_peft_and_our_own_have_formats_of_their_own(
    finished: Finished, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = {("peft", "peft-lora"): "use --to peft", ("lora", "peft"): "use --to peft-lora or"}
    for (method, to), fix in wanted.items():
        error = refuse(capsys, finished(method)[0], "--to", to, "--out", tmp_path / "out")
        assert f"--to {to}: the winner must be of method " in error
        assert fix in error


@pytest.mark.parametrize("method", ADAPTERS)
def test_the_merged_folder_gives_the_winners_test_logits(
    method: str, finished: Finished, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (study, trial), out = finished(method), tmp_path / "out"
    assert main([str(study), "--to", "merged", "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"{out}\n"
    expected = trial.logits(trial.data.test)
    plain = AutoModelForSequenceClassification.from_pretrained(out)
    assert plain.config.problem_type is None
    assert plain.config.id2label == {0: "LABEL_0", 1: "LABEL_1", 2: "LABEL_2"}
    assert plain.config.label2id == {"LABEL_0": 0, "LABEL_1": 1, "LABEL_2": 2}
    np.testing.assert_allclose(logits(trial, plain), expected, rtol=0, atol=1e-5)


def test_the_merged_folder_can_be_used_as_a_backbone(
    finished: Finished, backbone: Path, tmp_path: Path
) -> None:
    (study, _), out = finished("lora"), tmp_path / "out"
    assert main([str(study), "--to", "merged", "--out", str(out)]) == 0
    again = load_backbone(inspect_backbone(str(out)), num_labels=3, dtype="float32")
    first = load_backbone(inspect_backbone(str(backbone)), num_labels=3, dtype="float32")
    assert again.tokenizer(["ACGTTGCA"]) == first.tokenizer(["ACGTTGCA"])
    names = [name for name, _ in again.model.named_parameters()]
    assert names == [name for name, _ in first.model.named_parameters()]


def test_the_merged_folder_names_the_classes_of_the_data(
    finished: Finished, tmp_path: Path
) -> None:
    folder = StudyFolder(shutil.copytree(finished("lora")[0], tmp_path / "study"))
    folder.journal.unlink()
    quality = {"classes": ["coding", "intron", "other"]}
    Journal(folder.journal).append(StudyOpened(name="x", quality=quality))
    assert main([str(folder.path), "--to", "merged", "--out", str(tmp_path / "out")]) == 0
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["id2label"] == {"0": "coding", "1": "intron", "2": "other"}
    assert config["label2id"] == {"coding": 0, "intron": 1, "other": 2}


def test_a_folder_without_a_winner_is_refused(
    finished: Finished, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    error = refuse(capsys, tmp_path / "nowhere", "--to", "merged", "--out", out)
    assert "must be the folder of a finished study" in error
    study = shutil.copytree(finished("linear_probe")[0], tmp_path / "study")
    (study / "best" / "head.safetensors").unlink()
    error = refuse(capsys, study, "--to", "merged", "--out", out)
    assert "must be the folder of a finished study" in error
    assert not out.exists()


@pytest.mark.parametrize("method", ["fmft", "linear_probe"])
@pytest.mark.parametrize("to", ["peft-lora", "peft-adalora"])
def test_a_method_without_adapters_is_not_exported_for_peft(
    to: str,
    method: str,
    finished: Finished,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    error = refuse(capsys, finished(method)[0], "--to", to, "--out", tmp_path / "out")
    assert f"the winner must have adapters, but got method {method}; use --to merged" in error
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_not_empty_is_refused(
    finished: Finished, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study, _ = finished("lora")
    used = tmp_path / "used"
    used.mkdir()
    (used / "notes.txt").write_text("mine")
    for out in (used, used / "notes.txt"):
        error = refuse(capsys, study, "--to", "merged", "--out", out)
        assert "must be an empty or a new folder" in error
    error = refuse(capsys, study, "--to", "merged", "--out", used / "notes.txt" / "x")
    assert "must be writable" in error
    assert [path.name for path in used.iterdir()] == ["notes.txt"]


def test_weights_of_another_winner_are_refused(
    finished: Finished, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = shutil.copytree(finished("lora")[0], tmp_path / "study")
    best, out = study / "best", tmp_path / "out"
    head = load_file(best / "head.safetensors")
    command = (study, "--to", "peft-lora", "--out", out)

    adapters = (best / "adapters.safetensors").read_bytes()
    (best / "adapters.safetensors").write_bytes(
        (finished("adalora")[0] / "best" / "adapters.safetensors").read_bytes()
    )
    assert "must contain the winner's adapters" in refuse(capsys, *command)
    (best / "adapters.safetensors").unlink()
    assert "must contain the winner's adapters" in refuse(capsys, *command)
    (best / "adapters.safetensors").write_bytes(adapters)

    save_file(head, best / "head.safetensors", {"seeds": '{"init": 7}'})
    assert "the settings and seeds of best.yaml, but got seeds.init=7" in refuse(capsys, *command)
    spec = (study / "best.yaml").read_text()
    (study / "best.yaml").write_text(spec.replace("dropout: 0.0", "dropout: 0.5"))
    save_file(head, best / "head.safetensors")
    assert "best.yaml, but got adapter.dropout=0.0, not 0.5" in refuse(capsys, *command)
    (study / "best.yaml").write_text(spec)

    save_file({"classifier.weight": head["score.weight"]}, best / "head.safetensors")
    assert "must be a head of the opt family, but got classifier.weight" in refuse(
        capsys, *command
    )
    save_file(head | {"score.bias": torch.zeros(3)}, best / "head.safetensors")
    assert "but got score.bias missing, left over" in refuse(capsys, *command)
    save_file({"score.weight": torch.zeros(3, 7)}, best / "head.safetensors")
    assert "but got score.weight missing, left over" in refuse(capsys, *command)
    (best / "head.safetensors").write_bytes(b"nothing")
    assert "must be a safetensors file" in refuse(capsys, *command)
    assert not out.exists()


def test_a_backbone_with_other_weights_is_refused(
    finished: Finished, backbone: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    loaded = load_backbone(inspect_backbone(str(backbone)), num_labels=3, dtype="float32")
    for weights, status in ((fingerprint(loaded), 0), ("of others", 2)):
        study = shutil.copytree(finished("lora")[0], tmp_path / f"study {status}")
        StudyFolder(study).journal.unlink()
        Journal(StudyFolder(study).journal).append(StudyOpened(backbone=weights))
        out = tmp_path / f"out {status}"
        assert main([str(study), "--to", "merged", "--out", str(out)]) == status
    assert "must be the one that the study was started with" in capsys.readouterr().err
    assert not out.exists()


def test_the_base_model_is_named_in_the_folder(
    finished: Finished, backbone: Path, tmp_path: Path
) -> None:
    (study, _), out = finished("lora"), tmp_path / "out"
    assert main([str(study), "--to", "peft-lora", "--out", str(out)]) == 0
    config = json.loads((out / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(backbone.resolve())
    assert config["task_type"] == "SEQ_CLS"
    assert config["modules_to_save"] == ["score"]


def test_random_weights_are_exported_whole_and_not_as_an_adapter(
    backbone: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trial = train(tmp_path / "study", backbone, "lora", random_seed=7)
    assert main([str(tmp_path / "study"), "--to", "peft-lora", "--out", str(tmp_path / "a")]) == 2
    assert "random weights, which are not stored" in capsys.readouterr().err
    assert main([str(tmp_path / "study"), "--to", "merged", "--out", str(tmp_path / "b")]) == 0
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "b", dtype="float32")
    ids = torch.arange(5, 25)[None]
    with torch.no_grad():
        expected = trial.model.eval()(input_ids=ids, use_cache=False).logits
        found = model.eval()(input_ids=ids).logits
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
