"""A backbone is loaded once and tried before workers start; config.json does not steer a run."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from study.errors import InputError
from study.models import BackboneInfo, check_backbone, inspect_backbone, load_backbone
from study.models.architectures.mosaicbert import MosaicBertForSequenceClassification
from study.models.families import PRETRAINED

Checkpoint = Callable[..., Path]
LABELS = {"id2label": {str(i): str(i) for i in range(5)}, "label2id": {"a": 0, "b": 1}}
STEERING: list[dict[str, Any]] = [
    {
        "return_dict": False, "torchscript": True, "attn_implementation": "flash_attention_2",
        "output_attentions": True, "output_hidden_states": True, "dtype": "float33",
        "problem_type": "regression", "num_labels": 1, "is_encoder_decoder": True,
        "chunk_size_feed_forward": 3, "gradient_checkpointing": True,
    },
    {
        "_attn_implementation": "flash_attention_2", "torch_dtype": "none", **LABELS,
        "problem_type": "multi_label_classification", "per_layer_config": {"0": {"hidden": 2}},
    },
]  # fmt: skip


def _checked(folder: Path, dtype: str = "float32", seed: int | None = None) -> BackboneInfo:
    info = inspect_backbone(str(folder))
    return check_backbone(info, num_labels=3, dtype=dtype, random_seed=seed)[0]  # type: ignore


def _configure(folder: Path, **changes: Any) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))


def _set(folder: Path, name: str, value: float) -> None:
    state = load_file(folder / "model.safetensors")
    state[name].fill_(value)
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("family", PRETRAINED)
def test_every_family_computes_two_rows(checkpoint: Checkpoint, family: str, dtype: str) -> None:
    folder = checkpoint(family)
    assert _checked(folder, dtype).weights is not None
    assert _checked(folder, dtype, seed=1).weights is None


@pytest.mark.parametrize("family", PRETRAINED)
def test_config_json_does_not_steer_the_run(checkpoint: Checkpoint, family: str) -> None:
    folder = checkpoint(family)
    config = (folder / "config.json").read_text()
    plain = _checked(folder).weights
    for changes in STEERING:
        (folder / "config.json").write_text(config)
        _configure(folder, **changes)
        assert _checked(folder).weights == plain, changes
    model: Any = load_backbone(inspect_backbone(str(folder)), num_labels=3, dtype="float32").model
    assert model.config._attn_implementation == "sdpa"
    assert model.config.use_return_dict
    assert (model.config.problem_type, model.config.num_labels) == (None, 3)
    assert model.config.id2label == {i: f"LABEL_{i}" for i in range(3)}
    assert model.config.label2id == {f"LABEL_{i}": i for i in range(3)}


def test_the_hash_depends_on_weights_and_settings_but_not_on_head_and_format(
    checkpoint: Checkpoint,
) -> None:
    folder = checkpoint("bert")
    plain = _checked(folder).weights
    state = load_file(folder / "model.safetensors")
    head = {"classifier.weight": torch.ones(3, 16), "classifier.bias": torch.ones(3)}
    (folder / "model.safetensors").unlink()
    torch.save({f"module.{n}": w for n, w in (state | head).items()}, folder / "pytorch_model.bin")
    assert _checked(folder).weights == plain
    changed = state["bert.encoder.layer.1.output.dense.weight"].clone()
    changed[3, 5] += 1e-3
    torch.save(
        state | {"bert.encoder.layer.1.output.dense.weight": changed}, folder / "pytorch_model.bin"
    )
    other = _checked(folder).weights
    _configure(folder, num_attention_heads=4)
    assert len({plain, other, _checked(folder).weights}) == 3


def test_logits_that_are_not_finite_are_refused(checkpoint: Checkpoint) -> None:
    folder = checkpoint("bert")
    _set(folder, "bert.encoder.layer.1.output.dense.weight", 3e38)
    _set(folder, "bert.encoder.layer.1.output.LayerNorm.weight", 3e38)
    with pytest.raises(InputError, match="logits for two sequences, but got logits that are not"):
        _checked(folder)


def test_whatever_the_forward_raises_becomes_one_line(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: nn.Module, **_: object) -> None:
        raise RuntimeError("first\nsecond line")

    monkeypatch.setattr(MosaicBertForSequenceClassification, "forward", fail)
    with pytest.raises(InputError, match="but got first second line; take another checkpoint"):
        _checked(checkpoint("mosaicbert"))


def test_a_backbone_with_few_positions_is_tried(checkpoint: Checkpoint) -> None:
    folder, key = checkpoint("bert"), "bert.embeddings.position_embeddings.weight"
    _configure(folder, max_position_embeddings=4)
    state = load_file(folder / "model.safetensors")
    state[key] = state[key][:4].clone()
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    assert _checked(folder).max_positions == 4
