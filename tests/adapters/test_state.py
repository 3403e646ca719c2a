import pytest
import torch
from safetensors.torch import save_file

from adapters import (
    CubicBudget,
    RankAllocator,
    adapted_layers,
    adapter_state,
    inject,
    load_adapter_state,
    load_adapters,
    save_adapters,
    target_patterns,
)
from tests.adapters.tiny_models import svd_adapters, tiny_opt

NAME = "model.decoder.layers.0.fc1"


def adapted(seed=0, masked=False):
    model = tiny_opt()
    for module in svd_adapters(model, 3, seed).values():
        module.lam.data.normal_(generator=torch.Generator().manual_seed(seed))
        if masked:
            module.mask = torch.tensor([True, False, True])
    return model


def test_the_state_has_the_adapters_only():
    state = adapter_state(adapted())
    assert len(state) == 12 * 3
    assert {key.rsplit(".", 1)[1] for key in state} == {"P", "lam", "Q"}


@pytest.mark.parametrize("masked", [False, True])
def test_a_file_restores_the_weights_bit_for_bit(tmp_path, masked):
    source, target = adapted(seed=1, masked=masked), adapted(seed=2, masked=not masked)
    save_adapters(source, tmp_path / "best.safetensors", {"method": "adalora_rs"})
    assert load_adapters(target, tmp_path / "best.safetensors") == {"method": "adalora_rs"}
    expected, got = adapter_state(source), adapter_state(target)
    assert expected.keys() == got.keys()
    assert all(torch.equal(expected[key], got[key]) for key in expected)


def test_the_state_is_a_copy():
    model = adapted()
    state = adapter_state(model)
    state[f"{NAME}.P"].zero_()
    assert model.get_submodule(NAME).P.any()


def test_lora_is_saved_and_loaded(tmp_path):
    models = []
    for seed in (0, 1):
        model = tiny_opt()
        generator = torch.Generator().manual_seed(seed)
        inject(model, target_patterns("opt"), 3, alpha=3, kind="lora", generator=generator)
        models.append(model)
    save_adapters(models[0], tmp_path / "lora.safetensors")
    assert load_adapters(models[1], tmp_path / "lora.safetensors") == {}
    assert torch.equal(models[0].get_submodule(NAME).Q, models[1].get_submodule(NAME).Q)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop(f"{NAME}.lam"), "but got 1 missing"),
        (lambda state: state.update({"x.P": torch.zeros(1)}), "1 unexpected"),
        (lambda state: state.update({f"{NAME}.Q": torch.zeros(3, 5)}), r"shape \(3, 16\)"),
        (lambda state: state.update({"x.mask": torch.ones(3)}), "'x.mask' must be the mask"),
        (
            lambda state: state.update({f"{NAME}.mask": torch.ones(2, dtype=torch.bool)}),
            "fc1.mask' must be the mask",
        ),
        (lambda state: state.update({f"{NAME}.mask": torch.ones(3)}), "but got torch.float32 of"),
        (lambda state: state[f"{NAME}.P"].fill_(torch.nan), "fc1.P must have finite .* got NaN"),
        (
            lambda state: state.update({f"{NAME}.lam": torch.ones(3, dtype=torch.int32)}),
            "fc1.lam must have finite floating-point numbers, but got torch.int32",
        ),
    ],
)
def test_a_state_that_does_not_match_is_refused_and_changes_nothing(change, message):
    model, state = adapted(seed=1), adapter_state(adapted(seed=2))
    before = adapter_state(model)
    change(state)
    with pytest.raises(ValueError, match=message):
        load_adapter_state(model, state)
    after = adapter_state(model)
    assert all(torch.equal(before[key], after[key]) for key in before)


def injected(rank=3, alpha=16, kind="svd", patterns=None, scales=()):
    model = tiny_opt()
    settings = {"alpha": alpha, "kind": kind, "generator": torch.Generator().manual_seed(alpha)}
    layers = inject(model, patterns or target_patterns("opt"), rank, **settings)
    for layer, scale in zip(layers.values(), scales, strict=False):
        layer.scale = scale
    return model


def refuse(model, path, message, **settings):
    """Asserts that loading a file raises and changes nothing."""
    before = adapter_state(model)
    with pytest.raises(ValueError, match=message):
        load_adapters(model, path, **settings)
    after = adapter_state(model)
    assert all(torch.equal(before[key], after[key]) for key in before)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (
            {"alpha": 8},
            r"k_proj must have the file's scale .alpha / rank. 2\.66\d*, but got 5\.33",
        ),
        ({"scales": [2.0, 1.0]}, r"k_proj must have .* scale .* 2.0, but got 1.0"),
        ({"rank": 2, "alpha": 8}, "must have the file's rank 2, but got 3"),
        ({"kind": "lora"}, "must have the file's kind lora, but got svd"),
        (
            {"patterns": target_patterns("opt", ["q"])},
            "got 10 that only one of them has, such as model.decoder.layers.0.fc1 of the model",
        ),
    ],
)
def test_a_file_of_other_layers_is_refused_and_changes_nothing(other, message, tmp_path):
    save_adapters(injected(**other), tmp_path / "best.safetensors")
    refuse(
        injected(scales=[1.0, 2.0] if "scales" in other else ()),
        tmp_path / "best.safetensors",
        message,
    )


def test_a_model_without_adapters_is_not_saved(tmp_path):
    with pytest.raises(ValueError, match="must have adapters, but got none"):
        save_adapters(tiny_opt(), tmp_path / "adapters.safetensors")
    assert not list(tmp_path.iterdir())


def test_a_damaged_file_is_refused(tmp_path):
    save_adapters(adapted(), tmp_path / "best.safetensors")
    data = (tmp_path / "best.safetensors").read_bytes()
    (tmp_path / "best.safetensors").write_bytes(data[:-4])
    refuse(adapted(), tmp_path / "best.safetensors", "the file must be safetensors, but got")


@pytest.mark.parametrize(
    "text",
    ["{", "[" * 100_000, "[1]", '{"model.decoder.layers.0.fc1": 1}'],
    ids=["cut short", "deep", "a list", "no object in it"],
)
def test_a_file_whose_layers_are_no_json_is_refused(text, tmp_path):
    model = adapted()
    save_file(adapter_state(model), tmp_path / "best.safetensors", {"adapters.layers": text})
    refuse(model, tmp_path / "best.safetensors", "adapters.layers in the file's metadata must be")


def test_a_file_of_an_older_version_is_loaded_if_its_scale_is_the_models(tmp_path):
    source, target, file = adapted(seed=1), adapted(seed=2), tmp_path / "best.safetensors"
    save_file(adapter_state(source), file, {"task": "x", "adapters.scale": repr(16 / 3)})
    assert load_adapters(target, file) == {"task": "x"}
    assert torch.equal(adapter_state(target)[f"{NAME}.P"], adapter_state(source)[f"{NAME}.P"])
    refuse(injected(alpha=8), file, r"scale \(alpha / rank\) 5\.33.*, but got 2\.66")
    save_file(adapter_state(source), file)
    assert load_adapters(target, file) == {}


def allocator_of(model, **settings):
    budget = CubicBudget(12, 3, 1, 12, deltaT=settings.pop("deltaT", 4))
    defaults = {"beta1": 0.8, "beta2": 0.9, "p": 0.1, "mask_seed": 5}
    return RankAllocator(adapted_layers(model), budget, **(defaults | settings))


def test_a_file_has_the_settings_of_its_allocator(tmp_path):
    source, file = adapted(), tmp_path / "best.safetensors"
    save_adapters(source, file, allocator=allocator_of(source))
    target = adapted()
    assert load_adapters(target, file) == {}
    assert load_adapters(target, file, allocator=allocator_of(target)) == {}
    for settings in ({"mask_seed": 6}, {"deltaT": 3}, {"beta2": 0.8}, {"prune_mode": "mask"}):
        other = adapted()
        (name,) = settings
        message = f"{name} must be that of the saved run"
        refuse(other, file, message, allocator=allocator_of(other, **settings))
    save_adapters(source, file)
    assert load_adapters(target, file, allocator=allocator_of(target, p=0.3)) == {}
