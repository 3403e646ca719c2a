"""One object that adapts, trains, saves, merges and removes: equal to the parts it consists of."""

import copy

import pytest
import torch
from torch import nn

from adapters import (
    AdaLoraRS,
    CubicBudget,
    ParameterBudget,
    RankAllocator,
    adapted_layers,
    inject,
    load_adapters,
    orthogonality,
    target_patterns,
)
from tests.adapters.tiny_models import tiny_batch, tiny_model, tiny_opt

SETTINGS = {"b0": 4, "bT": 2, "total_steps": 12, "deltaT": 3, "p": 0.2, "seed": 5, "alpha": 16}
MATRICES = ["q", "k", "v", "o", "f1", "f2"]


def door(model=None, targets=MATRICES, **settings):
    adalora = AdaLoraRS(model or tiny_opt(), targets, **(SETTINGS | settings))
    optimizer = torch.optim.AdamW(adalora.parameters(), lr=5e-3, weight_decay=0.1)
    return adalora, optimizer


def train(adalora, optimizer, steps, model=None):
    model = model or adalora.model
    for _ in range(steps):
        batch = tiny_batch(adalora.allocator.t)
        (model(**batch).loss + adalora.penalty()).backward()
        optimizer.step()
        adalora.step()
        optimizer.zero_grad()


def logits(model):
    with torch.no_grad():
        return model.eval()(**tiny_batch(0)).logits


def weights(model):
    return {name: weight.detach() for name, weight in model.named_parameters()}


def assert_equal(own, other):
    assert own.keys() == other.keys()
    for name in own:
        assert torch.equal(own[name], other[name]), name


def test_it_trains_as_the_parts_do_bit_for_bit():
    adalora, optimizer = door()
    train(adalora, optimizer, 12)
    model = tiny_opt()
    generator = torch.Generator().manual_seed(5)
    layers = inject(model, target_patterns("opt"), 4, alpha=16, generator=generator)
    model.score.requires_grad_(True)
    budget = CubicBudget(12, 4, 2, 12, final_fraction=0.25, deltaT=3)
    allocator = RankAllocator(layers, budget, beta1=0.85, beta2=0.85, p=0.2, mask_seed=5)
    trained = [w for w in model.parameters() if w.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=5e-3, weight_decay=0.1)
    for step in range(12):
        (model(**tiny_batch(step)).loss + 0.1 * orthogonality(layers)).backward()
        optimizer.step()
        allocator.step()
        optimizer.zero_grad()
    assert adalora.trace() == allocator.trace()
    assert_equal(weights(adalora.model), weights(model))


def test_the_penalty_may_be_added_to_the_gradient():
    losses, added = door(), door()
    train(*losses, 1)
    adalora, optimizer = added
    adalora.model(**tiny_batch(0)).loss.backward()
    adalora.add_penalty()
    optimizer.step()
    for own, other in zip(adalora.parameters(), losses[0].parameters(), strict=True):
        torch.testing.assert_close(own, other)


# What is adapted, what trains


@pytest.mark.parametrize("family", ["opt", "bert", "esm"])
def test_the_head_of_a_classifier_trains_and_is_not_adapted(family):
    model = tiny_model(family)
    adalora, _ = door(model, "all-linear")
    head = {"opt": "score", "bert": "classifier", "esm": "classifier"}[family]
    assert adalora.head.names == [head]
    assert not any(name.startswith(head) for name in adalora.layers)
    trained = {name for name, w in model.named_parameters() if w.requires_grad}
    own = {f"{name}.{key}" for name in adalora.layers for key in ("P", "lam", "Q")}
    assert trained - own == {n for n, _ in model.named_parameters() if n.startswith(head)}


@pytest.mark.parametrize(
    ("targets", "count"),
    [
        ("all-linear", 12),
        (["q", "v"], 4),
        (["q_proj", "fc1"], 4),
        (["layers.1.fc2"], 1),
        ([r".*\.[kv]_proj"], 4),
        ("fc1", 2),
        (["q_proj", r".*q_proj"], 2),
    ],
)
def test_targets_are_matrices_ends_of_names_or_patterns(targets, count):
    assert len(door(targets=targets)[0].layers) == count


def test_an_end_of_a_name_is_of_whole_parts():
    model = nn.ModuleDict({"my_q": nn.Linear(4, 4), "q": nn.Linear(4, 4)})
    assert list(door(model, ["q"])[0].layers) == ["q"]


def test_a_language_model_and_a_plain_model_have_no_head_unless_named():
    from transformers import OPTConfig, OPTForCausalLM

    small = OPTConfig(
        vocab_size=20, hidden_size=8, ffn_dim=8, num_hidden_layers=1, num_attention_heads=1,
        max_position_embeddings=16, word_embed_proj_dim=8,
    )  # fmt: skip
    adalora, _ = door(OPTForCausalLM(small), "all-linear")
    assert adalora.head.names == []
    assert "lm_head" not in adalora.layers
    plain = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2))
    adalora, _ = door(plain, ["0"], head=["1"])
    assert plain[1].weight.requires_grad
    assert not plain[0].base.weight.requires_grad


def test_ranks_per_layer_and_numbers_of_parameters_make_the_budget():
    adalora, _ = door(b0={"model.decoder.layers.0.fc1": 3, "model.decoder.layers.1.fc1": 7},
                      targets=["fc1"])  # fmt: skip
    assert adalora.budget == CubicBudget(12, (3, 7), 2, 2, final_fraction=0.25, deltaT=3)
    adalora, _ = door(targets=["fc1", "q_proj"], unit="parameters", b0=1000, bT=300)
    one = 2 * (16 + 32 + 1) + 2 * (16 + 16 + 1)
    assert {layer.rank for layer in adalora.layers.values()} == {1000 // one}
    assert isinstance(adalora.budget, ParameterBudget)
    assert adalora.budget.start == 6 * one
    assert adalora.budget.end == 300


def test_the_interval_may_be_a_fraction():
    assert door(deltaT=0.5, total_steps=100)[0].budget.deltaT == 38


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        ({"targets": ["nothing"]}, "target 'nothing' must select a linear layer outside"),
        ({"targets": ["score"]}, "target 'score' must select a linear layer outside the head"),
        ({"targets": []}, "targets must not be empty"),
        ({"targets": ["["]}, "must be a regular expression"),
        ({"head": ["classifier"]}, r"head must be a list of names .* got \['classifier'\]"),
        ({"bT": 5}, "1 <= bT <= b0 must hold"),
        ({"deltaT": 20}, "a mask event must come before T=9"),
        ({"deltaT": 1.5}, "deltaT must be an int or a fraction"),
        ({"p": 2.0}, "0 <= p <= 1 must hold"),
        ({"gamma": -1.0}, "gamma >= 0 must hold"),
        ({"unit": "parameters", "b0": 10}, r"b0 must be at least 460 parameters, .* b0=10"),
        ({"unit": "parameters", "b0": 600, "bT": 2}, "widest triplet <= bT"),
        ({"unit": "rank"}, "unit must be one of triplets, parameters"),
        ({"b0": {"x": 1}}, "rank must be of exactly the layers"),
    ],
)
@pytest.mark.usefixtures("without_type_checks")
def test_bad_settings_are_refused_and_the_model_is_unchanged(settings, rule):
    model = tiny_opt()
    before = weights(model)
    with pytest.raises(ValueError, match=rule):
        door(model, **settings)
    assert_equal(weights(model), before)
    assert all(w.requires_grad for w in model.parameters())


# Saving and loading


@pytest.mark.parametrize(("when", "mode"), [(5, "zero"), (5, "mask"), (10, "zero")])
def test_a_loaded_run_continues_bit_for_bit(when, mode, tmp_path):
    adalora, optimizer = door(prune_mode=mode)
    train(adalora, optimizer, when)
    adalora.save(tmp_path / "run", optimizer)
    resumed, other = door(prune_mode=mode)
    resumed.load(tmp_path / "run", other)
    train(adalora, optimizer, 12 - when)
    train(resumed, other, 12 - when)
    assert_equal(weights(resumed.model), weights(adalora.model))
    assert resumed.trace() == adalora.trace()


def test_a_shrunk_run_continues_and_its_adapters_are_read_by_a_model_without_any(tmp_path):
    adalora, optimizer = door(p=0.6, p_reintroduce=0.0)
    train(adalora, optimizer, 10)
    adalora.shrink(optimizer)
    assert 0 in adalora.ranks().values()
    adalora.save(tmp_path, optimizer)
    resumed, other = door(p=0.6, p_reintroduce=0.0)
    resumed.load(tmp_path, other)
    train(adalora, optimizer, 2)
    train(resumed, other, 2)
    assert_equal(weights(resumed.model), weights(adalora.model))
    resumed.save(tmp_path)
    plain = tiny_opt()
    assert load_adapters(plain, tmp_path / "adapters.safetensors") == {}
    plain.score.load_state_dict(resumed.model.score.state_dict())
    assert torch.equal(logits(plain), logits(resumed.model))


def test_adapters_that_do_not_fit_a_model_without_any_leave_it_as_it_is(tmp_path):
    adalora, _ = door()
    adalora.save(tmp_path)
    model = tiny_opt(hidden=32)
    with pytest.raises(ValueError, match="must have the shape"):
        load_adapters(model, tmp_path / "adapters.safetensors")
    assert not adapted_layers(model)
    assert all(w.requires_grad for w in model.parameters())


def test_folders_of_other_runs_and_damaged_ones_are_refused(tmp_path):
    adalora, optimizer = door()
    train(adalora, optimizer, 1)
    adalora.save(tmp_path)
    with pytest.raises(ValueError, match=r"optimizer.pt: the folder must have this file"):
        adalora.load(tmp_path, optimizer)
    with pytest.raises(ValueError, match=r"p must be that of the saved run, p=0\.2, but got"):
        door(p=0.1)[0].load(tmp_path)
    with pytest.raises(ValueError, match=r"head must have the tensors \{\}, but got"):
        door(head=[])[0].load(tmp_path)
    (tmp_path / "rank_allocator.pt").write_bytes(b"damaged")
    with pytest.raises(ValueError, match=r"rank_allocator.pt: must be as save\(\) wrote it"):
        adalora.load(tmp_path)


# Evaluation and end


def test_a_disabled_model_is_the_base_model_and_comes_back_when_an_error_leaves_the_context():
    expected = logits(tiny_opt())
    adalora, optimizer = door()
    train(adalora, optimizer, 3)
    trained = logits(adalora.model)
    assert not torch.equal(trained, expected)

    def leave_with_an_error():
        with adalora.disabled():
            assert torch.equal(logits(adalora.model), expected)
            raise KeyError

    with pytest.raises(KeyError):
        leave_with_an_error()
    assert torch.equal(logits(adalora.model), trained)
    train(adalora, optimizer, 2)  # The optimizer's parameters are those of the model.
    assert not torch.equal(logits(adalora.model), trained)


def test_a_removed_model_is_as_it_was():
    model = tiny_opt()
    model.model.decoder.embed_tokens.requires_grad_(False)
    before = copy.deepcopy(weights(model))
    adalora, optimizer = door(model)
    train(adalora, optimizer, 3)
    assert adalora.remove() is model
    assert_equal(weights(model), before)
    assert not adapted_layers(model)
    trained = {n: w.requires_grad for n, w in model.named_parameters()}
    assert trained.pop("model.decoder.embed_tokens.weight") is False
    assert all(trained.values())


def test_a_merged_model_computes_what_the_adapted_one_did():
    adalora, optimizer = door()
    train(adalora, optimizer, 12)
    expected = logits(adalora.model)
    merged = adalora.merge()
    assert not adapted_layers(merged)
    torch.testing.assert_close(logits(merged), expected, rtol=0, atol=1e-5)


def test_a_run_that_ends_early_is_pruned_and_shrunk():
    adalora, optimizer = door()
    train(adalora, optimizer, 4)
    with adalora.at_final_budget():
        expected = logits(adalora.model)
    adalora.prune_now()
    adalora.shrink(optimizer)
    assert sum(adalora.ranks().values()) == 24
    torch.testing.assert_close(logits(adalora.model), expected, rtol=0, atol=1e-6)
