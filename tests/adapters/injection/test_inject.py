import copy

import pytest
import torch
from torch import nn
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    EsmConfig,
    EsmForSequenceClassification,
    OPTConfig,
    OPTForSequenceClassification,
)

from adapters import (
    MATRICES,
    LoRALinear,
    SVDLinear,
    adapted_layers,
    eject,
    expected_matches,
    inject,
    merge,
    target_patterns,
)
from tests.adapters.tiny_models import svd_adapters, tiny_batch, tiny_model, tiny_opt

SMALL = {"hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 3, "vocab_size": 30}
SMALL |= {"num_attention_heads": 2, "pad_token_id": 1, "mask_token_id": 2}


def families():
    opt = OPTConfig(
        vocab_size=30,
        hidden_size=16,
        ffn_dim=32,
        num_hidden_layers=3,
        num_attention_heads=2,
        word_embed_proj_dim=8,  # as in OPT-350M, which has project_in and project_out
        do_layer_norm_before=False,
    )
    return {
        "opt": OPTForSequenceClassification(opt),
        "bert": BertForSequenceClassification(BertConfig(**SMALL)),
        "esm": EsmForSequenceClassification(EsmConfig(**SMALL)),
    }


def adapt(model, patterns=None, **settings):
    defaults = {"rank": 2, "alpha": 4, "generator": torch.Generator().manual_seed(0)}
    return inject(model, patterns or target_patterns("opt"), **(defaults | settings))


def logits(model):
    batch = tiny_batch(0)
    return model(input_ids=batch["input_ids"]).logits


def perturb(model):
    generator = torch.Generator().manual_seed(4)
    for module in adapted_layers(model).values():
        for parameter in module.parameters(recurse=False):
            parameter.data += torch.randn(parameter.shape, generator=generator)


@pytest.mark.parametrize("family", ["opt", "bert", "esm"])
def test_the_six_matrices_of_every_layer_are_adapted_and_no_others(family):
    model = families()[family]
    expected = expected_matches(3, MATRICES)
    adapters = adapt(model, target_patterns(family), expected=expected)
    assert len(adapters) == expected == 18
    outside = [name for name, m in model.named_modules() if isinstance(m, nn.Linear)]
    untouched = {n for n in outside if not n.endswith(".base")}
    assert (
        untouched
        == {
            "opt": {"score", "model.decoder.project_in", "model.decoder.project_out"},
            "bert": {"bert.pooler.dense", "classifier"},
            "esm": {"esm.contact_head.regression", "classifier.dense", "classifier.out_proj"},
        }[family]
    )


@pytest.mark.parametrize("family", ["opt", "bert", "esm"])
def test_patterns_match_a_backbone_without_head(family):
    model = families()[family]
    backbone = model.base_model
    assert len(adapt(backbone, target_patterns(family))) == 18


@pytest.mark.parametrize("matrix", MATRICES)
def test_every_matrix_can_be_adapted_separately(matrix):
    for family, model in families().items():
        adapters = adapt(model, target_patterns(family, [matrix]), expected=3)
        shape = next(iter(adapters.values())).base.weight.shape
        wide = {"f1": shape[0] == 2 * shape[1], "f2": 2 * shape[0] == shape[1]}
        assert wide.get(matrix, shape[0] == shape[1])


@pytest.mark.parametrize(
    ("family", "matrices"), [("gpt", ["q"]), ("opt", ["w"]), ("opt", []), ("opt", ["q", "q"])]
)
def test_unknown_families_and_matrices_are_refused(family, matrices):
    with pytest.raises(ValueError, match="must be"):
        target_patterns(family, matrices)


def test_only_the_adapters_train():
    model = tiny_opt()
    adapt(model)
    trained = {name.rsplit(".", 1)[-1] for name, p in model.named_parameters() if p.requires_grad}
    assert trained == {"P", "lam", "Q"}


def test_the_adapted_model_starts_as_the_backbone():
    for kind in ("svd", "lora"):
        model = tiny_opt()
        before = logits(model)
        adapt(model, kind=kind)
        assert torch.equal(logits(model), before)


def test_p_and_q_are_drawn_from_the_generator_in_the_order_of_modules():
    model = tiny_opt()
    adapters = adapt(model, generator=torch.Generator().manual_seed(9))
    generator = torch.Generator().manual_seed(9)
    linear = [n for n, m in tiny_opt().named_modules() if isinstance(m, nn.Linear)]
    assert list(adapters) == [name for name in linear if name != "score"]
    for module in adapters.values():
        for weight in (module.P, module.Q):
            assert torch.equal(weight, torch.randn(weight.shape, generator=generator) * 0.02)


def test_each_kind_has_its_class():
    assert {type(m) for m in adapt(tiny_opt()).values()} == {SVDLinear}
    assert {type(m) for m in adapt(tiny_opt(), kind="lora").values()} == {LoRALinear}


def test_patterns_match_whole_names():
    with pytest.raises(ValueError, match="must match the whole name of a layer, but got no match"):
        adapt(tiny_opt(), ["fc1"])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"patterns": [r".*\.q_proj", r".*\.output_proj"]},
            "output_proj.*must match the whole name",
        ),
        ({"patterns": [r".*\.q_proj"], "expected": 3}, "must match 3 layers, but got 2"),
        ({"patterns": [r".*\.self_attn"]}, "must be nn.Linear, but got .*OPTAttention"),
        ({"patterns": ()}, "must not be empty"),
        ({"patterns": r".*\.fc1"}, "must be a sequence of regular expressions"),
        ({"patterns": ["(fc1"]}, r"must be a regular expression, but got '\(fc1'"),
        ({"rank": 0}, "rank >= 1"),
        ({"rank": 2.0}, "rank must be an integer, but got rank=2.0"),
        ({"rank": True}, "rank must be an integer"),
        ({"dropout": 1.0}, "dropout < 1"),
        ({"dropout": float("nan")}, "dropout < 1"),
        ({"alpha": float("inf")}, "alpha < inf"),
        ({"alpha": "16"}, "alpha must be a number"),
        ({"kind": "adalora"}, "kind must be one of svd, lora, but got kind='adalora'"),
        ({"generator": 0}, "generator must be a CPU generator"),
    ],
)
@pytest.mark.usefixtures("without_type_checks")
def test_invalid_arguments_are_refused_and_the_model_is_unchanged(settings, message):
    model = tiny_opt()
    defaults = {"rank": 2, "alpha": 4, "generator": torch.Generator()}
    arguments = {"patterns": target_patterns("opt"), **defaults, **settings}
    with pytest.raises(ValueError, match=message):
        inject(model, **arguments)
    assert not adapted_layers(model)
    assert all(p.requires_grad for p in model.parameters())


def test_a_second_injection_is_refused():
    model = tiny_opt()
    adapt(model)
    with pytest.raises(ValueError, match="no adapters yet"):
        adapt(model)


def test_eject_restores_the_model():
    model = tiny_opt()
    model.model.decoder.embed_tokens.weight.requires_grad_(False)
    layers = dict(model.named_modules())
    flags = {n: p.requires_grad for n, p in model.named_parameters()}
    weights = copy.deepcopy(model.state_dict())
    before = logits(model)
    adapt(model)
    perturb(model)
    assert not torch.allclose(logits(model), before)
    eject(model)
    assert dict(model.named_modules()) == layers
    assert {n: p.requires_grad for n, p in model.named_parameters()} == flags
    assert all(torch.equal(value, weights[key]) for key, value in model.state_dict().items())
    assert torch.equal(logits(model), before)
    adapt(model)  # and the model can be adapted again


def test_a_layer_shared_by_two_parents_is_adapted_in_both():
    shared = nn.Linear(4, 4)
    model = nn.ModuleDict({"a": nn.Sequential(shared), "b": nn.Sequential(shared)})
    adapters = adapt(model, [r"[ab]\.0"])
    assert len(adapters) == 1
    assert model["a"][0] is model["b"][0] is adapters["a.0"]
    eject(model)
    assert model["a"][0] is model["b"][0] is shared


def test_a_layer_with_two_names_in_a_parent_is_adapted_under_both():
    model = nn.Module()
    model.a = model.b = nn.Linear(4, 4)
    adapters = adapt(model, ["b|a"])
    assert model.a is model.b is adapters["a"]


@pytest.mark.parametrize("kind", ["svd", "lora"])
def test_merge_gives_linear_layers_with_the_same_output(kind):
    model = tiny_opt()
    layers = dict(model.named_modules())
    backbone = copy.deepcopy(model.state_dict())
    adapt(model, kind=kind)
    perturb(model)
    expected = logits(model)
    merge(model)
    assert not adapted_layers(model)
    torch.testing.assert_close(logits(model), expected, rtol=1e-4, atol=1e-5)
    assert {type(model.get_submodule(n)) for n in layers if n.endswith("fc1")} == {nn.Linear}
    assert all(p.requires_grad for p in model.parameters())
    # The layers that were adapted still have the backbone's weights.
    for name, layer in layers.items():
        if isinstance(layer, nn.Linear):
            assert torch.equal(layer.weight, backbone[f"{name}.weight"])


@pytest.mark.parametrize("kind", ["svd", "lora"])
@pytest.mark.parametrize("family", ["opt", "bert", "esm"])
def test_a_merged_model_can_be_saved_and_loaded_by_transformers(family, kind, tmp_path):
    model = tiny_model(family).eval()
    names = list(model.state_dict())
    before = logits(model)
    adapt(model, target_patterns(family), kind=kind)
    perturb(model)
    expected = logits(model)
    assert (expected - before).abs().max() > 1e-2
    merge(model)
    assert list(model.state_dict()) == names
    model.save_pretrained(tmp_path)
    loaded, report = type(model).from_pretrained(tmp_path, output_loading_info=True)
    assert not any(report.values())
    assert list(loaded.state_dict()) == names
    torch.testing.assert_close(logits(loaded), expected, rtol=0, atol=1e-5)


def test_merge_omits_masked_values():
    model = tiny_opt()
    adapters = svd_adapters(model, 3)
    perturb(model)
    for module in adapters.values():
        module.mask = torch.tensor([True, False, True])
    expected = logits(model)
    merge(model)
    torch.testing.assert_close(logits(model), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_merge_rounds_once_to_the_models_dtype(dtype):
    model = tiny_opt(dtype=dtype)
    adapters = svd_adapters(model, 3)
    perturb(model)
    name, module = next(iter(adapters.items()))
    expected = (module.base.weight.float() + module.delta()).to(dtype)
    merge(model)
    assert torch.equal(model.get_submodule(name).weight, expected)


@pytest.mark.parametrize("undo", [eject, merge])
def test_eject_and_merge_refuse_a_model_without_adapters(undo):
    with pytest.raises(ValueError, match="must have adapters"):
        undo(tiny_opt())


@pytest.mark.parametrize("undo", [eject, merge])
def test_a_part_of_the_model_is_refused_and_unchanged(undo):
    model = tiny_opt()
    adapters = adapt(model)
    with pytest.raises(ValueError, match="must be the one that was given to inject"):
        undo(model.model)
    assert list(adapted_layers(model).values()) == list(adapters.values())


@pytest.mark.parametrize("undo", [eject, merge])
def test_a_head_that_was_attached_later_stays_as_it_is(undo):
    model = tiny_opt()
    model.score.requires_grad_(False)
    adapt(model)
    model.second_head = nn.Linear(2, 2)
    model.second_head.weight.requires_grad_(False)
    undo(model)
    assert not adapted_layers(model)
    assert not model.score.weight.requires_grad
    assert not model.second_head.weight.requires_grad
    assert model.second_head.bias.requires_grad
    assert model.model.decoder.layers[0].fc1.weight.requires_grad


def test_adapters_have_the_training_mode_of_their_layers():
    model = tiny_opt().eval()
    adapters = adapt(model, dropout=0.5)
    assert not any(module.training for module in adapters.values())
    assert torch.equal(logits(model), logits(model))
    assert all(m.training for m in adapt(tiny_opt().train()).values())
