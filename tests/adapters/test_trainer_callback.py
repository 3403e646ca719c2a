"""The callback inside a real Trainer, against an ordinary loop over the same rows."""

import gc
import json
import shutil
from types import SimpleNamespace

import pytest
import torch
from accelerate import DistributedType
from safetensors.torch import load_file
from tiny_models import svd_adapters, tiny_batch, tiny_opt
from torch.nn import functional as F
from transformers import Trainer, TrainerCallback, TrainingArguments

from adapters import (
    CubicBudget,
    RankAllocator,
    RankAllocatorCallback,
    inject,
    orthogonality,
    target_patterns,
)

STEPS, BATCH, LR, DECAY, CLIP = 20, 4, 5e-3, 0.1, 0.25
BUDGET = {"b0": 4, "bT": 2, "deltaT": 4, "final_fraction": 0.3}  # events 4, 8, 12, 14
RATES = {"beta1": 0.85, "beta2": 0.85, "p": 0.2, "mask_seed": 5}
EVENTS = [4, 8, 12, 14]


class Recorder(TrainerCallback):
    """Notes the kept triplets after every optimizer step; comes after the callback it watches."""

    def __init__(self, callback):
        self.callback, self.kept = callback, []

    def on_optimizer_step(self, args, state, control, **kwargs):
        self.kept.append(self.callback.allocator.kept())


@pytest.fixture(autouse=True, scope="module")
def few_objects_to_collect():
    """Every training starts with a garbage collection, which takes longer than the training."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def rows(count):
    """The training rows, in their order."""
    batch = tiny_batch(0, rows=count)
    return [{key: value[row] for key, value in batch.items()} for row in range(count)]


DATA = rows(24)


def adapted_model():
    model = tiny_opt(layers=1)
    # Or the Trainer takes OPT's mean loss of a batch for one that knows of the accumulation.
    model.accepts_loss_kwargs = False
    svd_adapters(model, BUDGET["b0"])
    model.score.requires_grad_(True)
    return model


def make_trainer(folder, callback, *, model=None, extra=(), data=None, loss=None, **options):
    settings = {
        "output_dir": str(folder),
        "max_steps": STEPS,
        "per_device_train_batch_size": BATCH,
        "per_device_eval_batch_size": 8,
        "learning_rate": LR,
        "weight_decay": DECAY,
        "max_grad_norm": CLIP,
        "lr_scheduler_type": "constant",
        "optim": "adamw_torch",
        "train_sampling_strategy": "sequential",
        "save_strategy": "no",
        "report_to": [],
        "disable_tqdm": True,
        "use_cpu": True,
        "dataloader_pin_memory": False,
    } | options
    return Trainer(
        model=adapted_model() if model is None else model,
        args=TrainingArguments(**settings),
        train_dataset=DATA if data is None else data,
        eval_dataset=rows(40)[24:],
        callbacks=[callback, *extra],
        compute_loss_func=loss,
    )


def callback_of(**changes):
    return RankAllocatorCallback(**BUDGET | RATES | {"gamma": 0.1} | changes)


class Loop:
    """The training that the Trainer is asked for, written out."""

    def __init__(self, accumulation=1, loss=None, dtype=torch.float32, **rates):
        self.model = adapted_model().train()
        self.adapters = {n: m for n, m in self.model.named_modules() if hasattr(m, "lam")}
        budget = CubicBudget(STEPS, matrices=len(self.adapters), **BUDGET)
        self.allocator = RankAllocator(self.adapters, budget, **RATES | rates)
        self.weights = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(self.weights, lr=LR, weight_decay=DECAY)
        self.accumulation, self.loss, self.dtype = accumulation, loss or F.cross_entropy, dtype
        self.kept, self.norms = [], []

    def run(self):
        for step in range(STEPS):
            self.step(step)
        return self

    def step(self, step):
        for part in range(self.accumulation):
            batch = rows_of(step * self.accumulation + part)
            labels = batch.pop("labels")
            with torch.autocast("cpu", self.dtype, enabled=self.dtype != torch.float32):
                logits = self.model(**batch).logits
            (self.loss(logits.float(), labels) / self.accumulation).backward()
        (0.1 * orthogonality(self.adapters)).backward()
        self.norms.append(float(torch.nn.utils.clip_grad_norm_(self.weights, CLIP)))
        self.optimizer.step()
        self.allocator.step()
        self.optimizer.zero_grad()
        self.kept.append(self.allocator.kept())


def rows_of(batch):
    """The batch of a number; an epoch has six."""
    chosen = DATA[batch % 6 * BATCH :][:BATCH]
    return {key: torch.stack([row[key] for row in chosen]) for key in chosen[0]}


def trained(model):
    return {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}


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


class Stream(torch.utils.data.IterableDataset):
    """Rows without a known number: the Trainer leaves the last batches of an epoch unstepped."""

    def __init__(self, rows):
        self.rows = rows

    def __iter__(self):
        return iter(self.rows)


@pytest.mark.parametrize("data", [DATA, Stream(DATA)], ids=["rows", "stream"])
def test_every_step_has_the_penalty_once_where_an_epoch_ends_amid_its_batches(tmp_path, data):
    """With a learning rate of 0 lam stays 0, and the gradient of P is that of the penalty."""
    seen = []
    trainer = make_trainer(
        tmp_path, callback_of(), data=data, extra=[BeforeStep(lambda: seen.append(gradient()))],
        gradient_accumulation_steps=4, max_grad_norm=0, learning_rate=0.0,
    )  # fmt: skip

    def gradient():
        return vectors_of(trainer.model).grad.clone()

    penalty = penalty_gradient(trainer.model)
    trainer.train()
    assert len(seen) == STEPS
    for step, found in enumerate(seen):
        torch.testing.assert_close(found, penalty, rtol=1e-4, atol=1e-7, msg=f"step {step}")


class BeforeStep(TrainerCallback):
    """Calls a function before every optimizer step."""

    def __init__(self, function):
        self.function = function

    def on_pre_optimizer_step(self, args, state, control, **kwargs):
        self.function()


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

    def watch():
        kept.append([g.sensitivity.clone() for g in callback.allocator._scores.groups])

    kept = []
    callback = callback_of()
    trainer = make_trainer(tmp_path, callback, extra=[AfterStep(watch)], loss=loss)
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


class AfterStep(TrainerCallback):
    """Calls a function after every optimizer step."""

    def __init__(self, function):
        self.function = function

    def on_optimizer_step(self, args, state, control, **kwargs):
        self.function()


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


# Checkpoints


@pytest.fixture(scope="module", params=["zero", "mask"])
def uninterrupted(request, tmp_path_factory):
    """A run with a checkpoint before the first event, between events, at T and after it."""
    folder = tmp_path_factory.mktemp(request.param)
    callback = callback_of(prune_mode=request.param)
    trainer = make_trainer(folder, callback, save_strategy="steps", save_steps=2, logging_steps=3)
    trainer.train()
    return request.param, trainer, callback.allocator, folder


def events_of(trainer):
    return [entry for entry in trainer.state.log_history if "budget" in entry]


@pytest.mark.parametrize(("step", "restore"), [(2, False), (6, True), (14, False), (18, False)])
def test_a_resumed_training_is_bit_equal(uninterrupted, step, restore, tmp_path, caplog):
    mode, expected, allocator, folder = uninterrupted
    shutil.copytree(folder / f"checkpoint-{step}", tmp_path / "elsewhere")
    trainer = make_trainer(
        tmp_path / "new",
        callback_of(prune_mode=mode),
        logging_steps=3,
        restore_callback_states_from_checkpoint=restore,
    )
    trainer.train(resume_from_checkpoint=str(tmp_path / "elsewhere"))
    state, other = expected.model.state_dict(), trainer.model.state_dict()
    assert state.keys() == other.keys()
    assert all(torch.equal(state[key], other[key]) for key in state)
    resumed = allocator_of(trainer)
    assert resumed.trace() == allocator.trace()
    assert torch.equal(resumed.scores(), allocator.scores())
    assert events_of(trainer) == events_of(expected)
    assert "keys in the checkpoint" not in caplog.text


def allocator_of(trainer):
    """The allocator at work: the Trainer may have put a copy in the place of a callback."""
    callbacks = trainer.callback_handler.callbacks
    return next(c.allocator for c in callbacks if isinstance(c, RankAllocatorCallback))


def test_a_training_that_is_over_can_be_resumed(uninterrupted, tmp_path):
    mode, _, allocator, folder = uninterrupted
    trainer = make_trainer(tmp_path, callback_of(prune_mode=mode))
    trainer.train(resume_from_checkpoint=str(folder / f"checkpoint-{STEPS}"))
    assert allocator_of(trainer).trace() == allocator.trace()


def test_a_checkpoint_loads_into_a_model_with_adapters(uninterrupted):
    _, expected, _, folder = uninterrupted
    model = adapted_model()
    model.load_state_dict(load_file(folder / f"checkpoint-{STEPS}" / "model.safetensors"))
    batch = rows_of(0)
    with torch.no_grad():
        assert torch.equal(model.eval()(**batch).logits, expected.model.eval()(**batch).logits)


@pytest.mark.parametrize("prune_mode", ["zero", "mask"])
def test_the_best_model_comes_back_with_its_mask(tmp_path, prune_mode):
    seen = {}
    callback = callback_of(prune_mode=prune_mode)
    note = AfterSave(lambda step: seen.update({step: effective(trainer)}))
    trainer = make_trainer(
        tmp_path, callback, extra=[note],
        save_strategy="steps", save_steps=5, eval_strategy="steps", eval_steps=5,
        load_best_model_at_end=True, metric_for_best_model="step", greater_is_better=True,
    )  # fmt: skip
    best = 10
    trainer.compute_metrics = lambda _: {"step": -abs(trainer.state.global_step - best)}
    with pytest.warns(UserWarning, match=r"model is that of step 10, .* event is at T = 14"):
        trainer.train()
    assert not torch.equal(seen[best], seen[STEPS])
    assert torch.equal(effective(trainer), seen[best])


class AfterSave(TrainerCallback):
    """Calls a function of the step after every checkpoint."""

    def __init__(self, function):
        self.function = function

    def on_save(self, args, state, control, **kwargs):
        self.function(state.global_step)


def effective(trainer):
    """The singular values as the forward pass sees them."""
    lams = [m.effective_lam() for m in trainer.model.modules() if hasattr(m, "lam")]
    return torch.cat(lams).detach().clone()


# What is refused


def test_a_model_without_adapters_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"adapters of kind 'svd', but has none: call .*inject"):
        make_trainer(tmp_path, callback_of(), model=tiny_opt())


def test_a_model_with_adapters_of_another_kind_is_refused(tmp_path):
    model = tiny_opt()
    inject(model, target_patterns("opt"), 4, alpha=4, kind="lora", generator=torch.Generator())
    with pytest.raises(ValueError, match="of kind 'svd', but has LoRALinear"):
        make_trainer(tmp_path, callback_of(), model=model)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"b0": 5}, r"rank b0=5, but the ranks are \[4\]"),
        ({"deltaT": 14}, r"event must come before T = 14 \(of 20 steps\).* deltaT = 14"),
        ({"deltaT": 0.9, "warmup_steps": 13}, "deltaT = 13 and warmup_steps = 13 none does"),
        ({"bT": 6}, "1 <= bT <= b0 must hold"),
        ({"p": 2}, "0 <= p <= 1 must hold"),
    ],
)
def test_settings_that_do_not_fit_the_training_are_refused(tmp_path, changes, message):
    trainer = make_trainer(tmp_path, callback_of(**changes))
    before = trained(trainer.model)
    with pytest.raises(ValueError, match=message):
        trainer.train()
    assert all(torch.equal(p, before[name]) for name, p in trained(trainer.model).items())


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"deltaT": 1.5}, r"fraction in \(0, 1\), but got 1.5"), ({"gamma": -1}, "gamma >= 0")],
)
def test_settings_that_never_fit_are_refused_at_once(changes, message):
    with pytest.raises(ValueError, match=message):
        callback_of(**changes)


def test_a_fraction_is_one_of_the_schedules_end(tmp_path):
    callback = callback_of(deltaT=0.5)
    make_trainer(tmp_path, callback).train()
    assert [event["t"] for event in callback.allocator.trace()] == [7, 14]


def test_adapters_that_the_optimizer_does_not_know_are_refused(tmp_path):
    trainer = make_trainer(tmp_path, callback_of())
    trainer.optimizer = torch.optim.AdamW(trainer.model.score.parameters())
    with pytest.raises(ValueError, match=r"layers\.0.* must be in the optimizer, but are not"):
        trainer.train()


def test_a_training_that_shards_weights_is_refused():
    model = adapted_model()
    optimizer = SimpleNamespace(
        param_groups=[{"params": list(model.parameters())}],
        accelerator_state=SimpleNamespace(distributed_type=DistributedType.FSDP),
    )
    with pytest.raises(ValueError, match=r"whole adapters, but .*FSDP shards them; use DDP"):
        callback_of().on_train_begin(None, None, None, model=model, optimizer=optimizer)


def test_a_checkpoint_of_another_training_is_refused(uninterrupted, tmp_path):
    mode, _, _, folder = uninterrupted
    checkpoint = str(folder / "checkpoint-6")
    trainer = make_trainer(tmp_path, callback_of(prune_mode=mode, p=0.3))
    with pytest.raises(ValueError, match=r"p must be that of the checkpoint, 0\.2, but got 0\.3"):
        trainer.train(resume_from_checkpoint=checkpoint)
    trainer = make_trainer(tmp_path, callback_of(prune_mode=mode), max_steps=21)
    with pytest.raises(ValueError, match="max_steps must be that of the checkpoint, 20"):
        trainer.train(resume_from_checkpoint=checkpoint)


def test_a_checkpoint_without_the_allocator_is_refused(uninterrupted, tmp_path):
    mode, _, _, folder = uninterrupted
    shutil.copytree(folder / "checkpoint-6", tmp_path / "checkpoint-6")
    file = tmp_path / "checkpoint-6" / "trainer_state.json"
    state = json.loads(file.read_text())
    del state["stateful_callbacks"]["RankAllocatorCallback"]
    file.write_text(json.dumps(state))
    trainer = make_trainer(tmp_path, callback_of(prune_mode=mode))
    with pytest.raises(ValueError, match="checkpoint of step 6 must hold the rank allocator's"):
        trainer.train(resume_from_checkpoint=str(tmp_path / "checkpoint-6"))


def test_a_training_without_a_step_is_refused(tmp_path):
    trainer = make_trainer(
        tmp_path, callback_of(), data=Stream([]), accelerator_config={"dispatch_batches": False}
    )
    with pytest.raises(RuntimeError, match="without an optimizer step"):
        trainer.train()


def test_a_training_that_ends_before_the_last_event_warns(tmp_path):
    trainer = make_trainer(tmp_path, callback_of(), extra=[StopAt(6)])
    with pytest.warns(UserWarning, match=r"step 6, .* T = 14: it is not pruned down to bT = 2"):
        trainer.train()


class StopAt(TrainerCallback):
    """Ends the training after a step."""

    def __init__(self, step):
        self.step = step

    def on_step_end(self, args, state, control, **kwargs):
        control.should_training_stop = state.global_step >= self.step
