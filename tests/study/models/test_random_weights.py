"""Backbones with random weights, the baseline for the effect of pre-training."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from study.errors import InputError
from study.models import Backbone, inspect_backbone, load_backbone
from study.models.families import PRETRAINED
from study.spec import BackboneSpec, StudySpec
from study.training.encoding import EncodedTask, encode_split
from study.training.trial import Trial

Checkpoint = Callable[..., Path]


def _drawn(folder: Path, seed: int = 0, dtype: str = "float32") -> Backbone:
    info = inspect_backbone(str(folder), with_weights=False)
    return load_backbone(info, num_labels=2, dtype=dtype, random_seed=seed)  # type: ignore


def _weights(backbone: Backbone) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in backbone.model.parameters()])


def _truncated(name: str) -> float:
    """ModernBERT's own initialisation: normal, truncated at two sds; sd 1 becomes 0.88."""
    if not name.startswith("model."):
        return 0.02
    return 0.88 * (0.01 if "Wo" in name else 0.02)  # 0.02 / sqrt(2 * layers)


def _without_weights(folder: Path) -> Path:
    (folder / "model.safetensors").unlink()
    return folder


@pytest.mark.parametrize("family", PRETRAINED)
def test_weights_depend_on_the_seed_only_and_no_weights_are_read(
    checkpoint: Checkpoint, family: str
) -> None:
    folder = _without_weights(checkpoint(family))
    first, again, other = (_weights(_drawn(folder, seed)) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("family", PRETRAINED)
def test_weights_have_the_distribution_of_the_initialisation(
    checkpoint: Checkpoint, family: str
) -> None:
    for name, parameter in _drawn(checkpoint(family)).model.named_parameters():
        if parameter.ndim == 2:
            spread = parameter.count_nonzero().clamp(min=2) ** -0.5
            expected = _truncated(name) if family == "modernbert" else 0.02
            assert parameter.std().item() == pytest.approx(expected, rel=4 * spread.item()), name
            assert abs(parameter.mean().item()) < expected * 4 * spread, name
        else:
            norm = "norm" in name.lower() and name.endswith("weight")
            assert torch.equal(parameter, torch.full_like(parameter, float(norm))), name


def test_random_weights_differ_from_those_of_the_checkpoint() -> None:
    info = inspect_backbone("opt-dna-mini")
    trained = load_backbone(info, num_labels=2, dtype="float32").model.state_dict()
    drawn = load_backbone(info, num_labels=2, dtype="float32", random_seed=0).model.state_dict()
    assert list(trained) == list(drawn)
    name = "model.decoder.layers.0.self_attn.q_proj.weight"
    assert trained[name].std() > 2 * drawn[name].std()


def test_the_global_random_stream_has_no_effect_and_is_unchanged(checkpoint: Checkpoint) -> None:
    folder = checkpoint("bert")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        before = torch.get_rng_state()
        first = _weights(_drawn(folder))
        assert torch.equal(before, torch.get_rng_state())
        torch.manual_seed(6)
        assert torch.equal(first, _weights(_drawn(folder)))


def test_a_half_precision_draw_is_the_rounded_float_draw(checkpoint: Checkpoint) -> None:
    folder = checkpoint("opt")
    half = _drawn(folder, dtype="bfloat16")
    assert torch.equal(_weights(_drawn(folder)).bfloat16(), _weights(half))
    assert half.model.config.dtype == torch.bfloat16


def test_the_checkpoints_dtype_does_not_matter(checkpoint: Checkpoint) -> None:
    folder = checkpoint("esm", dtype=torch.float16)
    assert json.loads((folder / "config.json").read_text())["dtype"] == "float16"
    assert _weights(_drawn(folder)).dtype == torch.float32


@pytest.mark.parametrize("method", ["adalora_rs", "fmft", "linear_probe"])
def test_a_trial_trains_on_random_weights(
    checkpoint: Checkpoint, random_dna: Callable[..., list[str]], method: str
) -> None:
    backbone = _drawn(_without_weights(checkpoint("opt")))
    rows = backbone.tokenizer(random_dna(16, 40))
    split = encode_split(rows, [0, 1] * 8)
    data = EncodedTask("made", 2, backbone.tokenizer.pad_id, split, split, split)
    budget = {"b0": 3, "bT": 2, "deltaT": 2} if method == "adalora_rs" else {}
    spec = StudySpec.model_validate(
        {
            "backbone": {"weights": "random"},
            "adapter": {"method": method} | budget,
            "training": {"steps": 8, "reports": 1, "lr": 1e-2},
        }
    )
    trial = Trial(spec, backbone, data, torch.device("cpu"))
    before = trial.evaluate(data.dev)["loss"]
    trial.train_until(8)
    assert trial.evaluate(data.dev)["loss"] < before
    trial.close()


def test_the_spec_names_the_seed_only_for_random_weights() -> None:
    assert BackboneSpec(weights_seed=7).random_seed is None
    assert BackboneSpec(weights="random", weights_seed=7).random_seed == 7


def test_a_folder_without_weights_is_accepted_only_for_random_weights(
    checkpoint: Checkpoint,
) -> None:
    folder = _without_weights(checkpoint("opt"))
    with pytest.raises(InputError, match="the folder must contain weights"):
        inspect_backbone(str(folder))
    assert inspect_backbone(str(folder), with_weights=False).family == "opt"
