"""Trainers with the callback on a tiny model, and the equivalent training loop."""

import torch
from torch.nn import functional as F
from transformers import Trainer, TrainerCallback, TrainingArguments

from adapters import CubicBudget, RankAllocator, RankAllocatorCallback, orthogonality
from tests.adapters.tiny_models import svd_adapters, tiny_batch, tiny_opt

STEPS, BATCH, LR, DECAY, CLIP = 12, 4, 5e-3, 0.1, 0.25
BUDGET = {"b0": 4, "bT": 2, "deltaT": 3, "final_fraction": 0.3}  # events 3, 6, 8
RATES = {"beta1": 0.85, "beta2": 0.85, "p": 0.2, "mask_seed": 5}
EVENTS = [3, 6, 8]


def rows(count):
    """Returns the first `count` training rows."""
    batch = tiny_batch(0, rows=count)
    return [{key: value[row] for key, value in batch.items()} for row in range(count)]


DATA = rows(24)


def adapted_model():
    model = tiny_opt(layers=1)
    # Otherwise the Trainer assumes that OPT's loss is normalised for gradient accumulation.
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
    """The training loop that is equivalent to the Trainer's."""

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
    """Returns the batch of a number; an epoch has six batches."""
    chosen = DATA[batch % 6 * BATCH :][:BATCH]
    return {key: torch.stack([row[key] for row in chosen]) for key in chosen[0]}


def trained(model):
    return {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}


class Recorder(TrainerCallback):
    """Records the kept triplets after every optimizer step; follows the callback that it reads."""

    def __init__(self, callback):
        self.callback, self.kept = callback, []

    def on_optimizer_step(self, args, state, control, **kwargs):
        self.kept.append(self.callback.allocator.kept())


def calling(event, function):
    """Returns a callback that calls a function with the Trainer's state and control."""
    callback = TrainerCallback()
    setattr(callback, event, lambda args, state, control, **kwargs: function(state, control))
    return callback


class Stream(torch.utils.data.IterableDataset):
    """Rows of unknown number: the Trainer ends an epoch without a step on its last batches."""

    def __init__(self, rows):
        self.rows = rows

    def __iter__(self):
        return iter(self.rows)
