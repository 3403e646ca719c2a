"""PEFT loads the exported folders and computes the same logits."""

import json

import peft
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from adapters import (
    eject,
    inject,
    load_peft,
    save_peft_adalora,
    target_patterns,
)
from tests.adapters.peft.peft_folders import (
    CONFIG,
    FAMILIES,
    Q_PROJ,
    SAVES,
    WEIGHTS,
    assert_same,
    logits,
    logits_by_peft,
    perturb,
    trained,
)
from tests.adapters.tiny_models import HEADS, svd_adapters, tiny_model, tiny_opt

pytestmark = [
    # PEFT reads a property that transformers renamed, and warns about AdaLoRA's rank_pattern.
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated"),
    pytest.mark.filterwarnings("ignore:The following .*_pattern keys did not match"),
]

SAVED = pytest.mark.parametrize("save", SAVES.values(), ids=SAVES)


@SAVED
@pytest.mark.parametrize("mode", ["zero", "mask"])
@pytest.mark.parametrize("family", FAMILIES)
def test_peft_gives_the_same_logits(family, mode, save, tmp_path):
    run = trained(family, mode)
    for module in run.adapters.values():
        module.lam.data *= 300  # After a few steps the values are too small to matter.
    save(run.model, tmp_path, head=HEADS[family], task_type="SEQ_CLS")
    expected = logits(run.model)
    assert_same(logits_by_peft(tmp_path, family), expected)
    loaded = tiny_model(family)
    load_peft(loaded, tmp_path)
    assert_same(logits(loaded), expected)
    eject(run.model)
    assert (expected - logits(run.model)).abs().max() > 1e-2, "the update must matter"


@SAVED
@pytest.mark.parametrize("mode", ["zero", "mask"])
def test_pruned_triplets_are_not_in_the_files(mode, save, tmp_path):
    run = trained(mode=mode)
    save(run.model, tmp_path, head=["score"])
    ranks = {name: rank for name, rank in run.allocator.ranks().items() if rank}
    assert 0 < len(ranks) < 12, "the case needs layers with and without triplets"
    assert len(set(ranks.values())) > 1
    if mode == "mask":
        masked = [m.lam[~m.mask] for m in run.adapters.values()]
        assert torch.cat(masked).count_nonzero(), "the case needs masked values other than 0"
    tensors = load_file(tmp_path / WEIGHTS)
    sizes = {
        name.removeprefix("base_model.model.").partition(".lora_A")[0]: len(tensor)
        for name, tensor in tensors.items()
        if ".lora_A" in name
    }
    assert sizes == ranks
    config = json.loads((tmp_path / CONFIG).read_text())
    assert sorted(config["target_modules"]) == sorted(ranks)


@SAVED
def test_all_triplets_of_lora_are_written(save, tmp_path):
    model = tiny_opt()
    generator = torch.Generator().manual_seed(0)
    inject(model, target_patterns("opt"), 3, alpha=5, kind="lora", generator=generator)
    perturb(model)
    save(model, tmp_path)
    config = json.loads((tmp_path / CONFIG).read_text())
    assert len(config["target_modules"]) == 12
    assert not config["rank_pattern"]
    assert_same(logits_by_peft(tmp_path), logits(model))


@SAVED
def test_the_head_is_written_if_all_triplets_are_pruned(save, tmp_path):
    model = tiny_opt()
    svd_adapters(model, 4)
    model.score.weight.data.normal_(generator=torch.Generator().manual_seed(2))
    save(model, tmp_path, head=["score"], task_type="SEQ_CLS")
    tensors = load_file(tmp_path / WEIGHTS)
    assert sum(".lora_A" in name for name in tensors) == 1
    assert_same(logits_by_peft(tmp_path), logits(model))
    loaded = tiny_opt()
    assert len(load_peft(loaded, tmp_path)) == 1
    assert_same(logits(loaded), logits(model))


@SAVED
def test_any_module_can_be_saved_as_head(save, tmp_path):
    model, head = tiny_opt(), ("model.decoder.final_layer_norm", "score")
    svd_adapters(model, 2)
    for name in head:
        model.get_submodule(name).requires_grad_(True)
    perturb(model)
    save(model, tmp_path, head=head)
    assert_same(logits_by_peft(tmp_path), logits(model))
    loaded = tiny_opt()
    load_peft(loaded, tmp_path)
    assert_same(logits(loaded), logits(model))


def nested():
    """Layers `0` and `1.0`: one name is the end of the other."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 5), nn.Sequential(nn.Linear(5, 5), nn.Linear(5, 3)))


@SAVED
@pytest.mark.parametrize("layers", [["0"], ["0", r"1\.0"], [r"1\.0", r"1\.1"]])
def test_a_name_that_is_the_end_of_another_selects_its_own_layer_only(layers, save, tmp_path):
    model, x = nested(), torch.randn(4, 6, generator=torch.Generator().manual_seed(1))
    adapters = inject(model, layers, 3, alpha=2, generator=torch.Generator().manual_seed(0))
    perturb(model)
    for pruned, module in enumerate(reversed(adapters.values())):
        module.lam.data[:pruned] = 0
    save(model, tmp_path)
    loaded = peft.PeftModel.from_pretrained(nested(), tmp_path)
    assert_same(loaded(x), model(x))
    assert sum("lora_A" in name for name, _ in loaded.named_parameters()) == len(layers)
    imported = nested()
    load_peft(imported, tmp_path)
    assert_same(imported(x), model(x))


def test_layers_of_different_scales_share_one_alpha(tmp_path):
    model = tiny_opt()
    for factor, module in enumerate(svd_adapters(model, 4).values()):
        module.scale = 0.5 + 0.3 * factor
    perturb(model)
    save_peft_adalora(model, tmp_path)
    assert_same(logits_by_peft(tmp_path), logits(model))


def test_the_export_compensates_for_what_peft_adds_to_the_rank(tmp_path):
    model = tiny_opt()
    layer = svd_adapters(model, 1)[Q_PROJ]  # Rank 1, where 1e-5 has the largest effect.
    perturb(model)
    save_peft_adalora(model, tmp_path)
    by_peft = peft.PeftModel.from_pretrained(tiny_opt(), tmp_path)
    by_peft = by_peft.get_submodule(f"base_model.model.{Q_PROJ}").get_delta_weight("default")
    torch.testing.assert_close(by_peft, layer.delta(), rtol=1e-6, atol=0)
    again = load_peft(tiny_opt(), tmp_path)[Q_PROJ].delta()
    torch.testing.assert_close(again, by_peft, rtol=1e-6, atol=0)


@SAVED
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"head": ["classifier"]}, r"modules of the model, but got \['classifier'\]"),
        ({"head": ["model.decoder.layers"]}, "no adapters inside, but got"),
        ({"task_type": "SEQ_CLS"}, r"but got \[\] without \['score'\]"),
        ({"head": ["score"], "task_type": "SEQ_CLS"}, r"but got \['score'\] without \['zscore'\]"),
        ({"task_type": "TOKEN_CLS"}, r"but got \[\] without \['score'\]"),
        ({"task_type": "QUESTION_ANS"}, "must name the modules of the head if task_type is QUEST"),
        ({"task_type": "SEQUENCE"}, "task_type must be one of None, SEQ_CLS, .*'SEQUENCE'"),
        ({"head": ["tied"]}, "parameters of their own, but got score.weight tied to tied.weight"),
    ],
)
def test_a_head_other_than_that_of_peft_is_refused(settings, message, save, tmp_path):
    model = tiny_opt()
    svd_adapters(model, 2)
    if "zscore" in message:
        model.zscore = nn.Linear(2, 2)
    if "tied" in message:
        model.tied = nn.Linear(16, 2, bias=False)
        model.tied.weight = model.score.weight
    with pytest.raises(ValueError, match=message):
        save(model, tmp_path / "out", **settings)
    assert not (tmp_path / "out").exists()


@SAVED
def test_a_model_without_adapters_is_refused(save, tmp_path):
    with pytest.raises(ValueError, match="must have adapters"):
        save(tiny_opt(), tmp_path)


def test_the_adalora_format_requires_a_positive_alpha(tmp_path):
    model = tiny_opt()
    inject(model, target_patterns("opt"), 2, alpha=0, generator=torch.Generator())
    with pytest.raises(ValueError, match="alpha > 0 must hold"):
        save_peft_adalora(model, tmp_path)
