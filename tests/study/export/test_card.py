"""The model card: the hub reads its head, and its code gives the winner's probabilities."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from huggingface_hub import ModelCard

from study.engine.stored_winner import StoredWinner
from study.export.__main__ import main
from study.export.card import licence
from study.models.families import FAMILIES
from study.storage.folder import StudyFolder
from study.training.prediction.predictor import Predictor
from tests.study.finished_studies import NAMES, finish, spec_of, three_classes, trained
from tests.study.models.checkpoints import random_dna, write_checkpoint

pytestmark = [
    # PEFT reads a property that transformers has renamed, and warns about its own rank_pattern.
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated"),
    pytest.mark.filterwarnings("ignore:The following rank_pattern keys did not match"),
]

Make = Callable[..., StudyFolder]
IN_SUITE = ("bert", "modernbert")
PRETRAINED = [
    pytest.param(family, marks=() if family in IN_SUITE else pytest.mark.slow)
    for family in FAMILIES
    if family != "cnn"
]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """(family, method, **sections) -> a finished study."""

    def study(family: str, method: str = "adalora_rs", **sections: Any) -> StudyFolder:
        write_checkpoint(tmp_path / "backbone", family)
        data = three_classes(tmp_path / "task", names=True)
        trial = trained(spec_of(tmp_path / "backbone", data, method, **sections))
        return finish(tmp_path / "study", trial, race=method == "lora")

    return study


def probabilities_by_card(folder: Path, sequences: list[str]) -> np.ndarray:
    """Runs the code of a card for other sequences."""
    [code] = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
    code = code.replace('"."', repr(str(folder)))
    code = re.sub(r"sequences = \[\"[ACGT]+\"\]", f"sequences = {sequences!r}", code)
    given: dict[str, Any] = {}
    with torch.no_grad():
        exec(code, given)
    return np.asarray(given["probabilities"])


def check_code(study: StudyFolder, to: str, out: Path) -> None:
    sequences = [random_dna(1, bases, seed=bases)[0] for bases in (12, 40, 60)]
    assert main([str(study.path), "--to", to, "--out", str(out)]) == 0
    winner = StoredWinner.read(study.path)
    expected = Predictor(winner.spec, *winner.load(), winner.classes).probabilities(sequences)
    found = probabilities_by_card(out, sequences)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    assert expected.std(axis=0).max() > 0


@pytest.mark.parametrize("family", PRETRAINED)
def test_the_code_of_a_merged_card_gives_the_winners_probabilities(
    family: str, make: Make, tmp_path: Path
) -> None:
    check_code(make(family), "merged", tmp_path / "out")


@pytest.mark.parametrize(
    "family",
    [
        "bert",
        pytest.param("opt", marks=pytest.mark.slow),
        pytest.param("mosaicbert", marks=pytest.mark.slow),
    ],
)
def test_the_code_of_a_peft_card_gives_the_winners_probabilities(
    family: str, make: Make, tmp_path: Path
) -> None:
    check_code(make(family), "peft-lora", tmp_path / "out")


@pytest.mark.parametrize("to", ["merged", "peft"])
@pytest.mark.parametrize(
    "family",
    ["llama", *(pytest.param(one, marks=pytest.mark.slow) for one in ("bert", "modernbert"))],
)
@pytest.mark.parametrize("pooling", ["mean", pytest.param("last", marks=pytest.mark.slow)])
def test_the_code_of_a_card_has_the_winners_pooling_and_no_path(
    family: str, pooling: str, to: str, make: Make, tmp_path: Path
) -> None:
    study = make(family, "peft", backbone={"pooling": pooling})
    check_code(study, to, tmp_path / "out")
    text = (tmp_path / "out" / "README.md").read_text()
    assert str(tmp_path) not in text
    assert "- adalora\n" not in text, "the winner is a LoRA"


def test_the_head_has_licence_library_and_scores_with_their_intervals(
    make: Make, tmp_path: Path
) -> None:
    study, out = make("opt", "lora"), tmp_path / "out"
    assert main([str(study.path), "--to", "merged", "--out", str(out)]) == 0
    data = ModelCard.load(out / "README.md").data
    assert (data.license, data.library_name) == ("unknown", "transformers")
    assert data.pipeline_tag == "text-classification"
    assert data.base_model is None, "a folder is no model of the hub"
    assert data.model_name == "study"
    found = {one.metric_name: one.metric_value for one in data.eval_results}
    assert found["test_mcc, these weights"] == 0.3
    [confirmed] = [name for name in found if name.startswith("test_mcc, mean of 2 seeds")]
    assert found[confirmed] == 0.35
    assert "95 % interval -0.2853 to 0.9853" in confirmed
    text = (out / "README.md").read_text()
    assert ", ".join(NAMES) in text
    assert "| mcc | 0.4500 (-0.1853 to 1.0000) | 0.3500 (-0.2853 to 0.9853) | 0.3000 |" in text
    assert "| `rank` | 2 | fixed |" in text
    assert "| train | 24 |" in text
    assert "licence of the backbone is not known here" in text
    assert str(tmp_path) not in text


def test_the_licence_of_a_backbone_is_known_or_said_to_be_unknown() -> None:
    assert licence("opt-dna-mini") == "Apache-2.0"
    assert licence("opt-125m") == "OPT licence: research only, not commercial"
    assert licence("someone/model") is None


def test_what_the_study_did_to_its_sequences_is_said(make: Make, tmp_path: Path) -> None:
    study = make("esm", task={"max_length": 20, "rc_average": True})
    assert main([str(study.path), "--to", "merged", "--out", str(tmp_path / "out")]) == 0
    text = (tmp_path / "out" / "README.md").read_text()
    assert "The study cut sequences to 20 tokens." in text
    assert "averages the class probabilities of a sequence and its reverse complement" in text
