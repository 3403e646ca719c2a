"""The callback inside a real Trainer, against an ordinary loop over the same rows."""

import pytest
import torch
from torch.nn import functional as F

from adapters import orthogonality
from tests.adapters.trainers import (
    BATCH,
    CLIP,
    DATA,
    EVENTS,
    STEPS,
    Loop,
    Recorder,
    Stream,
    callback_of,
    calling,
    make_trainer,
    rows_of,
    trained,
)

pytestmark = pytest.mark.usefixtures("few_objects_to_collect")


def assert_same_training(trainer, recorder, loop, atol=1e-6):
    assert all(map(torch.equal, recorder.kept, loop.kept))
    assert recorder.callback.allocator.trace() == loop.allocator.trace()
    mine, theirs = trained(trainer.model), trained(loop.model)
    for name in mine:
        torch.testing.assert_close(mine[name], theirs[name], rtol=0, atol=atol, msg=name)


def smoothed(logits, labels):
    return F.cross_entropy(logits, labels, label_smoothing=0.2)


def squared(logits, labels):
    return ((logits - F.one_hot(labels, 2)) ** 2).mean()


@pytest.mark.parametrize("prune_mode", ["zero", "mask"])
@pytest.mark.parametrize("accumulation", [1, 2])
def test_the_trainer_does_what_a_plain_loop_does(tmp_path, accumulation, prune_mode):
    callback = callback_of(prune_mode=prune_mode)
    recorder = Recorder(callback)
    trainer = make_trainer(
        tmp_path, callback, extra=[recorder], gradient_accumulation_steps=accumulation
    )
    trainer.train()
    loop = Loop(accumulation, prune_mode=prune_mode).run()
    assert [event["t"] for event in loop.allocator.trace()] == EVENTS
    assert min(loop.norms) > CLIP  # So the penalty would show if it came after the clipping.
    assert_same_training(trainer, recorder, loop)


@pytest.mark.parametrize("data", [DATA, Stream(DATA)], ids=["rows", "stream"])
def test_every_step_has_the_penalty_once_where_an_epoch_ends_amid_its_batches(tmp_path, data):
    """With a learning rate of 0 lam stays 0, and the gradient of P is that of the penalty."""
    seen = []
    note = calling("on_pre_optimizer_step", lambda *_: seen.append(gradient()))
    trainer = make_trainer(
        tmp_path, callback_of(), data=data, extra=[note],
        gradient_accumulation_steps=4, max_grad_norm=0, learning_rate=0.0,
    )  # fmt: skip

    def gradient():
        return vectors_of(trainer.model).grad.clone()

    penalty = penalty_gradient(trainer.model)
    trainer.train()
    assert len(seen) == STEPS
    for step, found in enumerate(seen):
        torch.testing.assert_close(found, penalty, rtol=1e-4, atol=1e-7, msg=f"step {step}")


def vectors_of(model):
    return next(m for m in model.modules() if hasattr(m, "lam")).P


def penalty_gradient(model):
    adapters = {n: m for n, m in model.named_modules() if hasattr(m, "lam")}
    return torch.autograd.grad(0.1 * orthogonality(adapters), vectors_of(model))[0]


def test_label_smoothing_is_left_alone(tmp_path):
    callback = callback_of()
    recorder = Recorder(callback)
    trainer = make_trainer(
        tmp_path,
        callback,
        extra=[recorder],
        label_smoothing_factor=0.2,
        gradient_accumulation_steps=2,
    )
    trainer.train()
    assert_same_training(trainer, recorder, Loop(2, smoothed).run())


def test_a_loss_of_ones_own_is_left_alone(tmp_path):
    def loss(outputs, labels, num_items_in_batch=None):
        return squared(outputs.logits, labels) / 2

    callback = callback_of()
    recorder = Recorder(callback)
    trainer = make_trainer(
        tmp_path, callback, extra=[recorder], loss=loss, gradient_accumulation_steps=2
    )
    trainer.train()
    assert_same_training(trainer, recorder, Loop(2, squared).run())


def test_bfloat16_autocast_does_what_a_plain_loop_does(tmp_path):
    callback = callback_of()
    recorder = Recorder(callback)
    trainer = make_trainer(tmp_path, callback, extra=[recorder], bf16=True)
    trainer.train()
    loop = Loop(dtype=torch.bfloat16).run()
    assert {p.dtype for p in trained(trainer.model).values()} == {torch.float32}
    assert_same_training(trainer, recorder, loop)
    exact = Loop().run()
    assert not torch.equal(vectors_of(exact.model), vectors_of(loop.model))


def test_a_step_that_the_loss_scaler_skips_is_counted_and_not_observed(tmp_path):
    """On the CPU, where the Trainer refuses fp16: with a scaler put into its accelerator."""
    bad, calls = 3, []

    def loss(outputs, labels, num_items_in_batch=None):
        calls.append(1)
        value = F.cross_entropy(outputs.logits, labels)
        infinite = trainer.model.score.weight.sum() * float("inf")  # Of the head alone.
        return value + infinite if len(calls) == bad else value

    def watch(state, control):
        kept.append([g.sensitivity.clone() for g in callback.allocator._scores.groups])

    kept = []
    callback = callback_of()
    trainer = make_trainer(
        tmp_path, callback, extra=[calling("on_optimizer_step", watch)], loss=loss
    )
    trainer.accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    trainer.train()
    assert trainer.state.global_step == callback.allocator.t == STEPS
    assert [event["t"] for event in callback.allocator.trace()] == EVENTS
    assert all(map(torch.equal, kept[bad - 1], kept[bad - 2]))
    assert not any(map(torch.equal, kept[bad], kept[bad - 1]))
    assert trainer.accelerator.scaler.get_scale() == 2.0**9


def test_the_penalty_is_scaled_as_the_loss_is(tmp_path):
    def loss(outputs, labels, num_items_in_batch=None):
        return F.cross_entropy(outputs.logits, labels)

    plain, scaled = (
        make_trainer(tmp_path, callback_of(), loss=loss, max_grad_norm=0) for _ in range(2)
    )
    scaled.accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    plain.train()
    scaled.train()
    mine, theirs = trained(plain.model), trained(scaled.model)
    for name in mine:
        torch.testing.assert_close(mine[name], theirs[name], rtol=0, atol=1e-6, msg=name)


# Losses and logs


def test_no_reported_loss_holds_the_penalty(tmp_path):
    data = DATA[:BATCH]
    callback = callback_of(gamma=10.0)
    trainer = make_trainer(
        tmp_path, callback, data=data, learning_rate=0.0, logging_steps=5, eval_steps=5,
        eval_strategy="steps",
    )  # fmt: skip
    trainer.train()
    with torch.no_grad():
        expected = trainer.model.eval()(**rows_of(0)).loss.item()
        unseen = {k: torch.stack([row[k] for row in trainer.eval_dataset]) for k in data[0]}
        dev = trainer.model(**unseen).loss.item()
    history = trainer.state.log_history
    losses = [entry["loss"] for entry in history if "loss" in entry]
    assert losses == pytest.approx([expected] * 4, rel=1e-5)
    assert history[-1]["train_loss"] == pytest.approx(expected, rel=1e-5)
    assert [e["eval_loss"] for e in history if "eval_loss" in e] == pytest.approx([dev] * 4)


def test_mask_events_are_in_the_log_history(tmp_path):
    callback = callback_of()
    trainer = make_trainer(tmp_path, callback, logging_steps=5)
    trainer.train()
    history = trainer.state.log_history
    events = [entry for entry in history if "budget" in entry]
    assert [entry["step"] for entry in events] == EVENTS
    for entry, event in zip(events, callback.allocator.trace(), strict=True):
        assert entry["rank"] == sum(event["ranks"].values())
        assert {k: entry[k] for k in ("budget", "kept")} == {
            k: event[k] for k in ("budget", "kept")
        }
    assert [entry["step"] for entry in history] == sorted(entry["step"] for entry in history)
    assert "train_loss" in history[-1]
    trainer.evaluate()
    assert len([entry for entry in trainer.state.log_history if "budget" in entry]) == 4
