"""Errors and warnings of the callback."""

from types import SimpleNamespace

import pytest
import torch
from accelerate import DistributedType

from adapters import inject, target_patterns
from tests.adapters.tiny_models import tiny_opt
from tests.adapters.trainer.trainers import (
    Stream,
    adapted_model,
    callback_of,
    calling,
    make_trainer,
    trained,
)

pytestmark = pytest.mark.usefixtures("fast_garbage_collection")


def test_a_model_without_adapters_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"adapters of kind 'svd', but got none; call .*inject"):
        make_trainer(tmp_path, callback_of(), model=tiny_opt())


def test_a_model_with_adapters_of_another_kind_is_refused(tmp_path):
    model = tiny_opt()
    inject(model, target_patterns("opt"), 4, alpha=4, kind="lora", generator=torch.Generator())
    with pytest.raises(ValueError, match="of kind 'svd', but got LoRALinear"):
        make_trainer(tmp_path, callback_of(), model=model)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"b0": 5}, r"rank b0=5, but got ranks \[4\]"),
        ({"deltaT": 8}, r"event must come before T=8 \(of 12 steps\).* deltaT=8"),
        ({"deltaT": 0.9, "warmup_steps": 7}, "none with deltaT=7 and warmup_steps=7"),
        ({"bT": 6}, "1 <= bT <= b0 must hold"),
        ({"p": 2}, "0 <= p <= 1 must hold"),
    ],
)
def test_settings_that_do_not_match_the_training_are_refused(tmp_path, changes, message):
    trainer = make_trainer(tmp_path, callback_of(**changes))
    before = trained(trainer.model)
    with pytest.raises(ValueError, match=message):
        trainer.train()
    assert all(torch.equal(p, before[name]) for name, p in trained(trainer.model).items())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"deltaT": 1.5}, r"fraction in \(0, 1\), but got deltaT=1.5"),
        ({"gamma": -1}, "gamma >= 0"),
    ],
)
def test_invalid_settings_are_refused_by_the_constructor(changes, message):
    with pytest.raises(ValueError, match=message):
        callback_of(**changes)


def test_a_fractional_interval_is_relative_to_the_last_event(tmp_path):
    callback = callback_of(deltaT=0.5)
    make_trainer(tmp_path, callback).train()
    assert [event["t"] for event in callback.allocator.trace()] == [4, 8]


def test_adapters_that_are_not_in_the_optimizer_are_refused(tmp_path):
    trainer = make_trainer(tmp_path, callback_of())
    trainer.optimizer = torch.optim.AdamW(trainer.model.score.parameters())
    with pytest.raises(
        ValueError, match=r"layers\.0.* must be in the optimizer, but got an optimizer without"
    ):
        trainer.train()


def test_sharded_training_is_refused():
    model = adapted_model()
    optimizer = SimpleNamespace(
        param_groups=[{"params": list(model.parameters())}],
        accelerator_state=SimpleNamespace(distributed_type=DistributedType.FSDP),
    )
    with pytest.raises(
        ValueError, match=r"complete adapters, but got sharded training .*FSDP.*; use Distr"
    ):
        callback_of().on_train_begin(None, None, None, model=model, optimizer=optimizer)


def test_a_training_without_a_step_is_refused(tmp_path):
    trainer = make_trainer(
        tmp_path, callback_of(), data=Stream([]), accelerator_config={"dispatch_batches": False}
    )
    with pytest.raises(RuntimeError, match="at least one optimizer step, but got none"):
        trainer.train()


def test_a_training_that_ends_before_the_last_event_warns(tmp_path):
    def stop(state, control):
        control.should_training_stop = state.global_step == 6

    trainer = make_trainer(tmp_path, callback_of(), extra=[calling("on_step_end", stop)])
    with pytest.warns(UserWarning, match=r"step 6, .* T=8: it is not pruned to bT=2"):
        trainer.train()


def test_a_frozen_head_warns_and_a_trainable_one_does_not(tmp_path):
    model = adapted_model()
    make_trainer(tmp_path / "trains", callback_of(), model=model).train()
    frozen = adapted_model()
    frozen.score.requires_grad_(False)
    with pytest.warns(UserWarning, match=r"score.weight is frozen; if the head is new"):
        make_trainer(tmp_path / "frozen", callback_of(), model=frozen).train()
