"""Trial: model, adapters, optimizer, allocator, batch order and random streams of one training.

The caller decides how far a `Trial` is trained: a Ray worker, a loop, a test. Its state is a
function of (spec, backbone, data, steps). Three seeds give three independent random streams:
`init` (P, Q, head), `data` (batch order, strands, dropout), `mask` (Bernoulli draws of the
allocator).
"""

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from adapters import orthogonality, penalty_backward
from study.models import Backbone
from study.spec import StudySpec
from study.spec.metrics import direction
from study.tasks.metrics import classification_metrics
from study.training.batches import BatchOrder, collate, evaluation_batches
from study.training.class_weights import class_weights
from study.training.encoding import EncodedSplit, EncodedTask
from study.training.facts import parameter_facts, rank_facts
from study.training.mask_probe import probe_of
from study.training.memory import keep_freed_memory, peak_memory_gib, reset_peak_memory
from study.training.methods import PreparedModel, make_allocator, prepare, release
from study.training.optimizer import clip_gradients, make_optimizer
from study.training.peft.eva import EVA_STEPS, needs_batches
from study.training.peft.inject import PeftInputs
from study.training.plan import TrainingPlan, make_plan
from study.training.precision import autocast, compute_dtype
from study.training.steps import count_steps

# The check for a finite loss synchronises with the GPU: it is made every so many steps only.
GPU_CHECK_EVERY = 20


class DivergedError(Exception):
    """The training loss is NaN or infinite; `step` is the first step where that was detected."""

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
        self.on_batch: Callable[[], None] = lambda: None
        """Is called with every batch of training and evaluation."""
        reset_peak_memory(device)
        if device.type == "cpu":
            keep_freed_memory()
        self._causal = backbone.info.causal
        training = spec.training
        self.order = BatchOrder(
            data.train,
            training.batch_size * training.accumulation,
            spec.seeds.data,
            training.group_by_length,
        )
        self.prepared: PreparedModel = prepare(spec, backbone, device, self._peft_inputs())
        try:
            self._set_up()
        except Exception:  # Out of memory: the next trial needs the backbone.
            release(self.prepared)
            raise

    def _peft_inputs(self) -> PeftInputs:
        """Returns what adapters of PEFT need: steps, and for EVA the first training batches."""
        spec, rows = self.spec, self.data.train_rows
        per_epoch, steps = count_steps(spec.training, spec.training.batch_size, rows)
        batches = []
        if needs_batches(spec):
            for step in range(1, min(per_epoch, EVA_STEPS) + 1):
                flipped = self.order.flipped(step)
                batches.append(self._inputs(self.data.train, self.order[step], flipped)[0])
        return PeftInputs(steps, batches)

    def _set_up(self) -> None:
        spec, data, device = self.spec, self.data, self.device
        self.model = self.prepared.model
        self.plan: TrainingPlan = make_plan(spec, data.train_rows, len(self.prepared.adapters))
        self.allocator = make_allocator(spec, self.prepared, self.plan.budget)
        self.probe = probe_of(spec.mask_probe, self.allocator, self._dev_score)
        self.optimizer = make_optimizer(spec, self.prepared)
        self._base_lr = [group["lr"] for group in self.optimizer.param_groups]
        self._parameters = [p for g in self.optimizer.param_groups for p in g["params"]]
        self._dtype = compute_dtype(spec)
        self.scaler = torch.amp.GradScaler(device.type, enabled=self._dtype == torch.float16)
        self._loss_sum = torch.zeros((), device=device)
        weights = class_weights(spec.training, data.train.labels, data.num_labels)
        self._class_weights = weights
        self._loss_weights = (
            None if weights is None else torch.tensor(weights, dtype=torch.float32, device=device)
        )

    # Training

    def train_until(self, step: int) -> float:
        """Trains up to and including optimizer step `step`; returns the mean training loss.

        The loss is the cross-entropy in nats, with class weights and without the orthogonality
        penalty; the mean is over the steps of this call.

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
        rows, flipped = self.order[step], self.order.flipped(step)
        for k, start in enumerate(range(0, len(rows), training.batch_size)):
            batch = slice(start, start + training.batch_size)
            self._seed_dropout((step - 1) * training.accumulation + k)
            # So the gradient of a step does not depend on how it is cut into batches.
            share = self._weight(rows[batch]) / self._weight(rows)
            self._backward(rows[batch], flipped[batch], share)
        self._add_orthogonality()
        factor = self.plan.learning_rate_factor(step)
        for group, lr in zip(self.optimizer.param_groups, self._base_lr, strict=True):
            group["lr"] = lr * factor
        self.scaler.unscale_(self.optimizer)
        clip_gradients(self._parameters, training.max_grad_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.allocator is not None:
            self.allocator.step()
        if self.prepared.peft is not None:
            self.prepared.peft.after_step(step)
        self.optimizer.zero_grad(set_to_none=True)
        self.step = step
        if self.device.type == "cpu" or step % GPU_CHECK_EVERY == 0:
            self._check_finite()

    def _backward(self, rows: np.ndarray, flipped: np.ndarray, share: float) -> None:
        """Adds the gradient of the rows' (weighted) mean loss times `share` of the step."""
        logits, labels = self._forward(self.data.train, rows, flipped)
        loss = nn.functional.cross_entropy(logits, labels, self._loss_weights) * share
        self._loss_sum += loss.detach()
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]

    def _weight(self, rows: np.ndarray) -> float:
        """Returns the sum of the rows' class weights, their number without weights."""
        if self._class_weights is None:
            return len(rows)
        return float(self._class_weights[self.data.train.labels[rows]].sum())

    def _seed_dropout(self, batch: int) -> None:
        """Makes dropout a function of (data seed, batch number), also after a resume.

        Seeds only the generators that dropout uses: `torch.manual_seed` would seed every kind of
        device, and format a stack trace for each that is absent.
        """
        entropy = np.random.SeedSequence([self.spec.seeds.data, batch, 1])
        seed = int(entropy.generate_state(1)[0])
        torch.default_generator.manual_seed(seed)
        if self.device.type == "cuda":
            torch.cuda.manual_seed(seed)

    def _add_orthogonality(self) -> None:
        gamma = getattr(self.spec.adapter, "gamma", 0.0)
        if gamma:
            penalty = gamma * orthogonality(self.prepared.adapters)
            penalty_backward(self.scaler.scale(penalty), self.prepared.adapters)
        if self.prepared.peft is not None and (added := self.prepared.peft.penalty()) is not None:
            self.scaler.scale(added).backward()  # type: ignore[no-untyped-call]

    def _forward(
        self, split: EncodedSplit, rows: np.ndarray, flipped: np.ndarray | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Returns the float32 logits (batch, classes) and the labels of the given rows."""
        self.on_batch()
        inputs, labels = self._inputs(split, rows, flipped)
        with autocast(self.device, self._dtype):
            output = self.model(**inputs)
        return output.logits.float(), labels

    def _inputs(
        self, split: EncodedSplit, rows: np.ndarray, flipped: np.ndarray | None
    ) -> tuple[dict[str, Any], torch.Tensor]:
        """Returns the model's arguments for the given rows, and their labels."""
        batch = collate(
            split, rows, self.data.pad_id, self.device, causal=self._causal, flipped=flipped
        )
        labels = batch.pop("labels")
        return {**batch, **({"use_cache": False} if self._causal else {})}, labels

    def _check_finite(self) -> None:
        if not torch.isfinite(self._loss_sum):
            raise DivergedError(self.step)

    # Evaluation

    def evaluate(self, split: EncodedSplit) -> dict[str, float]:
        """Returns `classification_metrics` on a split; does not affect training."""
        return classification_metrics(self.logits(split), split.labels)

    def evaluate_at_final_budget(
        self, split: EncodedSplit, current: dict[str, float]
    ) -> dict[str, float]:
        """Returns the metrics on a split of the model pruned to its final budget.

        `current` are the metrics of the unpruned model, returned if there is nothing to prune:
        from T on, and for methods without a budget.
        """
        if self.allocator is None or self.allocator.t >= self.allocator.budget.T:
            return current
        with self.allocator.at_final_budget():
            return self.evaluate(split)

    def _dev_score(self) -> float:
        """Returns the search metric on dev, higher is better; leaves the model in train mode."""
        metric = self.spec.search.metric
        score = direction(metric) * self.evaluate(self.data.dev)[metric]
        self.model.train()
        return score

    @torch.no_grad()
    def logits(self, split: EncodedSplit) -> np.ndarray:
        """Returns the float32 logits (rows, classes) of a split, in the order of its rows.

        If the split has the other strand, they are the logarithms of the class probabilities
        averaged over both strands.
        """
        self.model.eval()
        logits = self._logits_of_strand(split)
        if split.reverse_complement is not None:
            strands = torch.stack([logits, self._logits_of_strand(split.reverse_complement)])
            logits = torch.logsumexp(strands.log_softmax(dim=-1), dim=0) - math.log(2)
        return logits.numpy()

    def _logits_of_strand(self, split: EncodedSplit) -> torch.Tensor:
        parts, order = [], []
        for rows in evaluation_batches(split, self.spec.training.eval_batch_size):
            parts.append(self._forward(split, rows)[0])
            order.append(rows)
        logits = torch.empty(len(split), self.data.num_labels)
        logits[np.concatenate(order)] = torch.cat(parts).cpu()
        return logits

    def facts(self) -> dict[str, float]:
        """Returns parameter counts, ranks, training time in seconds and peak memory in GiB."""
        return {
            **parameter_facts(self.prepared, self.allocator),
            "train_seconds": self.seconds,
            "peak_memory_gib": peak_memory_gib(self.device),
            **rank_facts(self.allocator),
            **({} if self.probe is None else self.probe.results),
        }

    # State

    def state_dict(self) -> dict[str, Any]:
        """Returns the state of a checkpoint: trained parameters, not the frozen backbone."""
        return {
            "step": self.step,
            "seconds": self.seconds,
            "parameters": {name: p.detach() for name, p in self._trained().items()},
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "allocator": None if self.allocator is None else self.allocator.state_dict(),
            "peft": None if self.prepared.peft is None else self.prepared.peft.state_dict(),
            "probe": None if self.probe is None else dict(self.probe.results),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continues from `state`; the trial must have been built from the same spec and data."""
        trained = self._trained()
        if _shapes(trained) != _shapes(state["parameters"]):
            raise ValueError("the checkpoint must have the parameters that this trial trains")
        with torch.no_grad():
            for name, parameter in trained.items():
                parameter.copy_(state["parameters"][name])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        if self.allocator is not None:
            self.allocator.load_state_dict(state["allocator"])
        if self.prepared.peft is not None:
            self.prepared.peft.load_state_dict(state["peft"])
        if self.probe is not None:
            self.probe.results = dict(state.get("probe") or {})
        self.step, self.seconds = state["step"], state["seconds"]

    def close(self) -> None:
        """Restores the backbone, except for its head."""
        release(self.prepared)

    def _trained(self) -> dict[str, nn.Parameter]:
        return {name: p for name, p in self.model.named_parameters() if p.requires_grad}


def _shapes(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in tensors.items()}
