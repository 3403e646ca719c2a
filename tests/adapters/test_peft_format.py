"""Folders in PEFT's formats: what is written PEFT loads."""

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
from tests.adapters.peft_folders import (
    CONFIG,
    FAMILIES,
    Q_PROJ,
    SAVES,
    WEIGHTS,
    by_peft,
    logits,
    perturb,
    same,
    trained,
)
from tests.adapters.tiny_models import HEADS, svd_adapters, tiny_model, tiny_opt

pytestmark = [
    # PEFT reads a property that transformers has renamed, and warns of AdaLoRA's own rank_pattern.
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
        module.lam.data *= 300  # A few steps have left next to nothing.
    save(run.model, tmp_path, head=HEADS[family], task_type="SEQ_CLS")
    wanted = logits(run.model)
    same(by_peft(tmp_path, family), wanted)
    loaded = tiny_model(family)
    load_peft(loaded, tmp_path)
    same(logits(loaded), wanted)
    eject(run.model)
    assert (wanted - logits(run.model)).abs().max() > 1e-2, "the update must matter"


@SAVED
@pytest.mark.parametrize("mode", ["zero", "mask"])
def test_dead_triplets_are_not_in_the_files(mode, save, tmp_path):
    run = trained(mode=mode)
    save(run.model, tmp_path, head=["score"])
    ranks = {name: rank for name, rank in run.allocator.ranks().items() if rank}
    assert 0 < len(ranks) < 12, "some layers must be dead, some alive"
    assert len(set(ranks.values())) > 1
    if mode == "mask":
        held_back = [m.lam[~m.mask] for m in run.adapters.values()]
        assert torch.cat(held_back).count_nonzero(), "masked values must not be 0 of themselves"
    tensors = load_file(tmp_path / WEIGHTS)
    found = {
        name.removeprefix("base_model.model.").partition(".lora_A")[0]: len(tensor)
        for name, tensor in tensors.items()
        if ".lora_A" in name
    }
    assert found == ranks
    config = json.loads((tmp_path / CONFIG).read_text())
    assert sorted(config["target_modules"]) == sorted(ranks)


@SAVED
def test_lora_is_written_whole(save, tmp_path):
    model = tiny_opt()
    generator = torch.Generator().manual_seed(0)
    inject(model, target_patterns("opt"), 3, alpha=5, kind="lora", generator=generator)
    perturb(model)
    save(model, tmp_path)
    config = json.loads((tmp_path / CONFIG).read_text())
    assert len(config["target_modules"]) == 12
    assert not config["rank_pattern"]
    same(by_peft(tmp_path), logits(model))


@SAVED
def test_adapters_without_any_live_triplet_still_carry_the_head(save, tmp_path):
    model = tiny_opt()
    svd_adapters(model, 4)
    model.score.weight.data.normal_(generator=torch.Generator().manual_seed(2))
    save(model, tmp_path, head=["score"], task_type="SEQ_CLS")
    tensors = load_file(tmp_path / WEIGHTS)
    assert sum(".lora_A" in name for name in tensors) == 1
    same(by_peft(tmp_path), logits(model))
    loaded = tiny_opt()
    assert len(load_peft(loaded, tmp_path)) == 1
    same(logits(loaded), logits(model))


@SAVED
def test_any_module_that_trained_goes_along(save, tmp_path):
    model, head = tiny_opt(), ("model.decoder.final_layer_norm", "score")
    svd_adapters(model, 2)
    for name in head:
        model.get_submodule(name).requires_grad_(True)
    perturb(model)
    save(model, tmp_path, head=head)
    same(by_peft(tmp_path), logits(model))
    loaded = tiny_opt()
    load_peft(loaded, tmp_path)
    same(logits(loaded), logits(model))


def nested():
    """Layers `0` and `1.0`: one name is the end of the other."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 5), nn.Sequential(nn.Linear(5, 5), nn.Linear(5, 3)))


@SAVED
@pytest.mark.parametrize("layers", [["0"], ["0", r"1\.0"], [r"1\.0", r"1\.1"]])
def test_a_name_that_ends_anothers_means_its_own_layer(layers, save, tmp_path):
    model, x = nested(), torch.randn(4, 6, generator=torch.Generator().manual_seed(1))
    found = inject(model, layers, 3, alpha=2, generator=torch.Generator().manual_seed(0))
    perturb(model)
    for dead, module in enumerate(reversed(found.values())):
        module.lam.data[:dead] = 0
    save(model, tmp_path)
    loaded = peft.PeftModel.from_pretrained(nested(), tmp_path)
    same(loaded(x), model(x))
    assert sum("lora_A" in name for name, _ in loaded.named_parameters()) == len(layers)
    mine = nested()
    load_peft(mine, tmp_path)
    same(mine(x), model(x))


def test_layers_of_different_scales_share_one_alpha(tmp_path):
    model = tiny_opt()
    for factor, module in enumerate(svd_adapters(model, 4).values()):
        module.scale = 0.5 + 0.3 * factor
    perturb(model)
    save_peft_adalora(model, tmp_path)
    same(by_peft(tmp_path), logits(model))


def test_what_peft_adds_to_adaloras_rank_is_made_up_for(tmp_path):
    model = tiny_opt()
    ours = svd_adapters(model, 1)[Q_PROJ]  # Rank 1: there 1e-5 weighs most, and no sum hides it.
    perturb(model)
    save_peft_adalora(model, tmp_path)
    theirs = peft.PeftModel.from_pretrained(tiny_opt(), tmp_path)
    theirs = theirs.get_submodule(f"base_model.model.{Q_PROJ}").get_delta_weight("default")
    torch.testing.assert_close(theirs, ours.delta(), rtol=1e-6, atol=0)
    again = load_peft(tiny_opt(), tmp_path)[Q_PROJ].delta()
    torch.testing.assert_close(again, theirs, rtol=1e-6, atol=0)


@SAVED
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"head": ["classifier"]}, r"modules of the model, but got \['classifier'\]"),
        ({"head": ["model.decoder.layers"]}, "no adapters inside, but got"),
        ({"task_type": "SEQ_CLS"}, r"but got \[\] without \['score'\]"),
        ({"head": ["score"], "task_type": "SEQ_CLS"}, r"but got \['score'\] without \['zscore'\]"),
    ],
)
def test_a_head_that_peft_would_not_take_is_refused(settings, message, save, tmp_path):
    model = tiny_opt()
    svd_adapters(model, 2)
    if "zscore" in message:
        model.zscore = nn.Linear(2, 2)
    with pytest.raises(ValueError, match=message):
        save(model, tmp_path / "out", **settings)
    assert not (tmp_path / "out").exists()


@SAVED
def test_a_model_without_adapters_is_refused(save, tmp_path):
    with pytest.raises(ValueError, match="must have adapters"):
        save(tiny_opt(), tmp_path)


def test_adalora_needs_a_positive_alpha(tmp_path):
    model = tiny_opt()
    inject(model, target_patterns("opt"), 2, alpha=0, generator=torch.Generator())
    with pytest.raises(ValueError, match="alpha > 0 must hold"):
        save_peft_adalora(model, tmp_path)
