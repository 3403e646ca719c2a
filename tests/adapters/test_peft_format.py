"""Folders in PEFT's formats: what is written PEFT loads, what PEFT wrote is loaded."""

import json
import warnings
from pathlib import Path

import peft
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_models import HEADS, Run, svd_adapters, tiny_batch, tiny_model, tiny_opt
from torch import nn

from adapters import (
    CubicBudget,
    LoRALinear,
    RankAllocator,
    SVDLinear,
    adapted_layers,
    eject,
    inject,
    load_peft,
    save_peft_adalora,
    save_peft_lora,
    target_patterns,
)

pytestmark = [
    # PEFT reads a property that transformers has renamed, and warns of AdaLoRA's own rank_pattern.
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated"),
    pytest.mark.filterwarnings("ignore:The following .*_pattern keys did not match"),
]

FAMILIES = ("opt", "bert", "esm")
SAVES = {"LORA": save_peft_lora, "ADALORA": save_peft_adalora}
SAVED = pytest.mark.parametrize("save", SAVES.values(), ids=SAVES)
WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"
Q_PROJ = "model.decoder.layers.0.self_attn.q_proj"


@torch.no_grad()
def logits(model):
    batch = {key: value for key, value in tiny_batch(99).items() if key != "labels"}
    return model.eval()(**batch).logits


def same(left, right):
    torch.testing.assert_close(left, right, rtol=0, atol=1e-5)


def by_peft(folder, family="opt"):
    return logits(peft.PeftModel.from_pretrained(tiny_model(family), folder))


def trained(family="opt", mode="zero"):
    """A run after its last event, of 4 triplets a matrix 1.5 alive on average."""
    budget = CubicBudget(20, 4, 2, 12, final_fraction=0.25, deltaT=3)
    return Run(budget, family=family, prune_mode=mode).steps(20)


def perturb(model, scale=0.3):
    """Random values in place of what training would have left."""
    generator = torch.Generator().manual_seed(4)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data += scale * torch.randn(parameter.shape, generator=generator)


def edit_config(folder, **changes):
    path = Path(folder) / CONFIG
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


# Out


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
        ({"head": ["classifier"]}, "none called .'classifier'"),
        ({"head": ["model.decoder.layers"]}, "in it has an adapter"),
        ({"task_type": "SEQ_CLS"}, r"\['score'\] are not named"),
        ({"head": ["score"], "task_type": "SEQ_CLS"}, r"\['zscore'\] are not named"),
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


# In


def peft_saved(folder, config, family="opt"):
    """Saves PEFT's own model with random values; returns its logits."""
    model = peft.get_peft_model(tiny_model(family), config)
    perturb(model, 0.1)
    model.save_pretrained(folder)
    return logits(model)


LORA = {
    "plain": {},
    "rank-stabilised": {"use_rslora": True},
    "by patterns": {
        "rank_pattern": {"fc1": 3, r".*\.1\.attention\.self\.query": 5, "dense": 1},
        "alpha_pattern": {"^model.decoder.layers.1.fc2": 7, "value": 2},
    },
}


@pytest.mark.parametrize("settings", LORA.values(), ids=LORA)
@pytest.mark.parametrize("family", FAMILIES)
def test_pefts_lora_gives_the_same_logits(family, settings, tmp_path):
    config = peft.LoraConfig(
        r=2,
        lora_alpha=3,
        target_modules="|".join(target_patterns(family)),
        modules_to_save=list(HEADS[family]),
        task_type="SEQ_CLS",
        **settings,
    )
    wanted = peft_saved(tmp_path, config, family)
    model = tiny_model(family)
    adapters = load_peft(model, tmp_path)
    same(logits(model), wanted)
    assert len(adapters) == 12
    assert {type(module) for module in adapters.values()} == {LoRALinear}
    assert adapters.keys() == adapted_layers(model).keys()
    trains = {name.rpartition(".")[2] for name, p in model.named_parameters() if p.requires_grad}
    assert trains == {"P", "Q"}


@pytest.mark.parametrize("family", FAMILIES)
def test_pefts_adalora_gives_the_same_logits(family, tmp_path):
    config = peft.AdaLoraConfig(
        init_r=3,
        target_r=2,
        total_step=10,
        lora_alpha=16,
        target_modules="|".join(target_patterns(family)),
        modules_to_save=list(HEADS[family]),
        task_type="SEQ_CLS",
    )
    wanted = peft_saved(tmp_path, config, family)
    model = tiny_model(family)
    adapters = load_peft(model, tmp_path)
    same(logits(model), wanted)
    assert {type(module) for module in adapters.values()} == {SVDLinear}


def test_pefts_adalora_after_its_last_event_gives_the_same_logits(tmp_path):
    config = peft.AdaLoraConfig(
        init_r=4,
        target_r=1,
        tfinal=4,
        total_step=16,
        deltaT=3,
        target_modules=r".*\.(q_proj|k_proj|v_proj|out_proj|fc1|fc2)",
        task_type="SEQ_CLS",
    )
    theirs = peft.get_peft_model(tiny_opt(), config)
    weights = [p for p in theirs.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=1e-2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Of zero-sized tensors, where a layer has died.
        for step in range(1, 17):
            theirs(**tiny_batch(step)).loss.backward()
            optimizer.step()
            theirs.base_model.update_and_allocate(step)
            optimizer.zero_grad()
        theirs.save_pretrained(tmp_path)
    ranks = {t.shape[0] for n, t in load_file(tmp_path / WEIGHTS).items() if "lora_A" in n}
    assert {0, 4} & ranks
    assert len(ranks) > 1
    model = tiny_opt()
    load_peft(model, tmp_path)
    same(logits(model), logits(theirs))


def test_imported_adalora_trains_on_under_an_allocator(tmp_path):
    save_peft_adalora(trained().model, tmp_path)
    model = tiny_opt()
    adapters = load_peft(model, tmp_path)
    rank = next(iter(adapters.values())).rank
    budget = CubicBudget(6, rank, 1, len(adapters), deltaT=2)
    allocator = RankAllocator(adapters, budget, beta1=0.8, beta2=0.8, p=0, mask_seed=0)
    weights = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=1e-3)
    for step in range(6):
        model(**tiny_batch(step)).loss.backward()
        optimizer.step()
        allocator.step()
        optimizer.zero_grad()
    assert allocator.rank() == len(adapters)


def refuse(folder, message, model=None):
    """Asserts a refusal that leaves the model as it was."""
    model = model or tiny_opt()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(ValueError, match=message):
        load_peft(model, folder)
    after = model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"peft_type": "LOHA"}, "peft_type must be one of LORA, ADALORA, but is 'LOHA'"),
        ({"use_dora": True}, "must be plain LORA, but has use_dora=True"),
        ({"bias": "all"}, "bias='all'"),
        ({"lora_bias": True}, "lora_bias=True"),
        ({"fan_in_fan_out": True}, "fan_in_fan_out=True"),
        ({"init_lora_weights": "pissa"}, "init_lora_weights='pissa'"),
        ({"layer_replication": [[0, 1]]}, "layer_replication"),
        ({"r": 3}, "must have the rank 3 of adapter_config.json"),
        ({"rank_pattern": {"fc1": 5}}, "fc1 must have the rank 5"),
        ({"target_modules": ["fc1", "fc2", "q_proj", "score"]}, "tensors of score are missing"),
        ({"modules_to_save": ["score"]}, r"1 are missing \['score.weight'\]"),
    ],
)
def test_a_config_that_asks_for_something_else_is_refused(changes, message, tmp_path):
    peft_saved(tmp_path, peft.LoraConfig(r=2, target_modules=["fc1", "fc2", "q_proj"]))
    edit_config(tmp_path, **changes)
    refuse(tmp_path, message)


A, B = (f"base_model.model.{Q_PROJ}.lora_{part}.weight" for part in "AB")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop(B), f"tensors are missing: {Q_PROJ}.lora_B.weight"),
        (lambda t: (t.pop(A), t.pop(B)), f"tensors of {Q_PROJ} are missing"),
        (lambda t: t.clear(), "must hold lora_A.weight and lora_B.weight"),
        (lambda t: t.update({A: torch.zeros(2, 7)}), r"shape \(16, 16\), but has \(16, 7\)"),
        (lambda t: t.update({A: torch.zeros(3, 16)}), "must have the rank 2"),
        (lambda t: t.update({A: torch.zeros(2)}), r"shape \(16, 16\), but has \(16,\)"),
        (lambda t: t.update({B: torch.zeros(())}), "must have the rank 2"),
        (lambda t: t.update({"x.lora_A.weight": t[A]}), "must start with base_model.model."),
        (
            lambda t: t.update({n.replace("layers.0", "layers.7"): t[n] for n in (A, B)}),
            "must be a linear layer of the model, but model.decoder.layers.7",
        ),
        (
            lambda t: t.update({A.replace("lora_A.weight", "lora_magnitude_vector"): t[A]}),
            "1 left over .*magnitude",
        ),
        (lambda t: t.pop("base_model.model.score.weight"), r"1 are missing \['score.weight'\]"),
        (
            lambda t: t.update({"base_model.model.score.weight": torch.zeros(3, 16)}),
            r"score.weight must have the model's shape \(2, 16\), but has \(3, 16\)",
        ),
    ],
)
def test_tensors_that_do_not_fit_are_refused(change, message, tmp_path):
    config = peft.LoraConfig(r=2, target_modules=["q_proj", "fc1"], task_type="SEQ_CLS")
    peft_saved(tmp_path, config)
    tensors = load_file(tmp_path / WEIGHTS)
    change(tensors)
    save_file({name: tensor.clone() for name, tensor in tensors.items()}, tmp_path / WEIGHTS)
    refuse(tmp_path, message)


def test_files_that_are_absent_or_damaged_are_refused(tmp_path):
    refuse(tmp_path, "must hold adapter_config.json, but has none")
    peft_saved(tmp_path, peft.LoraConfig(r=2, target_modules=["fc1"]))
    weights = (tmp_path / WEIGHTS).read_bytes()
    (tmp_path / WEIGHTS).write_bytes(weights[:100])
    refuse(tmp_path, "must be safetensors")
    (tmp_path / WEIGHTS).rename(tmp_path / "adapter_model.bin")
    refuse(tmp_path, "found none but adapter_model.bin; pickles are not read")
    (tmp_path / CONFIG).write_text("{")
    refuse(tmp_path, "must be JSON")


def test_a_model_with_adapters_is_refused(tmp_path):
    peft_saved(tmp_path, peft.LoraConfig(r=2, target_modules=["fc1"]))
    model = tiny_opt()
    svd_adapters(model, 2)
    refuse(tmp_path, "must have no adapters yet|must be a linear layer", model)


@pytest.mark.filterwarnings("ignore:Setting `save_embedding_layers`")
def test_other_layers_than_linear_are_refused(tmp_path):
    peft_saved(tmp_path, peft.LoraConfig(r=2, target_modules=["embed_tokens", "fc1"]))
    refuse(tmp_path, "left over .*embed_tokens")
