import pytest
import torch

from adapters import (
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
            lambda state: state.update({f"{NAME}.mask": torch.ones(2)}),
            "fc1.mask' must be the mask",
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


def test_a_file_of_another_scale_is_refused_and_changes_nothing(tmp_path):
    models = []
    for alpha in (8, 16):
        model = tiny_opt()
        generator = torch.Generator().manual_seed(alpha)
        inject(model, target_patterns("opt"), 3, alpha=alpha, generator=generator)
        models.append(model)
    save_adapters(models[0], tmp_path / "best.safetensors")
    before = adapter_state(models[1])
    with pytest.raises(ValueError, match=r"scale \(alpha / rank\) 2\.66.*, but got 5\.33"):
        load_adapters(models[1], tmp_path / "best.safetensors")
    after = adapter_state(models[1])
    assert all(torch.equal(before[key], after[key]) for key in before)
