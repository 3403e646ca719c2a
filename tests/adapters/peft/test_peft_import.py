"""Folders written by PEFT are loaded; those that do not match the model are refused."""

import warnings

import peft
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import OPTForCausalLM

from adapters import (
    CubicBudget,
    LoRALinear,
    RankAllocator,
    SVDLinear,
    adapted_layers,
    load_peft,
    save_peft_adalora,
    target_patterns,
)
from tests.adapters.peft.peft_folders import (
    CONFIG,
    FAMILIES,
    Q_PROJ,
    WEIGHTS,
    assert_same,
    edit_config,
    logits,
    perturb,
    trained,
)
from tests.adapters.tiny_models import HEADS, svd_adapters, tiny_batch, tiny_model, tiny_opt

pytestmark = [
    # PEFT reads a property that transformers renamed, and warns about AdaLoRA's rank_pattern.
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated"),
    pytest.mark.filterwarnings("ignore:The following .*_pattern keys did not match"),
]


def peft_saved(folder, config, base="opt"):
    """Saves a PEFT model with random values, and returns its logits."""
    model = peft.get_peft_model(tiny_model(base) if isinstance(base, str) else base, config)
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
    expected = peft_saved(tmp_path, config, family)
    model = tiny_model(family)
    adapters = load_peft(model, tmp_path)
    assert_same(logits(model), expected)
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
    expected = peft_saved(tmp_path, config, family)
    model = tiny_model(family)
    adapters = load_peft(model, tmp_path)
    assert_same(logits(model), expected)
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
    peft_model = peft.get_peft_model(tiny_opt(), config)
    weights = [p for p in peft_model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=1e-2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # About tensors of size zero, of layers without triplets.
        for step in range(1, 17):
            peft_model(**tiny_batch(step)).loss.backward()
            optimizer.step()
            peft_model.base_model.update_and_allocate(step)
            optimizer.zero_grad()
        peft_model.save_pretrained(tmp_path)
    ranks = {t.shape[0] for n, t in load_file(tmp_path / WEIGHTS).items() if "lora_A" in n}
    assert {0, 4} & ranks
    assert len(ranks) > 1
    model = tiny_opt()
    load_peft(model, tmp_path)
    assert_same(logits(model), logits(peft_model))


def test_imported_adalora_can_be_trained_with_an_allocator(tmp_path):
    save_peft_adalora(trained().model, tmp_path)
    model = tiny_opt()
    adapters = load_peft(model, tmp_path)
    ranks = tuple(layer.rank for layer in adapters.values())
    assert len(set(ranks)) > 1
    budget = CubicBudget(6, ranks, 1, len(adapters), deltaT=2)
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
    """Asserts that loading raises and leaves the model unchanged."""
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
        ({"peft_type": "LOHA"}, "peft_type must be one of LORA, ADALORA, but got 'LOHA'"),
        ({"use_dora": True}, "must be LORA without variants, but got use_dora=True"),
        ({"bias": "all"}, "bias='all'"),
        ({"lora_bias": True}, "lora_bias=True"),
        ({"init_lora_weights": "pissa"}, "init_lora_weights='pissa'"),
        ({"layer_replication": [[0, 1]]}, "layer_replication"),
        ({"r": 3}, "must have the rank 3 of adapter_config.json"),
        ({"rank_pattern": {"fc1": 5}}, "fc1 must have the rank 5"),
        (
            {"target_modules": ["fc1", "fc2", "q_proj", "score"]},
            "must have tensors, but got none of score",
        ),
        ({"modules_to_save": ["score"]}, r"but got 1 missing \['score.weight'\]"),
        ({"use_next_variant": True}, "without variants, but got use_next_variant=True"),
        ({"next_config": {"a": 1}}, "without variants, but got next_config={'a': 1}"),
        ({"r": "2"}, "r in adapter_config.json must be as PEFT writes it, but got '2'"),
        ({"r": 0}, "r in adapter_config.json must be"),
        ({"lora_alpha": float("nan")}, "lora_alpha in adapter_config.json must be .*nan"),
        ({"rank_pattern": [2]}, "rank_pattern in adapter_config.json must be"),
        ({"rank_pattern": {"fc1": 2.5}}, "rank_pattern in adapter_config.json must be"),
        ({"alpha_pattern": {"fc1": "2"}}, "alpha_pattern in adapter_config.json must be"),
        ({"alpha_pattern": {"(fc1": 2}}, "alpha_pattern in adapter_config.json must be"),
        ({"target_modules": "(fc1"}, "target_modules in adapter_config.json must be"),
        ({"modules_to_save": "score"}, "modules_to_save in adapter_config.json must be"),
        ({"modules_to_save": [1]}, "modules_to_save in adapter_config.json must be"),
    ],
)
def test_an_unsupported_config_is_refused(changes, message, tmp_path):
    peft_saved(tmp_path, peft.LoraConfig(r=2, target_modules=["fc1", "fc2", "q_proj"]))
    edit_config(tmp_path, **changes)
    refuse(tmp_path, message)


def test_settings_of_a_newer_peft_that_are_off_are_ignored(tmp_path):
    expected = peft_saved(tmp_path, peft.LoraConfig(r=2, target_modules=["fc1"]))
    edit_config(tmp_path, use_next_variant=False, next_config=None, next_modules=[])
    model = tiny_opt()
    load_peft(model, tmp_path)
    assert_same(logits(model), expected)


def causal():
    """A language model whose output layer has the weight of the embedding."""
    torch.manual_seed(1)
    return OPTForCausalLM(tiny_opt().config)


@pytest.mark.filterwarnings("ignore:Model has `tie_word_embeddings=True`")
def test_a_saved_module_that_is_tied_is_refused(tmp_path):
    # PEFT trains a copy of lm_head, and leaves the embedding as it was.
    config = peft.LoraConfig(r=2, target_modules=["fc1"], modules_to_save=["lm_head"])
    expected = peft_saved(tmp_path, config, causal())
    refuse(tmp_path, "must have parameters of their own, but got .*embed_tokens.* tied", causal())
    model = causal()
    model.lm_head.weight = nn.Parameter(model.lm_head.weight.detach().clone())
    load_peft(model, tmp_path)
    assert_same(logits(model), expected)


A, B = (f"base_model.model.{Q_PROJ}.lora_{part}.weight" for part in "AB")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop(B), f"{Q_PROJ} must have .* but got no {Q_PROJ}.lora_B.weight"),
        (lambda t: (t.pop(A), t.pop(B)), f"must have tensors, but got none of {Q_PROJ}"),
        (lambda t: t.clear(), "must have lora_A.weight and lora_B.weight of at least one"),
        (lambda t: t.update({A: torch.zeros(2, 7)}), r"shape \(16, 16\), but got \(16, 7\)"),
        (lambda t: t.update({A: torch.zeros(3, 16)}), "must have the rank 2"),
        (lambda t: t.update({A: torch.full((2, 16), torch.inf)}), "must have finite .* infinity"),
        (lambda t: t.update({A: torch.zeros(2)}), r"shape \(16, 16\), but got \(16,\)"),
        (lambda t: t.update({B: torch.zeros(())}), "must have the rank 2"),
        (lambda t: t.update({"x.lora_A.weight": t[A]}), "must start with base_model.model."),
        (
            lambda t: t.update({n.replace("layers.0", "layers.7"): t[n] for n in (A, B)}),
            "must be a linear layer of the model, but got model.decoder.layers.7",
        ),
        (
            lambda t: t.update({A.replace("lora_A.weight", "lora_magnitude_vector"): t[A]}),
            "1 unexpected .*magnitude",
        ),
        (
            lambda t: t.pop("base_model.model.score.weight"),
            r"but got 1 missing \['score.weight'\]",
        ),
        (
            lambda t: t.update({"base_model.model.score.weight": torch.zeros(3, 16)}),
            r"score.weight must have the model's shape \(2, 16\), but got \(3, 16\)",
        ),
    ],
)
def test_tensors_that_do_not_match_the_model_are_refused(change, message, tmp_path):
    config = peft.LoraConfig(r=2, target_modules=["q_proj", "fc1"], task_type="SEQ_CLS")
    peft_saved(tmp_path, config)
    tensors = load_file(tmp_path / WEIGHTS)
    change(tensors)
    save_file({name: tensor.clone() for name, tensor in tensors.items()}, tmp_path / WEIGHTS)
    refuse(tmp_path, message)


def test_missing_or_damaged_files_are_refused(tmp_path):
    refuse(tmp_path, "must have adapter_config.json, but got none")
    peft_saved(tmp_path, peft.LoraConfig(r=2, target_modules=["fc1"]))
    weights = (tmp_path / WEIGHTS).read_bytes()
    (tmp_path / WEIGHTS).write_bytes(weights[:100])
    refuse(tmp_path, "must be safetensors")
    (tmp_path / WEIGHTS).rename(tmp_path / "adapter_model.bin")
    refuse(tmp_path, "but got adapter_model.bin, and pickles are not loaded")
    for text in ("{", "[" * 100_000):
        (tmp_path / CONFIG).write_text(text)
        refuse(tmp_path, "must be JSON")


def test_a_model_with_adapters_is_refused(tmp_path):
    peft_saved(tmp_path, peft.LoraConfig(r=2, target_modules=["fc1"]))
    model = tiny_opt()
    svd_adapters(model, 2)
    refuse(tmp_path, "must have no adapters yet|must be a linear layer", model)


@pytest.mark.filterwarnings("ignore:Setting `save_embedding_layers`")
def test_other_layers_than_linear_are_refused(tmp_path):
    peft_saved(tmp_path, peft.LoraConfig(r=2, target_modules=["embed_tokens", "fc1"]))
    refuse(tmp_path, "unexpected .*embed_tokens")
