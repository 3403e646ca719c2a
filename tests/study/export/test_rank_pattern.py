"""study.export --to rank-pattern: PEFT accepts the arguments and gives exactly these ranks."""

import json
from pathlib import Path

import numpy as np
import peft
import pytest

from study.export.__main__ import main
from study.export.rank_pattern import lora_arguments
from study.spec import load_spec
from study.storage.folder import StudyFolder
from tests.study.analysis.comparison.made_comparisons import Made, row, write
from tests.study.export.test_export import refuse, train
from tests.study.models.checkpoints import write_checkpoint
from tests.study.training.tiny_trials import tiny_backbone

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated")

LAYERS = tuple(
    f"model.decoder.layers.{layer}.{name}"
    for layer in range(2)
    for name in ("self_attn.k_proj", "self_attn.v_proj", "self_attn.q_proj",
                 "self_attn.out_proj", "fc1", "fc2")
)  # fmt: skip


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an OPT model with two layers."""
    folder = tmp_path_factory.mktemp("backbones") / "opt"
    write_checkpoint(folder, "opt")
    return folder


def test_peft_gives_every_layer_its_rank_and_the_scale() -> None:
    ranks = {name: index % 4 for index, name in enumerate(LAYERS)}
    arguments = json.loads(json.dumps(lora_arguments(ranks, scale=1.5)))
    model = peft.get_peft_model(tiny_backbone().model, peft.LoraConfig(**arguments))
    adapted = {
        name.removeprefix("base_model.model."): module
        for name, module in model.named_modules()
        if isinstance(module, peft.tuners.lora.LoraLayer)
    }
    assert {name: layer.r["default"] for name, layer in adapted.items()} == {
        name: rank for name, rank in ranks.items() if rank
    }
    assert {layer.scaling["default"] for layer in adapted.values()} == {1.5}


def test_the_export_has_the_winners_ranks_and_the_agreement_of_its_runs(
    tmp_path: Path, backbone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = tmp_path / "study"
    trial = train(study, backbone, "adalora_rs")
    assert trial.allocator is not None
    out = tmp_path / "out"
    assert main([str(study), "--to", "rank-pattern", "--out", str(out)]) == 0
    assert "the study has no race" in capsys.readouterr().out
    stored = json.loads((out / "ranks.json").read_text())
    assert stored == {"ranks": trial.allocator.ranks()}
    spec = load_spec("lora", [f"adapter.rank_pattern={out / 'ranks.json'}", "adapter.rank=8"])
    assert dict(spec.adapter.rank_pattern or ()) == stored["ranks"]  # type: ignore[union-attr]
    arguments = json.loads((out / "lora_config.json").read_text())
    assert arguments["lora_alpha"] / arguments["r"] == pytest.approx(8 / 3)
    assert refuse(capsys, study, "--to", "rank-pattern", "--out", out)  # A used folder.
    (study / "best" / "budget_trace.json").unlink()
    line = refuse(capsys, study, "--to", "rank-pattern", "--out", tmp_path / "other")
    assert "--to rank-pattern: must be the folder of a finished study whose winner" in line


def add_race(study: Path, kept: np.ndarray) -> None:
    """Adds the runs of the winner, trial 0, in a race, with their triplets."""
    made = Made("trial-0", "adalora_rs", masked=True)
    rows = [row(made, n, n, n, n, 0.5, "dev_mcc") for n in range(len(kept))]
    folder = StudyFolder(write(study / "finalists", rows))
    folder.outputs.mkdir()
    for number, own in enumerate(kept):
        np.savez(folder.output(number), kept=own, modules=np.array(LAYERS))


def test_the_export_has_the_agreement_of_the_winners_runs_in_the_race(
    tmp_path: Path, backbone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study, out = tmp_path / "study", tmp_path / "out"
    train(study, backbone, "adalora")
    kept = np.random.default_rng(0).random((3, len(LAYERS), 2)) < 0.5
    add_race(study, kept)
    assert main([str(study), "--to", "rank-pattern", "--out", str(out)]) == 0
    assert "agreement of 3 runs on the rank of a layer: 0." in capsys.readouterr().out
    stored = json.loads((out / "ranks.json").read_text())
    assert stored["runs"] == [f"mask {n}, init {n}, data {n}" for n in range(3)]
    for place, name in enumerate(LAYERS):
        assert stored["layers"][name]["ranks"] == kept[:, place].sum(axis=1).tolist()


def test_a_winner_without_ranks_of_its_own_is_refused(
    tmp_path: Path, backbone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(tmp_path / "study", backbone, "linear_probe")
    line = refuse(capsys, tmp_path / "study", "--to", "rank-pattern", "--out", tmp_path / "out")
    assert "must be of adalora_rs or adalora, or of lora with a rank_pattern, but got" in line
