"""A Trainer with the callback equals a plain loop over the same rows."""

import pytest
import torch
from torch.nn import functional as F
from transformers import TrainerCallback

from adapters import RankAllocatorCallback, orthogonality
from tests.adapters.trainer.trainers import (
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

pytestmark = pytest.mark.usefixtures("fast_garbage_collection")


def assert_same_training(trainer, recorder, loop, atol=1e-6):
    assert all(map(torch.equal, recorder.kept, loop.kept))
    assert recorder.callback.allocator.trace() == loop.allocator.trace()
    actual, expected = trained(trainer.model), trained(loop.model)
    for name in actual:
        torch.testing.assert_close(actual[name], expected[name], rtol=0, atol=atol, msg=name)


def smoothed(logits, labels):
    return F.cross_entropy(logits, labels, label_smoothing=0.2)


def squared(logits, labels):
    return ((logits - F.one_hot(labels, 2)) ** 2).mean()


@pytest.mark.parametrize(("accumulation", "prune_mode"), [(1, "zero"), (2, "mask")])
def test_the_trainer_equals_a_plain_loop(tmp_path, accumulation, prune_mode):
    callback = callback_of(prune_mode=prune_mode)
    recorder = Recorder(callback)
    trainer = make_trainer(
        tmp_path, callback, extra=[recorder], gradient_accumulation_steps=accumulation
    )
    trainer.train()
    loop = Loop(accumulation, prune_mode=prune_mode).run()
    assert [event["t"] for event in loop.allocator.trace()] == EVENTS
    assert min(loop.norms) > CLIP  # So a penalty added after clipping would be noticed.
    assert_same_training(trainer, recorder, loop)


@pytest.mark.parametrize("data", [DATA, Stream(DATA)], ids=["rows", "stream"])
def test_the_penalty_is_added_once_per_step_if_an_epoch_ends_within_a_step(tmp_path, data):
    """With a learning rate of 0 lam stays 0, so the gradient of P is that of the penalty."""
    seen = []
    note = calling("on_pre_optimizer_step", lambda *_: seen.append(gradient()))
    trainer = make_trainer(
        tmp_path, callback_of(), data=data, extra=[note],
        gradient_accumulation_steps=4, max_grad_norm=0, learning_rate=0.0, max_steps=8,
    )  # fmt: skip

    def gradient():
        return vectors_of(trainer.model).grad.clone()

    penalty = penalty_gradient(trainer.model)
    trainer.train()
    assert len(seen) == 8
    for step, actual in enumerate(seen):
        torch.testing.assert_close(actual, penalty, rtol=1e-4, atol=1e-7, msg=f"step {step}")


def vectors_of(model):
    return next(m for m in model.modules() if hasattr(m, "lam")).P


def penalty_gradient(model):
    adapters = {n: m for n, m in model.named_modules() if hasattr(m, "lam")}
    return torch.autograd.grad(0.1 * orthogonality(adapters), vectors_of(model))[0]


def test_label_smoothing_works(tmp_path):
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


def test_a_custom_loss_works(tmp_path):
    def loss(outputs, labels, num_items_in_batch=None):
        return squared(outputs.logits, labels) / 2

    callback = callback_of(score_loss="total")
    recorder = Recorder(callback)
    trainer = make_trainer(
        tmp_path, callback, extra=[recorder], loss=loss, gradient_accumulation_steps=2
    )
    trainer.train()
    assert_same_training(trainer, recorder, Loop(2, squared, score_loss="total").run())


@pytest.mark.parametrize("score_loss", ["task", "total"])
def test_the_scores_are_those_of_the_task_or_of_the_total_loss(tmp_path, score_loss):
    """While lam is 0, only the penalty has a gradient in P and Q."""
    callback = callback_of(score_loss=score_loss)
    seen = []
    note = calling("on_optimizer_step", lambda *_: seen.append(largest(callback.allocator)))
    make_trainer(tmp_path, callback, extra=[note], gradient_accumulation_steps=2).train()
    P, lam, Q = seen[0]
    assert (max(P, Q) < 1e-4 * lam) == (score_loss == "task")
    share = callback.allocator.trace()[0]["penalty_share"]
    assert 0 < share < 1


def largest(allocator):
    """Returns the largest sensitivities of P, lam and Q."""
    return [group.sensitivity.max().item() for group in allocator._scores.groups[:3]]


def test_bfloat16_autocast_equals_a_plain_loop(tmp_path):
    callback = callback_of()
    recorder = Recorder(callback)
    trainer = make_trainer(tmp_path, callback, extra=[recorder], bf16=True)
    trainer.train()
    loop = Loop(dtype=torch.bfloat16).run()
    assert {p.dtype for p in trained(trainer.model).values()} == {torch.float32}
    assert_same_training(trainer, recorder, loop)
    exact = Loop().run()
    assert not torch.equal(vectors_of(exact.model), vectors_of(loop.model))


def test_a_step_skipped_by_the_loss_scaler_is_counted_but_changes_no_score(tmp_path):
    """The Trainer refuses fp16 on the CPU, so the test sets the accelerator's scaler itself."""
    bad, calls = 3, []

    def loss(outputs, labels, num_items_in_batch=None):
        calls.append(1)
        value = F.cross_entropy(outputs.logits, labels)
        infinite = trainer.model.score.weight.sum() * float("inf")  # Depends on the head only.
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


def test_the_penalty_is_multiplied_by_the_loss_scale(tmp_path):
    def loss(outputs, labels, num_items_in_batch=None):
        return F.cross_entropy(outputs.logits, labels)

    plain, scaled = (
        make_trainer(tmp_path, callback_of(), loss=loss, max_grad_norm=0) for _ in range(2)
    )
    scaled.accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    plain.train()
    scaled.train()
    actual, expected = trained(plain.model), trained(scaled.model)
    for name in actual:
        torch.testing.assert_close(actual[name], expected[name], rtol=0, atol=1e-6, msg=name)


# Losses and logs


def test_reported_losses_do_not_contain_the_penalty(tmp_path):
    data = DATA[:BATCH]
    callback = callback_of(gamma=10.0)
    trainer = make_trainer(
        tmp_path, callback, data=data, learning_rate=0.0, logging_steps=3, eval_steps=3,
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
    assert len([entry for entry in trainer.state.log_history if "budget" in entry]) == 3


def test_mask_events_reach_the_reporters_with_the_losses(tmp_path):
    """A reporter precedes the callback in the Trainer's list."""
    reported = []

    class Reporter(TrainerCallback):
        def on_log(self, args, state, control, logs=None, **kwargs):
            reported.append((state.global_step, logs))

    trainer = make_trainer(tmp_path, callback_of(), logging_steps=3)
    trainer.callback_handler.callbacks.insert(0, Reporter())
    trainer.train()
    assert [step for step, logs in reported if "kept" in logs] == EVENTS
    assert [step for step, logs in reported if "loss" in logs] == [3, 6, 9, 12]
    first = next(logs for _, logs in reported if "kept" in logs)
    assert {"budget", "kept", "reintroduced", "dropped", "rank", "penalty_share"} <= first.keys()


def test_every_event_method_of_the_callback_overrides_one_of_transformers():
    own = vars(RankAllocatorCallback)
    overrides = {name for name, method in own.items() if getattr(method, "__override__", False)}
    assert overrides == {name for name in own if name.startswith("on_")} | {"state"}
    inherited = {name for base in RankAllocatorCallback.__mro__[1:] for name in vars(base)}
    assert overrides <= inherited
