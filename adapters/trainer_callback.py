"""AdaLoRA+RS inside `transformers.Trainer`: the rank allocator as a callback.

    method of the callback            action
    on_init_end                       checks that the model has adapters
    on_train_begin                    makes the budget (T_total is the Trainer's max_steps) and
                                      the allocator, or loads the allocator's state
    on_step_begin                     sets .grad to the gradient of gamma · orthogonality
    (backward, once per batch)        adds the gradients of the task's loss
    (clipping, optimizer.step)
    on_optimizer_step                 calls RankAllocator.step
    on_step_end                       logs a mask event as the Trainer logs the loss: in its log
                                      history and by its reporters (TensorBoard, W&B, MLflow)
    on_save                           writes the allocator's state into the checkpoint
    on_init_end                       also lets `save_pretrained`, which the Trainer calls to write
                                      a model, write an adapter folder beside it

The penalty is part of no loss: reported losses do not contain it, and custom losses and label
smoothing need no change. Its gradient is set before the backward passes because on_step_begin is
the only event that occurs once per optimizer step, independent of gradient accumulation, and
before clipping. Under DDP every process sets the same gradient, and averaging over the processes
does not change it.

Step t of the allocator is the Trainer's global step. Both count steps skipped by the loss scaler
of fp16; the gradients of such a step do not enter the importance scores.
"""

import base64
import functools
import io
import re
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import Trainer
from transformers.trainer_callback import ExportableState, TrainerCallback
from typing_extensions import override

from adapters._shapes import Number
from adapters.allocator import FinalMask, PruneMode, RankAllocator, ScoreLoss
from adapters.budget import CubicBudget
from adapters.inject import adapted_layers
from adapters.orthogonality import orthogonality, penalty_backward
from adapters.peft_format import save_peft_adalora
from adapters.svd import SVDLinear

HEAD = re.compile(r"(^|\.)(score|classifier)\.")
"""Parameter names of a classification head in transformers."""
LOGGED = ("budget", "kept", "reintroduced", "dropped", "penalty_share")
"""What is logged of a mask event, in addition to `step` and `rank`."""

STATE = "rank_allocator.pt"
"""File of the allocator's state in a checkpoint."""

SHARDED = ("FSDP", "DEEPSPEED", "MEGATRON_LM")
"""Accelerate's names of distributed training in which a process has parts of the weights only."""


class RankAllocatorCallback(TrainerCallback, ExportableState):  # type: ignore[misc]
    """Runs a RankAllocator inside `transformers.Trainer`, for a model adapted by `inject`.

    Gradient accumulation, mixed precision, DDP, evaluation and resuming from a checkpoint need no
    further change; a resumed run is bit-equal to an uninterrupted one. Sharded training (FSDP,
    DeepSpeed) is refused. The attribute `allocator` is None until training begins.

    A checkpoint loads into a model with the same adapters injected. A checkpoint from before step
    T, which `load_best_model_at_end` may select, is not pruned to bT; a warning at the end of the
    training reports it.

    Args:
        b0: Triplets per matrix at the start: the rank given to `inject`.
        bT: Average triplets per matrix at the end, 1 to `b0`.
        deltaT: Steps between mask events: an int, or a fraction of T in (0, 1).
        final_fraction: (T_total - T) / T_total, in [0, 1).
        warmup_steps: No mask event at or before this step.
        beta1: EMA factor of the sensitivity, in [0, 1).
        beta2: EMA factor of the uncertainty, in [0, 1).
        p: Probability that a mask event drops a triplet among the largest scores, in [0, 1].
        p_reintroduce: Probability that it keeps any other triplet, in [0, 1]; None means `p`.
        prune_mode: `zero` or `mask`, see RankAllocator.
        final_mask: `stochastic` or `deterministic`, see RankAllocator.
        mask_seed: Seed of the Bernoulli masks, any integer.
        gamma: Weight of the orthogonality penalty, at least 0.
        score_loss: `task` or `total`, see RankAllocator.

    Raises:
        ValueError: here or before the first training step: a number is out of range, no mask
            event would take place before T, the model or the optimizer does not have the
            adapters, their rank is not b0, or the checkpoint is from a run with other settings.
        RuntimeError: the training ended without an optimizer step.

    Example:
        With a model adapted by `inject(model, target_patterns("opt"), rank=4, ...)`:

        >>> callback = RankAllocatorCallback(b0=4, bT=2, deltaT=0.5, final_fraction=0.25, p=0)
        >>> trainer = Trainer(model, args, train_dataset=train, callbacks=[callback])
        >>> _ = trainer.train()  # args.max_steps=8, so T=6
        >>> [(event["t"], event["budget"]) for event in callback.allocator.trace()]
        [(3, 13), (6, 12)]
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
        score_loss: ScoreLoss = "task",
    ) -> None:
        if not isinstance(deltaT, int) and not 0 < deltaT < 1:
            raise ValueError(
                f"deltaT must be an int or a fraction in (0, 1), but got deltaT={deltaT}"
            )
        if gamma < 0:
            raise ValueError(f"gamma >= 0 must hold, but got gamma={gamma}")
        self._budget_arguments: dict[str, Any] = {
            "b0": b0,
            "bT": bT,
            "deltaT": deltaT,
            "final_fraction": final_fraction,
            "warmup_steps": warmup_steps,
        }
        self._allocator_arguments: dict[str, Any] = {
            "beta1": beta1,
            "beta2": beta2,
            "p": p,
            "p_reintroduce": p_reintroduce,
            "prune_mode": prune_mode,
            "final_mask": final_mask,
            "mask_seed": mask_seed,
            "score_loss": score_loss,
        }
        self.gamma = gamma
        self.allocator: RankAllocator | None = None
        self._adapters: dict[str, SVDLinear] = {}
        self._penalty_added = False
        self._trainer: Any = None

    # Events of the Trainer

    @override
    def on_init_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Raises ValueError if the model has no adapters of kind `svd`.

        From here on the Trainer's files of the model include an adapter folder.
        """
        _adapters_of(kwargs["model"])
        _write_adapters_with(kwargs["model"])

    @override
    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Makes the budget and the allocator, and loads the allocator's state when resuming."""
        self._adapters = _adapters_of(kwargs["model"])
        _check_trained(self._adapters, kwargs["optimizer"])
        _warn_about_frozen_head(kwargs["model"])
        budget = _schedule(state.max_steps, len(self._adapters), **self._budget_arguments)
        self.allocator = RankAllocator(self._adapters, budget, **self._allocator_arguments)
        self._penalty_added = False
        self._trainer, checkpoint = _calling_trainer()
        if state.global_step:
            self._resume(state, checkpoint)

    @override
    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Adds the gradient of the penalty, multiplied by the loss scale."""
        if not self.gamma or self._penalty_added:
            return  # An epoch ended before its optimizer step: the gradient is set already.
        penalty = self.gamma * orthogonality(self._adapters)
        scaler = getattr(kwargs["optimizer"], "scaler", None)
        penalty_backward(penalty if scaler is None else scaler.scale(penalty), self._adapters)
        self._penalty_added = True

    @override
    def on_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Calls the allocator's step; the gradients of the optimizer step are still available."""
        skipped = getattr(kwargs["optimizer"], "step_was_skipped", False)
        self._started_allocator().step(skipped=skipped)
        self._penalty_added = False

    @override
    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Logs the mask event of this step, if there was one."""
        allocator = self._started_allocator()
        if self._trainer is None or not allocator.budget.is_event(allocator.t):
            return
        event = allocator.trace()[-1]
        logged = {name: event[name] for name in LOGGED if event[name] is not None}
        should_log = control.should_log  # `log` resets it, but the loss may be due as well.
        self._trainer.log(logged | {"rank": sum(event["ranks"].values())})
        control.should_log = should_log

    @override
    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Writes the allocator's state into the checkpoint: 8 bytes per entry of P, lam and Q."""
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        if state.is_world_process_zero and folder.is_dir():
            _write_state(folder, self._started_allocator().state_dict())

    @override
    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Warns if the model is not pruned to bT."""
        allocator = self._started_allocator()
        if not allocator.t:
            raise RuntimeError(
                "the training must have at least one optimizer step, but got none; check that the "
                "dataset is not empty"
            )
        best = args.load_best_model_at_end and state.best_model_checkpoint is not None
        step, T = (state.best_global_step if best else allocator.t), allocator.budget.T
        if step < T:
            warnings.warn(
                f"the model is from step {step}, before the last mask event at T={T}: it is not "
                f"pruned to bT={allocator.budget.bT}",
                stacklevel=2,
            )

    # Checkpoints

    @override
    def state(self) -> dict[str, Any]:
        """Returns the settings: the callback's entry in a checkpoint's trainer_state.json."""
        exported: dict[str, Any] = {"args": self._arguments(), "attributes": {}}
        if self.allocator is not None:
            exported["total_steps"] = self.allocator.budget.total_steps
        return exported

    def _resume(self, state: Any, checkpoint: str | None) -> None:
        saved = state.stateful_callbacks.get(type(self).__name__, {})
        allocation = _read_state(saved, checkpoint)
        if allocation is None or "args" not in saved:
            raise ValueError(
                f"the checkpoint must have the rank allocator's state, but got that of step "
                f"{state.global_step} without it; train from the start with this callback"
            )
        allocator = self._started_allocator()
        own = self._arguments() | {"max_steps": allocator.budget.total_steps}
        # Older checkpoints have no score_loss: it was total.
        expected = {"score_loss": "total"} | saved["args"] | {"max_steps": saved["total_steps"]}
        for name, value in own.items():
            if expected[name] != value:
                raise ValueError(
                    f"{name} must be that of the checkpoint, {name}={expected[name]}, but got "
                    f"{name}={value}; resume with the same settings, or train from the start"
                )
        allocator.load_state_dict(allocation)
        saved.pop("allocator", None)

    def _arguments(self) -> dict[str, Any]:
        return self._budget_arguments | self._allocator_arguments | {"gamma": self.gamma}

    def _started_allocator(self) -> RankAllocator:
        if self.allocator is None:
            raise RuntimeError(
                "on_train_begin must come before the first optimizer step, but got no such call; "
                "use the callback in a Trainer"
            )
        return self.allocator


def _adapters_of(model: nn.Module) -> dict[str, SVDLinear]:
    layers = adapted_layers(model)
    adapters = {name: layer for name, layer in layers.items() if isinstance(layer, SVDLinear)}
    if not adapters or len(adapters) < len(layers):
        kinds = sorted({type(layer).__name__ for layer in layers.values()})
        raise ValueError(
            "the model must have adapters of kind 'svd', but got "
            f"{', '.join(kinds) or 'none'}; call adapters.inject before making the Trainer"
        )
    return adapters


def _check_trained(adapters: Mapping[str, SVDLinear], optimizer: Any) -> None:
    kind = optimizer.accelerator_state.distributed_type
    if kind in SHARDED:
        raise ValueError(
            "every process must have complete adapters, but got sharded training "
            f"({kind.value}); use DistributedDataParallel"
        )
    trained = {id(weight) for group in optimizer.param_groups for weight in group["params"]}
    for name, layer in adapters.items():
        if any(id(weight) not in trained for weight in (layer.P, layer.lam, layer.Q)):
            raise ValueError(
                f"P, lam and Q of {name} must be in the optimizer, but got an optimizer without "
                "them; call inject before making the optimizer, and freeze none of them"
            )


def _warn_about_frozen_head(model: nn.Module) -> None:
    """Warns of a frozen head: `inject` freezes it, and a new one would stay random."""
    frozen = [
        name
        for name, weight in model.named_parameters()
        if HEAD.search(name) and not weight.requires_grad
    ]
    if frozen:
        warnings.warn(
            f"{frozen[0]} is frozen; if the head is new, call requires_grad_(True) on it after "
            "inject",
            stacklevel=2,
        )


def _schedule(
    total_steps: int, matrices: int, *, deltaT: Number, final_fraction: Number, **rest: Any
) -> CubicBudget:
    """Returns the budget of a run of `total_steps`; `deltaT` may be a fraction of T."""
    T = round((1 - final_fraction) * total_steps)
    interval = deltaT if isinstance(deltaT, int) else max(1, round(deltaT * T))
    budget = CubicBudget(
        total_steps,
        matrices=matrices,
        deltaT=interval,
        final_fraction=final_fraction,
        **rest,
    )
    if len(budget.events()) == 1:
        raise ValueError(
            f"a mask event must come before T={T} (of {total_steps} steps), but got none with "
            f"deltaT={interval} and warmup_steps={budget.warmup_steps}; lower deltaT (a fraction "
            "such as 0.05 is relative to T), or train longer"
        )
    return budget


# Files beside those of the Trainer


def _calling_trainer() -> tuple[Any, str | None]:
    """Returns the Trainer that called a callback, and the checkpoint it resumes from.

    transformers hands neither to its callbacks. (None, None) if no Trainer called it.
    """
    frame: Any = sys._getframe(1)
    while frame is not None:
        values = frame.f_locals
        if isinstance(values.get("self"), Trainer):
            checkpoint = values.get("resume_from_checkpoint")
            return values["self"], checkpoint if isinstance(checkpoint, str) else None
        frame = frame.f_back
    return None, None


def _write_state(folder: Path, state: Mapping[str, Any]) -> None:
    """Writes an allocator's state into a checkpoint's folder."""
    torch.save(dict(state), folder / STATE)


def _read_state(saved: Mapping[str, Any], folder: str | None) -> dict[str, Any] | None:
    """Returns the allocator's state of a checkpoint; None if it has none.

    Args:
        saved: The callback's entry in trainer_state.json; in older ones it has the state.
        folder: The checkpoint's folder.
    """
    source: Any = None if folder is None else Path(folder) / STATE
    if "allocator" in saved:
        source = io.BytesIO(base64.b64decode(saved["allocator"]))
    elif source is None or not source.exists():
        return None
    state: dict[str, Any] = torch.load(source, map_location="cpu", weights_only=True)
    return state


def _write_adapters_with(model: nn.Module) -> None:
    """Makes `model.save_pretrained`, which the Trainer calls, write an adapter folder as well."""
    original = getattr(model, "save_pretrained", None)
    if original is not None and not isinstance(original, functools.partial):
        model.save_pretrained = functools.partial(_save_both, model)  # type: ignore[assignment]


def _save_both(model: nn.Module, save_directory: Any, *args: Any, **kwargs: Any) -> Any:
    own_class: Any = type(model)
    result = own_class.save_pretrained(model, save_directory, *args, **kwargs)
    adapters = adapted_layers(model)
    if adapters and kwargs.get("is_main_process", True):
        base = getattr(model, "name_or_path", None) or None
        try:
            save_peft_adalora(model, save_directory, head=_trained(model), base_model=base)
        except ValueError as error:  # A checkpoint is possible where an adapter folder is not.
            warnings.warn(f"{save_directory} has no adapter folder: {error}", stacklevel=2)
    return result


def _trained(model: nn.Module) -> list[str]:
    """Returns the names of the modules, adapters excepted, with trained parameters."""
    own = {id(p) for m in adapted_layers(model).values() for p in m.parameters()}
    return [
        name
        for name, module in model.named_modules()
        if any(p.requires_grad and id(p) not in own for p in module.parameters(recurse=False))
    ]
