import re

import pytest
import torch

from study.models import (
    head_labels,
    head_modules,
    head_pattern,
    inspect_backbone,
    load_backbone,
    reset_head,
)
from study.models.families import PRETRAINED

HEADS = {
    "opt": {"score.weight"},
    "bert": {
        "bert.pooler.dense.weight",
        "bert.pooler.dense.bias",
        "classifier.weight",
        "classifier.bias",
    },
    "esm": {
        "classifier.dense.weight",
        "classifier.dense.bias",
        "classifier.out_proj.weight",
        "classifier.out_proj.bias",
    },
    "llama": {"score.weight"},
    "modernbert": {
        "head.dense.weight",
        "head.norm.weight",
        "classifier.weight",
        "classifier.bias",
    },
}


@pytest.fixture(params=PRETRAINED)
def loaded(request, checkpoint):
    info = inspect_backbone(str(checkpoint(request.param)))
    return load_backbone(info, num_labels=3, dtype="float32")


def _head(backbone):
    pattern = head_pattern(backbone.info.family)
    return {n: p for n, p in backbone.model.named_parameters() if re.fullmatch(pattern, n)}


def test_the_pattern_matches_the_head_and_nothing_else(loaded):
    assert set(_head(loaded)) == HEADS[loaded.info.base]


def test_the_modules_of_the_head_have_its_parameters_and_no_others(loaded):
    family = loaded.info.family
    modules = {name: loaded.model.get_submodule(name) for name in head_modules(family)}
    named = {f"{n}.{key}" for n, module in modules.items() for key in module.state_dict()}
    assert named == HEADS[loaded.info.base]


def test_the_number_of_classes_of_a_head(loaded):
    family = loaded.info.family
    assert head_labels(family, _head(loaded)) == 3
    assert head_labels(family, {}) is None
    outputs = [name for name, p in _head(loaded).items() if p.ndim == 2 and len(p) == 3]
    assert head_labels(family, {outputs[0]: torch.zeros(3)}) is None


def test_the_generator_state_determines_the_head(loaded):
    heads = []
    for seed in (1, 1, 2):
        reset_head(loaded.model, loaded.info.family, torch.Generator().manual_seed(seed))
        heads.append(torch.cat([p.detach().flatten().clone() for p in _head(loaded).values()]))
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])


def test_resetting_changes_no_weight_outside_the_head(loaded):
    before = {n: p.clone() for n, p in loaded.model.state_dict().items()}
    reset_head(loaded.model, loaded.info.family, torch.Generator().manual_seed(5))
    changed = {n for n, p in loaded.model.state_dict().items() if not torch.equal(p, before[n])}
    drawn = {n for n in HEADS[loaded.info.base] if "bias" not in n and "norm" not in n}
    assert drawn <= changed <= HEADS[loaded.info.base]


def test_biases_are_0_and_the_weights_of_a_norm_1(loaded):
    reset_head(loaded.model, loaded.info.family, torch.Generator().manual_seed(5))
    vectors = {name: p for name, p in _head(loaded).items() if p.ndim == 1}
    assert all(bool((p == ("norm" in name)).all()) for name, p in vectors.items())


def test_a_half_precision_head_is_the_rounded_float_head(checkpoint):
    info = inspect_backbone(str(checkpoint("opt")))
    full = load_backbone(info, num_labels=2, dtype="float32").model
    half = load_backbone(info, num_labels=2, dtype="bfloat16").model
    for model in (full, half):
        reset_head(model, "opt", torch.Generator().manual_seed(0))
    assert torch.equal(full.score.weight.bfloat16(), half.score.weight)
