"""Trials whose layers have ranks of their own."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from adapters import LoRALinear, adapted_layers, load_adapters, target_patterns
from study.errors import InputError
from study.spec import StudySpec
from study.training.files.artifacts import save_artifacts
from study.training.files.mask_events import mask_event_arrays
from study.training.forecast import adapted_matrices
from study.training.methods import count_trained, prepare
from study.training.trial import Trial
from tests.study.training.tiny_trials import (
    CPU,
    assert_same,
    tiny_backbone,
    tiny_spec,
    tiny_task,
    trained,
)


def names() -> list[str]:
    modules = dict(tiny_backbone().model.named_modules())
    return [n for n in modules if any(re.fullmatch(p, n) for p in target_patterns("opt"))]


def spec_of(ranks: dict[str, int], method: str = "lora", **adapter: Any) -> StudySpec:
    spec = tiny_spec(method)
    values = spec.model_dump()
    values["adapter"] |= {"rank_pattern": dict(reversed(ranks.items()))} | adapter
    return StudySpec.model_validate(values)


def trial_of(spec: StudySpec) -> Trial:
    return Trial(spec, tiny_backbone(), tiny_task(), CPU)


def test_an_equal_rank_in_every_layer_is_lora_bit_for_bit() -> None:
    plain, pattern = (
        trial_of(tiny_spec("lora", rank=3)),
        trial_of(spec_of(dict.fromkeys(names(), 3), rank=3)),
    )
    for trial in (plain, pattern):
        trial.train_until(4)
    assert_same(trained(pattern), trained(plain))


def test_layers_have_their_ranks_one_scale_and_none_of_rank_0(tmp_path: Path) -> None:
    ranks = {name: index % 4 for index, name in enumerate(names())}
    spec = spec_of(ranks, rank=8, alpha=12.0)
    trial = trial_of(spec)
    layers = adapted_layers(trial.model)
    assert {name: layer.rank for name, layer in layers.items()} == {
        name: rank for name, rank in ranks.items() if rank
    }
    assert {layer.scale for layer in layers.values()} == {1.5}
    assert all(isinstance(layer, LoRALinear) for layer in layers.values())
    assert adapted_matrices(spec, tiny_backbone()) == len(layers)
    counted = count_trained(spec, tiny_backbone(device="meta")).total
    trial.train_until(12)
    assert counted == trial.facts()["trainable_parameters"]
    save_artifacts(trial, tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"other": 1}, "but got 1 other layers, other first; take the pattern of this backbone"),
        ({"model.decoder.layers.1.fc1": None}, "but got none for 1, model.decoder.layers.1.fc1"),
        ({"model.decoder.layers.0.fc2": 17}, "but got 17 for model.decoder.layers.0.fc2 of width"),
    ],
)
def test_other_layers_and_impossible_ranks_are_refused(
    change: dict[str, int | None], message: str
) -> None:
    ranks: dict[str, Any] = dict.fromkeys(names(), 2) | change
    spec = spec_of({name: rank for name, rank in ranks.items() if rank is not None})
    backbone = tiny_backbone()
    before = dict(backbone.model.named_modules())
    with pytest.raises(InputError, match=re.escape(message)):
        count_trained(spec, backbone)
    assert dict(backbone.model.named_modules()) == before
    assert torch.is_tensor(next(backbone.model.parameters()))


@pytest.mark.parametrize("method", ["adalora_rs", "adalora"])
def test_adalora_begins_with_the_ranks_and_prunes_to_bt(method: str, tmp_path: Path) -> None:
    ranks = {name: 1 + index % 4 for index, name in enumerate(names())} | {names()[0]: 0}
    spec = spec_of(ranks, method, b0=8, bT=1, alpha=12.0)
    trial = trial_of(spec)
    assert {name: layer.rank for name, layer in adapted_layers(trial.model).items()} == {
        name: rank for name, rank in ranks.items() if rank
    }
    assert {layer.scale for layer in adapted_layers(trial.model).values()} == {1.5}
    assert trial.allocator is not None
    assert trial.plan.budget is not None
    assert trial.plan.budget.triplets == sum(ranks.values())
    trial.train_until(5)
    torch.save(trial.state_dict(), tmp_path / "state")
    trial.train_until(12)
    resumed = trial_of(spec)
    resumed.load_state_dict(torch.load(tmp_path / "state", weights_only=True))
    resumed.train_until(12)
    assert_same(trained(resumed), trained(trial))
    assert trial.allocator.trace()[-1]["budget"] == len(ranks) - 1
    arrays = mask_event_arrays(trial)
    matrices, most = len(arrays["modules"]), max(ranks.values())
    kept = np.unpackbits(arrays["event_kept"], axis=1, count=matrices * most)[-1]
    last = dict(zip(arrays["modules"], kept.reshape(matrices, most).sum(axis=1), strict=True))
    assert last == trial.allocator.ranks()
    assert arrays["event_scores"].shape[1] == matrices * most
    save_artifacts(trial, tmp_path / "best")
    prepared = prepare(spec, tiny_backbone(), CPU)
    load_adapters(prepared.model, tmp_path / "best" / "adapters.safetensors")
    for name, layer in adapted_layers(prepared.model).items():
        assert torch.equal(layer.delta(), adapted_layers(trial.model)[name].delta())
