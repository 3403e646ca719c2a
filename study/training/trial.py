"""One configuration, trained: model + adapters + optimizer + allocator + data order + streams.

`Trial` is driven step by step by whoever runs it: a Ray worker, a plain loop, a test. Its state
is a function of (spec, backbone, data, steps taken): three seeds feed three independent streams,
`init` (P, Q, head), `data` (batch order and dropout) and `mask` (the allocator's Bernoulli draws).
"""

import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from adapters import orthogonality
from study.models import Backbone
from study.spec import StudySpec
from study.training.data import BatchOrder, EncodedSplit, EncodedTask, collate, evaluation_batches
from study.training.memory import peak_memory_gib, reset_peak_memory
from study.training.methods import Prepared, make_allocator, prepare, release
from study.training.metrics import classification_metrics
from study.training.plan import Plan, make_plan

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
# On a GPU a finite-loss check waits for the device, so it is made every so many steps only.
GPU_CHECK_EVERY = 20


class DivergedError(Exception):
    """The training loss is NaN or infinite; `step` is the first step at which that was seen."""

    def __init__(self, step: int) -> None:
        super().__init__(f"the training loss is not finite at step {step}")
        self.step = step


class Trial:
    """The training loop of one resolved spec."""

    def __init__(
        self, spec: StudySpec, backbone: Backbone, data: EncodedTask, device: torch.device
    ) -> None:
        self.spec = spec
        self.data = data
        self.device = device
        self.step = 0
        self.seconds = 0.0
        reset_peak_memory(device)
        self.prepared: Prepared = prepare(spec, backbone, device)
        self.model = self.prepared.model
        self.plan: Plan = make_plan(spec, len(data.train), len(self.prepared.adapters))
        self.allocator = make_allocator(spec, self.prepared, self.plan.budget)
        training = spec.training
        self.order = BatchOrder(
            data.train, training.batch_size, spec.seeds.data, training.group_by_length
        )
        self.optimizer = _make_optimizer(spec, self.prepared)
        self._base_lr = [group["lr"] for group in self.optimizer.param_groups]
        self._parameters = [p for g in self.optimizer.param_groups for p in g["params"]]
        self.scaler = torch.amp.GradScaler(device.type, enabled=training.precision == "fp16")
        self._loss_sum = torch.zeros((), device=device)

    # Training

    def train_until(self, step: int) -> float:
        """Trains up to and including optimizer step `step`; returns the mean training loss.

        The mean is that of the task loss over the steps of this call, in nats.

        Raises:
            DivergedError: the loss is NaN or infinite.
        """
        started, first = time.perf_counter(), self.step
        self.model.train()
        self._loss_sum.zero_()
        while self.step < step:
            self._train_step()
        self._check_finite()
        self.seconds += time.perf_counter() - started
        return float(self._loss_sum) / max(1, self.step - first)

    def _train_step(self) -> None:
        training, step = self.spec.training, self.step + 1
        for k in range(training.accumulation):
            micro_batch = (step - 1) * training.accumulation + k
            self._backward(micro_batch)
        self._add_orthogonality()
        factor = self.plan.learning_rate_factor(step)
        for group, lr in zip(self.optimizer.param_groups, self._base_lr, strict=True):
            group["lr"] = lr * factor
        self.scaler.unscale_(self.optimizer)
        nn.utils.clip_grad_norm_(self._parameters, training.max_grad_norm)
        scale = self.scaler.get_scale()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.scaler.get_scale() < scale:
            # fp16 overflowed and the scaler skipped the step: there are no gradients to observe.
            self.optimizer.zero_grad(set_to_none=True)
        if self.allocator is not None:
            self.allocator.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.step = step
        if self.device.type == "cpu" or step % GPU_CHECK_EVERY == 0:
            self._check_finite()

    def _backward(self, micro_batch: int) -> None:
        training = self.spec.training
        rows = self.order[micro_batch]
        batch = collate(self.data.train, rows, self.data.pad_id, self.device)
        # Dropout draws from torch's global stream: seeding it per micro-batch makes the draws a
        # function of (data seed, micro-batch), the same after a resume.
        torch.manual_seed(_dropout_seed(self.spec.seeds.data, micro_batch))
        with self._autocast():
            output = self.model(
                input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]
            )
        loss = nn.functional.cross_entropy(output.logits.float(), batch["labels"])
        loss = loss / training.accumulation
        self._loss_sum += loss.detach()
        self.scaler.scale(loss).backward()

    def _add_orthogonality(self) -> None:
        gamma = getattr(self.spec.adapter, "gamma", 0.0)
        if gamma:
            penalty = gamma * orthogonality(self.prepared.adapters)
            self.scaler.scale(penalty).backward()  # type: ignore[no-untyped-call]

    def _autocast(self) -> AbstractContextManager[Any]:
        precision = self.spec.training.precision
        if precision == "fp32":
            return nullcontext()
        return torch.autocast(self.device.type, dtype=PRECISIONS[precision])

    def _check_finite(self) -> None:
        if not torch.isfinite(self._loss_sum):
            raise DivergedError(self.step)

    # Evaluation

    def evaluate(self, split: EncodedSplit) -> dict[str, float]:
        """Returns `classification_metrics` on a split; training is not disturbed."""
        return classification_metrics(self.logits(split), split.labels)

    @torch.no_grad()
    def logits(self, split: EncodedSplit) -> np.ndarray:
        """Returns the float32 logits (rows, classes) of a split, in the split's order."""
        self.model.eval()
        parts, order = [], []
        for rows in evaluation_batches(split, self.spec.training.eval_batch_size):
            batch = collate(split, rows, self.data.pad_id, self.device)
            with self._autocast():
                output = self.model(
                    input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]
                )
            parts.append(output.logits.float())
            order.append(rows)
        logits = np.empty((len(split), self.data.num_labels), dtype=np.float32)
        logits[np.concatenate(order)] = torch.cat(parts).cpu().numpy()
        return logits

    # What a report says beside the scores

    def facts(self) -> dict[str, float]:
        """Returns counts and costs so far: parameters, ranks, seconds of training, memory."""
        adapter = sum(p.numel() for p in self.prepared.adapter_parameters)
        head = sum(p.numel() for p in self.prepared.head.values())
        backbone = sum(p.numel() for p in self.prepared.backbone.values())
        facts: dict[str, float] = {
            "adapter_parameters": adapter,
            "head_parameters": head,
            "trainable_parameters": adapter + head + backbone,
            "train_seconds": self.seconds,
            "peak_memory_gib": peak_memory_gib(self.device),
        }
        return facts | self._rank_facts()

    def _rank_facts(self) -> dict[str, float]:
        if self.allocator is None or self.plan.budget is None:
            return {}
        facts: dict[str, float] = {
            "budget": self.plan.budget.triplets,
            "kept": self.plan.budget.triplets,
            "reintroduced": 0,
            "dropped": 0,
        }
        trace = self.allocator.trace()
        if trace:
            facts = {name: trace[-1][name] for name in facts}
        facts["rank"] = self.allocator.rank()
        facts["missing_gradients"] = self.allocator.missing_gradients
        return facts

    # State

    def state_dict(self) -> dict[str, Any]:
        """Returns everything a resumed trial needs: what trains, never the frozen backbone."""
        return {
            "step": self.step,
            "seconds": self.seconds,
            "parameters": {name: p.detach() for name, p in self._trained().items()},
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "allocator": None if self.allocator is None else self.allocator.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continues from `state`; the trial must have been built from the same spec and data."""
        trained = self._trained()
        if trained.keys() != state["parameters"].keys():
            raise ValueError("the checkpoint must hold the parameters that this trial trains")
        with torch.no_grad():
            for name, parameter in trained.items():
                parameter.copy_(state["parameters"][name])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        if self.allocator is not None:
            self.allocator.load_state_dict(state["allocator"])
        self.step, self.seconds = state["step"], state["seconds"]

    def save(self, path: Path) -> None:
        """Writes the state to `path`, complete or not at all."""
        partial = path.with_suffix(".partial")
        torch.save(self.state_dict(), partial)
        partial.replace(path)

    def load(self, path: Path) -> None:
        """Reads a state that `save` wrote; nothing in it is executed."""
        self.load_state_dict(torch.load(path, map_location=self.device, weights_only=True))

    def close(self) -> None:
        """Gives the backbone back as it was."""
        release(self.prepared)

    def _trained(self) -> dict[str, nn.Parameter]:
        return {name: p for name, p in self.model.named_parameters() if p.requires_grad}


def _make_optimizer(spec: StudySpec, prepared: Prepared) -> torch.optim.AdamW:
    """AdamW with decoupled weight decay on everything but biases and norms."""
    training = spec.training
    head_lr = training.lr if training.head_lr is None else training.head_lr
    groups = [
        {"params": prepared.adapter_parameters, "lr": training.lr},
        *_decay_groups(prepared.backbone, training.lr, training.weight_decay),
        *_decay_groups(prepared.head, head_lr, training.weight_decay),
    ]
    return torch.optim.AdamW(
        [group for group in groups if group["params"]],
        lr=training.lr,
        weight_decay=training.weight_decay,
    )


def _decay_groups(
    parameters: dict[str, nn.Parameter], lr: float, weight_decay: float
) -> list[dict[str, Any]]:
    decayed = [p for p in parameters.values() if p.ndim >= 2]
    plain = [p for p in parameters.values() if p.ndim < 2]
    return [
        {"params": decayed, "lr": lr, "weight_decay": weight_decay},
        {"params": plain, "lr": lr, "weight_decay": 0.0},
    ]


def _dropout_seed(data_seed: int, micro_batch: int) -> int:
    return int(np.random.SeedSequence([data_seed, micro_batch, 1]).generate_state(1)[0])
