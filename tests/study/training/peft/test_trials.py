"""Adapters of PEFT in a trial: training, resuming, files, the backbone after it."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import peft
import pytest
import torch

from study.errors import InputError
from study.models import Backbone, head_modules
from study.spec import StudySpec
from study.training.files.artifacts import save_artifacts
from study.training.methods import PreparedModel, count_trained, prepare, release
from study.training.peft import inject
from study.training.peft.files import load_peft, read_config, save_folder
from study.training.peft.inject import PeftInputs
from study.training.peft.merging import merge_peft
from study.training.peft.types import REFUSED
from tests.study.training.peft.peft_trials import (
    ARGUMENTS,
    VARIANTS,
    peft_spec,
    peft_trial,
    weights_of,
)
from tests.study.training.tiny_trials import CPU, assert_same, tiny_backbone

OTHERS = sorted(
    {kind.value for kind in peft.PeftType}
    - REFUSED.keys()
    - {adapter["peft_type"] for adapter in VARIANTS.values()}
)
FAST = ("DoRA", "PiSSA", "EVA", "AdaLoRA", "IA3")
CASES = [
    *(
        pytest.param(adapter, id=name, marks=[] if name in FAST else pytest.mark.slow)
        for name, adapter in VARIANTS.items()
    ),
    *(
        pytest.param(
            {"peft_type": kind, **ARGUMENTS.get(kind, {})}, id=kind, marks=pytest.mark.slow
        )
        for kind in OTHERS
    ),
]


def loaded(spec: StudySpec, backbone: Backbone, best: Path, head: Any) -> PreparedModel:
    """Returns the model of a trial's files on a backbone."""
    file = best / "adapters.safetensors"
    prepared = prepare(spec, backbone, CPU, PeftInputs(stored=read_config(file)))
    assert prepared.peft is not None
    load_peft(prepared.peft, file)
    with torch.no_grad():
        for name, weight in prepared.head.items():
            weight.copy_(head[name])
    return prepared


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")  # PEFT's own.
@pytest.mark.parametrize("adapter", CASES)
def test_a_trial_is_resumed_stored_and_leaves_no_trace(
    adapter: dict[str, Any], tmp_path: Path
) -> None:
    backbone = tiny_backbone()
    before = weights_of(backbone)
    torch.manual_seed(5)  # The seed `init` decides, whatever the global generator's state is.
    trial = peft_trial(adapter, backbone)
    trial.train_until(7)
    state = copy.deepcopy(trial.state_dict())
    trial.train_until(12)
    end, facts = copy.deepcopy(trial.state_dict()), trial.facts()
    logits, rows = trial.logits(trial.data.test), trial.data.test
    save_artifacts(trial, tmp_path)
    assert trial.prepared.peft is not None
    names = {"head": head_modules("opt"), "base_model": "x", "revision": None}
    save_folder(trial.prepared.peft, tmp_path / "folder", **names)  # type: ignore[arg-type]
    head = {name: weight.detach().clone() for name, weight in trial.prepared.head.items()}
    assert {p.dtype for p in trial.prepared.adapter_parameters} == {torch.float32}
    trial.close()
    assert_same(weights_of(backbone), before)

    torch.manual_seed(6)
    again = peft_trial(adapter, backbone)
    again.load_state_dict(state)
    again.train_until(12)
    assert_same(again.state_dict() | {"seconds": 0.0}, end | {"seconds": 0.0})
    again.close()

    spec = peft_spec(adapter)
    prepared = loaded(spec, backbone, tmp_path, head)
    trial.model = prepared.model
    np.testing.assert_allclose(trial.logits(rows), logits, rtol=0, atol=1e-6)
    release(prepared)
    assert_same(weights_of(backbone), before)

    if adapter.get("init_lora_weights") != "eva":  # It moves ranks between layers.
        counted = count_trained(spec, tiny_backbone(device="meta"), steps=12)
        assert counted.total == facts["trainable_parameters"]
        assert counted.backbone == sum(p.numel() for p in backbone.model.parameters())

    folder: Any = peft.PeftModel.from_pretrained(backbone.model, tmp_path / "folder")  # type: ignore[arg-type]
    trial.model = folder
    np.testing.assert_allclose(trial.logits(rows), logits, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "family"),
    [
        *(("IA3", family) for family in ("bert", "esm", "mosaicbert", "gated_esm")),
        ("DoRA", "bert"),
        ("EVA", "mosaicbert"),
        *(pytest.param("EVA", family, marks=pytest.mark.slow) for family in ("bert", "esm")),
        *(pytest.param("DoRA", family, marks=pytest.mark.slow) for family in ("esm", "gated_esm")),
    ],
)
def test_types_of_peft_fit_every_family(name: str, family: str) -> None:
    backbone = tiny_backbone(family)
    before = weights_of(backbone)
    trial = peft_trial(VARIANTS[name], backbone)
    loss = trial.train_until(4)
    assert loss < 1
    assert all(p.grad is None for p in trial.prepared.adapter_parameters)
    trial.close()
    assert_same(weights_of(backbone), before)


@pytest.mark.parametrize("name", ["AdaLoRA", "DoRA"])
def test_trained_weights_are_float32_on_a_half_precision_backbone(name: str) -> None:
    backbone = tiny_backbone(dtype=torch.bfloat16)
    before = weights_of(backbone)
    trial = peft_trial(VARIANTS[name], backbone, backbone={"dtype": "bfloat16"})
    names = {n for n, p in trial.model.named_parameters() if p.requires_grad}
    assert not any("ranknum" in n for n in names)
    assert {p.dtype for p in trial.model.parameters() if p.requires_grad} == {torch.float32}
    trial.train_until(3)
    trial.close()
    assert_same(weights_of(backbone), before)


def test_other_init_seeds_give_other_initial_weights() -> None:
    for name in ("LoRA", "VeRA"):
        first, second = (peft_trial(VARIANTS[name], seeds={"init": seed}) for seed in (0, 1))
        a, b = (trial.logits(trial.data.test) for trial in (first, second))
        assert not np.array_equal(a, b)
        buffers = [dict(trial.model.named_buffers()) for trial in (first, second)]
        drawn = [k for k in buffers[0] if "vera_" in k]
        assert all(not torch.equal(buffers[0][k], buffers[1][k]) for k in drawn)
        assert bool(drawn) == (name == "VeRA")


def test_the_global_generator_is_as_before() -> None:
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    peft_trial(VARIANTS["LoRA"])
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize("name", ["PiSSA", "OLoRA"])
def test_a_failed_preparation_leaves_no_trace(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = tiny_backbone()
    before, modules = weights_of(backbone), dict(backbone.model.named_modules())

    def fail(*arguments: Any) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(inject, "_trainable", fail)
    with pytest.raises(RuntimeError, match="out of memory"):
        peft_trial(VARIANTS[name], backbone)
    assert_same(weights_of(backbone), before)
    assert dict(backbone.model.named_modules()) == modules
    assert not hasattr(backbone.model, "peft_config")


def test_pruned_singular_values_of_adalora_are_not_among_the_kept_parameters() -> None:
    trial = peft_trial(VARIANTS["AdaLoRA"])
    trial.train_until(12)
    kept, there = (trial.facts()[f"{name}_parameters"] for name in ("kept", "adapter"))
    values = {n: p for n, p in trial.state_dict()["parameters"].items() if "lora_E" in n}
    assert sum(int((value != 0).sum()) for value in values.values()) == 2 * len(values)
    assert kept < 0.6 * there


def test_an_adapter_of_peft_is_merged_where_peft_can() -> None:
    trial = peft_trial(VARIANTS["DoRA"])
    trial.train_until(4)
    logits = trial.logits(trial.data.test)
    assert trial.prepared.peft is not None
    merge_peft(trial.prepared.peft)
    assert not any("lora" in name for name, _ in trial.model.named_modules())
    np.testing.assert_allclose(trial.logits(trial.data.test), logits, rtol=0, atol=1e-6)
    lily = peft_trial({"peft_type": "LILY"})
    assert lily.prepared.peft is not None
    with pytest.raises(InputError, match="must be a type that PEFT can merge, but got LILY"):
        merge_peft(lily.prepared.peft)


def test_damaged_adapters_are_refused(tmp_path: Path) -> None:
    trial = peft_trial(VARIANTS["IA3"])
    save_artifacts(trial, tmp_path)
    file = tmp_path / "adapters.safetensors"
    other = peft_trial(VARIANTS["LoRA"])
    assert other.prepared.peft is not None
    with pytest.raises(ValueError, match="must have the tensors of its config, but got"):
        load_peft(other.prepared.peft, file)
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(InputError, match="must be adapters of PEFT with their config, but got"):
        read_config(file)
