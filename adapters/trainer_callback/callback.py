"""The callback, and the budget of a Trainer's run."""

import os
import sys
import warnings
from pathlib import Path
from typing import Any

from transformers import Trainer
from transformers.trainer_callback import ExportableState, TrainerCallback
from typing_extensions import override

from adapters._shapes import Number
from adapters.allocator import FinalMask, PruneMode, RankAllocator, ScoreLoss
from adapters.budget import CubicBudget, check_events, interval
from adapters.orthogonality import orthogonality, penalty_backward
from adapters.svd import SVDLinear
from adapters.trainer_callback.checks import adapters_of, check_trained, warn_about_frozen_head
from adapters.trainer_callback.files import read_state, write_adapters_with, write_state

LOGGED = ("budget", "kept", "reintroduced", "dropped", "penalty_share")
"""What is logged of a mask event, in addition to `step` and `rank`."""


class RankAllocatorCallback(TrainerCallback, ExportableState):  # type: ignore[misc]
    """Runs a RankAllocator inside `transformers.Trainer`, for a model adapted by `inject`.

    Gradient accumulation, mixed precision, DDP, evaluation and resuming from a checkpoint need no
    further change; a resumed run is bit-equal to an uninterrupted one. Sharded training (FSDP,
    DeepSpeed) is refused. The attribute `allocator` is None until training begins.

    A checkpoint loads into a model with the same adapters injected. A checkpoint from before step
    T, which `load_best_model_at_end` may select, is not pruned to bT; a warning at the end of the
    training reports it.

    Args:
        b0: Triplets per matrix at the start: the rank given to `inject`. None: whatever ranks
            the layers have, also unequal ones.
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
        b0: int | None = None,
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
        interval(deltaT, 1, 0)
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
        self._given: RankAllocator | None = None
        self._adapters: dict[str, SVDLinear] = {}
        self._penalty_added = False
        self._trainer: Any = None

    @classmethod
    def of(cls, allocator: RankAllocator, gamma: Number) -> "RankAllocatorCallback":
        """Returns a callback that uses an allocator, such as that of AdaLoraRS."""
        known = allocator.settings()
        budget = ("bT", "deltaT", "final_fraction", "warmup_steps")
        rates = ("beta1", "beta2", "p", "p_reintroduce", "mask_seed")
        modes = ("prune_mode", "final_mask", "score_loss")
        settings = {name: known[name] for name in (*budget, *rates, *modes)}
        callback = cls(gamma=gamma, **settings)
        callback._budget_arguments["b0"] = known.get("b0", known.get("ranks"))
        callback._given = allocator
        return callback

    # Events of the Trainer

    @override
    def on_init_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Raises ValueError if the model has no adapters of kind `svd`.

        From here on the Trainer's files of the model include an adapter folder.
        """
        adapters_of(kwargs["model"])
        write_adapters_with(kwargs["model"])

    @override
    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Makes the budget and the allocator, and loads the allocator's state when resuming."""
        self._adapters = adapters_of(kwargs["model"])
        check_trained(self._adapters, kwargs["optimizer"])
        warn_about_frozen_head(kwargs["model"])
        self.allocator = self._given or self._allocator(state.max_steps)
        if self.allocator.budget.total_steps != state.max_steps:
            raise ValueError(
                f"total_steps must be the Trainer's {state.max_steps} steps, but got "
                f"total_steps={self.allocator.budget.total_steps}; make AdaLoraRS with the former"
            )
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
        trainer = self._trainer  # A hyperparameter search has a folder per trial.
        runs = args.output_dir if trainer is None else trainer._get_output_dir(trainer._trial)
        folder = Path(runs) / f"checkpoint-{state.global_step}"
        if state.is_world_process_zero and folder.is_dir():
            write_state(folder, self._started_allocator().state_dict())

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

    def _allocator(self, total_steps: int) -> RankAllocator:
        """Returns the allocator of a run; `deltaT` may be a fraction of T."""
        known = dict(self._budget_arguments)
        if known["b0"] is None:
            known["b0"] = tuple(layer.rank for layer in self._adapters.values())
        known["deltaT"] = interval(known["deltaT"], total_steps, known["final_fraction"])
        budget = CubicBudget(total_steps, matrices=len(self._adapters), **known)
        check_events(budget)
        return RankAllocator(self._adapters, budget, **self._allocator_arguments)

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
        allocation = read_state(saved, checkpoint)
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


def _calling_trainer() -> tuple[Any, str | None]:
    """Returns the Trainer that called a callback, and the checkpoint it resumes from.

    transformers hands neither to its callbacks. (None, None) if no Trainer called it.
    """
    frame: Any = sys._getframe(1)
    while frame is not None:
        values = frame.f_locals
        if isinstance(values.get("self"), Trainer):
            checkpoint = values.get("resume_from_checkpoint")
            named = isinstance(checkpoint, str | os.PathLike)
            return values["self"], os.fspath(checkpoint) if named else None
        frame = frame.f_back
    return None, None
