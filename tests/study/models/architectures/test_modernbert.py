"""The split class is ModernBERT of transformers, which reads what it saves."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file

from adapters import inject, target_patterns
from study.models import Backbone, inspect_backbone, load_backbone
from study.models.architectures.modernbert import PARTS

IDS = torch.tensor([[1, 9, 12, 30, 7, 22, 35, 6, 17, 2], [1, 30, 8, 31, 2, 3, 3, 3, 3, 3]])
MASK = (IDS != 3).long()
CHANGES: list[dict[str, Any]] = [
    {},
    {"attention_bias": True, "norm_bias": True, "classifier_bias": True, "mlp_bias": True},
    {"classifier_pooling": "mean"},
]


def _config(**changes: Any) -> transformers.ModernBertConfig:
    return transformers.ModernBertConfig(
        vocab_size=40, hidden_size=16, intermediate_size=24, num_hidden_layers=2,
        num_attention_heads=2, local_attention=4, layer_types=["full_attention",
        "sliding_attention"], pad_token_id=3, cls_token_id=1, sep_token_id=2, bos_token_id=1,
        eos_token_id=2, **changes,
    )  # fmt: skip


def _saved(folder: Path, **changes: Any) -> Any:
    """A model of transformers' own class with every parameter drawn, saved in a folder."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = transformers.ModernBertForSequenceClassification(_config(**changes)).eval()
        for parameter in model.parameters():
            parameter.data.normal_(0, 0.3)
    model.save_pretrained(folder)
    words = ["[UNK]", "[CLS]", "[SEP]", "[PAD]", *"ACGT"]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    return model


def _load(folder: Path) -> Backbone:
    return load_backbone(inspect_backbone(str(folder)), num_labels=2, dtype="float32")


def _keep_head(backbone: Backbone, model: Any) -> Any:
    split: Any = backbone.model
    split.head.load_state_dict(model.head.state_dict())
    split.classifier.load_state_dict(model.classifier.state_dict())
    return split


@pytest.mark.parametrize("changes", CHANGES, ids=["plain", "biases", "mean"])
@torch.no_grad()
def test_the_logits_are_those_of_the_class_of_transformers(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    model = _saved(tmp_path, **changes)
    backbone = _load(tmp_path)
    split = _keep_head(backbone, model)
    expected = model(input_ids=IDS, attention_mask=MASK).logits
    assert torch.equal(split(input_ids=IDS, attention_mask=MASK).logits, expected)
    fused = model.model.layers[1].attn.Wqkv.weight
    parts = [getattr(split.model.layers[1].attn.Wqkv, name).weight for name in PARTS]
    assert torch.equal(torch.cat(parts), fused)
    heads = sum(p.numel() for n, p in split.named_parameters() if n.startswith(("head", "class")))
    assert backbone.info.sizes.head_parameters(2) == heads


def test_a_saved_model_has_the_fused_matrix_and_loads_with_transformers(tmp_path: Path) -> None:
    model = _saved(tmp_path)
    split = _keep_head(_load(tmp_path), model)
    split.save_pretrained(tmp_path / "again")
    stored, before = (load_file(f / "model.safetensors") for f in (tmp_path / "again", tmp_path))
    assert stored.keys() == before.keys()
    assert all(torch.equal(stored[name], before[name]) for name in stored)
    again, report = transformers.AutoModelForSequenceClassification.from_pretrained(
        tmp_path / "again", output_loading_info=True
    )
    assert type(again) is transformers.ModernBertForSequenceClassification
    assert not any(report.values())


def test_an_adapter_on_q_changes_the_queries_alone(tmp_path: Path) -> None:
    model = _saved(tmp_path)
    split = _keep_head(_load(tmp_path), model)
    [layer, _] = inject(
        split, target_patterns("modernbert", ["q"]), 2, alpha=2, generator=torch.Generator()
    ).values()
    with torch.no_grad():
        layer.lam.fill_(1.0)
        hidden = torch.randn(1, 5, 16, generator=torch.Generator().manual_seed(1))
        before = model.model.layers[0].attn.Wqkv(hidden)
        after = split.model.layers[0].attn.Wqkv(hidden)
    assert not torch.allclose(after[..., :16], before[..., :16])
    assert torch.equal(after[..., 16:], before[..., 16:])


def test_keys_of_earlier_versions_of_transformers_are_read(
    checkpoint: Callable[..., Path],
) -> None:
    config: Any = _load(checkpoint("modernbert", hub=True)).model.config
    assert config.layer_types == ["full_attention", "sliding_attention"]
    thetas = {kind: rope["rope_theta"] for kind, rope in config.rope_parameters.items()}
    assert thetas == {"full_attention": 5000.0, "sliding_attention": 700.0}
