"""AdaLoRA+RS inside `transformers.Trainer`: the rank allocator as a callback.

    the Trainer calls                 what happens
    on_init_end                       the model's adapters are checked
    on_train_begin                    the schedule is built: T_total is the Trainer's max_steps
    on_step_begin                     .grad starts as that of gamma · orthogonality
    (backward, once per batch)        the task's gradients add to it
    (clipping, optimizer.step)
    on_optimizer_step                 RankAllocator.step
    on_log                            the mask events since the last log join the log history
    state, at every checkpoint        the allocator's state, for trainer_state.json

The penalty is in no loss, so in none that is reported, and a loss of one's own or label smoothing
works as without it. Its gradient is laid down first because that is the only call that comes once
per optimizer step, however many batches accumulate, and before the clipping. Under DDP every
process lays down the same one, and the mean over the processes leaves it as it is.

Step t of the allocator is the Trainer's global step. Both count a step that the loss scaler of
fp16 skipped; its gradients are not observed.
"""

import base64
import io
import re
import warnings
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from transformers.trainer_callback import ExportableState, TrainerCallback

from adapters._shapes import Number
from adapters.allocator import FinalMask, PruneMode, RankAllocator
from adapters.budget import CubicBudget
from adapters.inject import adapted_layers
from adapters.orthogonality import orthogonality, penalty_backward
from adapters.svd import SVDLinear

HEAD = re.compile(r"(^|\.)(score|classifier)\.")
"""Names of a classification head's parameters in transformers."""
LOGGED = ("budget", "kept", "reintroduced", "dropped")
"""What the log history says of a mask event, beside its `step` and the model's `rank`."""

SHARDED = ("FSDP", "DEEPSPEED", "MEGATRON_LM")
"""Accelerate's names of the ways to train that leave a process with parts of weights."""


class RankAllocatorCallback(TrainerCallback, ExportableState):  # type: ignore[misc]
    """Trains a model that `inject` has adapted with AdaLoRA+RS: `Trainer(callbacks=[this])`.

    Accumulation, mixed precision, DDP, evaluation and resuming from a checkpoint need nothing
    else; a resumed run is bit-equal to one that never stopped. Sharded training (FSDP, DeepSpeed)
    is refused. `allocator` is the RankAllocator, from the start of the training on.

    A checkpoint loads into a model with the same adapters injected. One from before step T, which
    `load_best_model_at_end` may choose, is not pruned down to bT: the end of the training warns.

    Args:
        b0: Triplets per matrix at the start: the rank that was given to `inject`.
        bT: Average triplets per matrix at the end, 1 to `b0`.
        deltaT: Steps between mask events: an int, or a fraction of T in (0, 1).
        final_fraction: (T_total - T) / T_total, in [0, 1).
        warmup_steps: No mask event up to this step.
        beta1: EMA factor of the sensitivity, in [0, 1).
        beta2: EMA factor of the uncertainty, in [0, 1).
        p: Probability that an event drops a triplet of the budget's choice.
        p_reintroduce: Probability that it keeps another one; None means `p`.
        prune_mode: What pruning does to a singular value, see RankAllocator.
        final_mask: Whether chance has a say at T too: `stochastic`, or `deterministic`.
        mask_seed: Seed of the masks, any integer.
        gamma: Weight of the orthogonality penalty, at least 0.

    Raises:
        ValueError: here or when the training begins, before its first step: a number is out of
            range, no mask event would come before T, the model or the optimizer lacks the
            adapters, their rank is not b0, or a checkpoint is of another run.
        RuntimeError: the training ended without an optimizer step.
    """

    def __init__(
        self,
        *,
        b0: int,
        bT: int,
        deltaT: Number,
        final_fraction: Number = 0.25,
        warmup_steps: int = 0,
        beta1: Number = 0.85,
        beta2: Number = 0.85,
        p: Number = 0.05,
        p_reintroduce: Number | None = None,
        prune_mode: PruneMode = "zero",
        final_mask: FinalMask = "stochastic",
        mask_seed: int = 0,
        gamma: Number = 0.1,
    ) -> None:
        if not isinstance(deltaT, int) and not 0 < deltaT < 1:
            raise ValueError(f"deltaT must be an int or a fraction in (0, 1), but got {deltaT}")
        if gamma < 0:
            raise ValueError(f"gamma >= 0 must hold, but got {gamma}")
        self._budget: dict[str, Any] = {
            "b0": b0,
            "bT": bT,
            "deltaT": deltaT,
            "final_fraction": final_fraction,
            "warmup_steps": warmup_steps,
        }
        self._rates: dict[str, Any] = {
            "beta1": beta1,
            "beta2": beta2,
            "p": p,
            "p_reintroduce": p_reintroduce,
            "prune_mode": prune_mode,
            "final_mask": final_mask,
            "mask_seed": mask_seed,
        }
        self.gamma = gamma
        self.allocator: RankAllocator | None = None
        self._adapters: dict[str, SVDLinear] = {}
        self._penalized = False

    # What the Trainer calls

    def on_init_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Refuses a model without adapters as soon as there is a Trainer."""
        _adapters_of(kwargs["model"])

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Builds the schedule and the allocator, or continues those of a checkpoint."""
        self._adapters = _adapters_of(kwargs["model"])
        _check_trained(self._adapters, kwargs["optimizer"])
        _warn_of_frozen_head(kwargs["model"])
        budget = _schedule(state.max_steps, len(self._adapters), **self._budget)
        self.allocator = RankAllocator(self._adapters, budget, **self._rates)
        self._penalized = False
        if state.global_step:
            self._continue(state)

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Lays down the penalty's gradient, scaled as the loss will be."""
        if not self.gamma or self._penalized:
            return  # The last optimizer step is still to come: the data ended amid its batches.
        penalty = self.gamma * orthogonality(self._adapters)
        scaler = getattr(kwargs["optimizer"], "scaler", None)
        penalty_backward(penalty if scaler is None else scaler.scale(penalty), self._adapters)
        self._penalized = True

    def on_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Follows the optimizer, whose gradients are still there."""
        self._running().step(skipped=getattr(kwargs["optimizer"], "step_was_skipped", False))
        self._penalized = False

    def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Puts the mask events since the last log into the log history, before its last entry."""
        if self.allocator is None:
            return
        known = sum(entry.keys() >= set(LOGGED) for entry in state.log_history)
        state.log_history[-1:-1] = [
            {name: event[name] for name in LOGGED}
            | {"rank": sum(event["ranks"].values()), "step": event["t"]}
            for event in self.allocator.trace()[known:]
        ]

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Warns of a model that is not pruned down to bT."""
        allocator = self._running()
        if not allocator.t:
            raise RuntimeError("the training ended without an optimizer step: nothing was trained")
        best = args.load_best_model_at_end and state.best_model_checkpoint is not None
        step, T = (state.best_global_step if best else allocator.t), allocator.budget.T
        if step < T:
            warnings.warn(
                f"the model is that of step {step}, but the last mask event is at T = {T}: "
                f"it is not pruned down to bT = {allocator.budget.bT} yet",
                stacklevel=2,
            )

    # Checkpoints

    def state(self) -> dict[str, Any]:
        """Returns what a checkpoint's trainer_state.json holds of this callback, in JSON's types.

        The settings, and the allocator's state as base64 of what `torch.save` writes: 11 bytes
        per entry of P, lam and Q.
        """
        exported: dict[str, Any] = {"args": self._settings(), "attributes": {}}
        if self.allocator is not None:
            exported["total_steps"] = self.allocator.budget.total_steps
            exported["allocator"] = _encoded(self.allocator.state_dict())
        return exported

    def _continue(self, state: Any) -> None:
        saved = state.stateful_callbacks.get(type(self).__name__, {})
        if "allocator" not in saved:
            raise ValueError(
                f"the checkpoint of step {state.global_step} must hold the rank allocator's "
                "state, but was written without this callback; train from the start"
            )
        mine = self._settings() | {"max_steps": self._running().budget.total_steps}
        theirs = saved["args"] | {"max_steps": saved["total_steps"]}
        for name, value in mine.items():
            if theirs[name] != value:
                raise ValueError(
                    f"{name} must be that of the checkpoint, {theirs[name]}, but got {value}"
                )
        self._running().load_state_dict(_decoded(saved.pop("allocator")))

    def _settings(self) -> dict[str, Any]:
        return self._budget | self._rates | {"gamma": self.gamma}

    def _running(self) -> RankAllocator:
        if self.allocator is None:
            raise RuntimeError("on_train_begin must come before the first optimizer step")
        return self.allocator


def _adapters_of(model: nn.Module) -> dict[str, SVDLinear]:
    layers = adapted_layers(model)
    found = {name: layer for name, layer in layers.items() if isinstance(layer, SVDLinear)}
    if not found or len(found) < len(layers):
        kinds = sorted({type(layer).__name__ for layer in layers.values()})
        raise ValueError(
            "the model must have adapters of kind 'svd', but has "
            f"{', '.join(kinds) or 'none'}: call adapters.inject before the Trainer"
        )
    return found


def _check_trained(adapters: Mapping[str, SVDLinear], optimizer: Any) -> None:
    kind = optimizer.accelerator_state.distributed_type
    if kind in SHARDED:
        raise ValueError(
            f"every process must hold whole adapters, but {kind.value} shards them; use DDP"
        )
    trained = {id(weight) for group in optimizer.param_groups for weight in group["params"]}
    for name, layer in adapters.items():
        if any(id(weight) not in trained for weight in (layer.P, layer.lam, layer.Q)):
            raise ValueError(
                f"P, lam and Q of {name} must be in the optimizer, but are not: call inject "
                "before the optimizer is made, and freeze none of them"
            )


def _warn_of_frozen_head(model: nn.Module) -> None:
    """A classifier's head is usually new: frozen by `inject` with the rest, it stays random."""
    frozen = [
        name
        for name, weight in model.named_parameters()
        if HEAD.search(name) and not weight.requires_grad
    ]
    if frozen:
        warnings.warn(
            f"{frozen[0]} does not train: if the head is new, call requires_grad_(True) on it "
            "after inject",
            stacklevel=2,
        )


def _schedule(
    total_steps: int, matrices: int, *, deltaT: Number, final_fraction: Number, **rest: Any
) -> CubicBudget:
    """The budget of a run of `total_steps`; `deltaT` may be a fraction of T."""
    T = round((1 - final_fraction) * total_steps)
    between = deltaT if isinstance(deltaT, int) else max(1, round(deltaT * T))
    budget = CubicBudget(
        total_steps,
        matrices=matrices,
        deltaT=between,
        final_fraction=final_fraction,
        **rest,
    )
    if len(budget.events()) == 1:
        raise ValueError(
            f"a mask event must come before T = {T} (of {total_steps} steps), but with "
            f"deltaT = {between} and warmup_steps = {budget.warmup_steps} none does; lower "
            "deltaT (a fraction such as 0.05 follows T), or train longer"
        )
    return budget


def _encoded(state: Mapping[str, Any]) -> str:
    buffer = io.BytesIO()
    torch.save(dict(state), buffer)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def _decoded(text: str) -> dict[str, Any]:
    buffer = io.BytesIO(base64.b64decode(text))
    state: dict[str, Any] = torch.load(buffer, map_location="cpu", weights_only=True)
    return state
