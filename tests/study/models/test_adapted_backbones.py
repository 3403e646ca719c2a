"""Adapted models of every family are saved as plain weights and in PEFT's format."""

import peft
import pytest
import torch

from adapters import (
    SVDLinear,
    adapted_layers,
    inject,
    load_peft,
    merge,
    save_peft_adalora,
    save_peft_lora,
    target_patterns,
)
from study.models import head_modules, inspect_backbone, load_backbone, reset_head

FAMILIES = ("opt", "bert", "esm", "mosaicbert", "gated_esm", "llama", "modernbert")


def load(folder):
    return load_backbone(inspect_backbone(str(folder)), num_labels=3, dtype="float32")


def adapt(backbone):
    """Random adapters, one triplet of which is masked, and a random head."""
    generator = torch.Generator().manual_seed(0)
    family = backbone.info.family
    reset_head(backbone.model, family, generator)
    found = inject(backbone.model, target_patterns(family), 3, alpha=6, generator=generator)
    for module in found.values():
        for parameter in (module.P, module.lam, module.Q):
            parameter.data.copy_(torch.randn(parameter.shape, generator=generator) / 2)
        module.mask = torch.tensor([True, False, True])
    assert all(isinstance(module, SVDLinear) for module in adapted_layers(backbone.model).values())
    return backbone.model


@torch.no_grad()
def logits(model, backbone, dna):
    ids = torch.tensor(backbone.tokenizer(dna))
    return model.eval()(input_ids=ids, attention_mask=torch.ones_like(ids)).logits


def same(left, right):
    torch.testing.assert_close(left, right, rtol=0, atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_merged_model_is_saved_and_loaded_as_a_plain_one(
    family, checkpoint, random_dna, tmp_path
):
    backbone, dna = load(checkpoint(family)), random_dna(1, 60)
    names = list(backbone.model.state_dict())
    model = adapt(backbone)
    expected = logits(model, backbone, dna)
    merge(model)
    assert list(model.state_dict()) == names
    model.save_pretrained(tmp_path)
    loaded, report = type(model).from_pretrained(tmp_path, output_loading_info=True)
    assert not any(report.values())
    assert list(loaded.state_dict()) == names
    same(logits(loaded, backbone, dna), expected)


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated")
@pytest.mark.filterwarnings("ignore:The following rank_pattern keys did not match")
@pytest.mark.parametrize("save", [save_peft_lora, save_peft_adalora])
@pytest.mark.parametrize("family", FAMILIES)
def test_peft_and_a_plain_model_load_what_is_saved(family, save, checkpoint, random_dna, tmp_path):
    folder, dna = checkpoint(family), random_dna(1, 60)
    backbone = load(folder)
    model = adapt(backbone)
    save(model, tmp_path / "out", head=head_modules(family), task_type="SEQ_CLS")
    expected = logits(model, backbone, dna)
    by_peft = peft.PeftModel.from_pretrained(load(folder).model, tmp_path / "out")
    same(logits(by_peft, backbone, dna), expected)
    adapted = load(folder).model
    load_peft(adapted, tmp_path / "out")
    same(logits(adapted, backbone, dna), expected)
