"""Rank allocation over a whole model: importance scores, budget and masks."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from numbers import Integral
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from adapters._shapes import Bool, Float, Number
from adapters.allocator.checks import GradientCheck, check_adapters, check_rates, check_state
from adapters.allocator.importance import Scores, flat_gradient, flat_weights, observe
from adapters.allocator.score_loss import penalty_share, task_gradient
from adapters.budget import CubicBudget
from adapters.checks import check_settings, require_choice, require_integers
from adapters.masking import EventRecord, MaskEvents, event_uniforms, flip, keep_top
from adapters.svd import SVDLinear

PruneMode = Literal["zero", "mask"]
FinalMask = Literal["stochastic", "deterministic"]
ScoreLoss = Literal["task", "total"]


class RankAllocator:
    """Prunes and re-introduces singular triplets during training (AdaLoRA+RS).

    Call `step` once per optimizer step, after `optimizer.step()` and before `zero_grad()`. It
    never synchronises with a GPU. With p = p_reintroduce = 0 the masks are those of AdaLoRA.

    Triplets are numbered over the whole model: by the matrix, in the order of `adapters`, then by
    the index in lam.

    Args:
        adapters: The adapted layers by name, each of rank `budget.b0`, on their final device.
        budget: Steps of the mask events, and the number of triplets after each.
        beta1: EMA factor of the sensitivity, in [0, 1).
        beta2: EMA factor of the uncertainty, in [0, 1).
        p: Probability that a mask event drops a triplet among the largest scores, in [0, 1].
        p_reintroduce: Probability that it keeps any other triplet, in [0, 1]; None means `p`.
        prune_mode: `zero` sets pruned singular values to 0; until T they train on, as in
            AdaLoRA's code. `mask` excludes them from the forward pass and from training; their
            values are restored bit for bit when a later event keeps the triplet.
        final_mask: `stochastic` applies the Bernoulli mask at T as well, `deterministic` does not.
        mask_seed: Seed of the Bernoulli masks, any integer.
        score_loss: The loss whose gradient the scores use. `task` is that of AdaLoRA+RS's paper:
            the part of `orthogonality` is taken out of the gradient. `total` leaves it in, as
            AdaLoRA's code does.

    Raises:
        ValueError: an argument is out of range, or adapters and budget do not match.

    Example:
        >>> model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
        >>> adapters = inject(model, ["0", "1"], 4, alpha=4, generator=torch.Generator())
        >>> budget = CubicBudget(10, b0=4, bT=1, matrices=2, deltaT=4)
        >>> allocator = RankAllocator(adapters, budget, beta1=0.85, beta2=0.85, p=0, mask_seed=0)
        >>> optimizer = torch.optim.AdamW([w for w in model.parameters() if w.requires_grad])
        >>> for _ in range(10):
        ...     model(torch.ones(1, 8)).sum().backward()
        ...     optimizer.step()
        ...     allocator.step()
        ...     optimizer.zero_grad()
        >>> [(event["t"], event["budget"], event["kept"]) for event in allocator.trace()]
        [(4, 3, 3), (8, 2, 2), (10, 2, 2)]
        >>> allocator.rank()
        2
    """

    def __init__(
        self,
        adapters: Mapping[str, SVDLinear],
        budget: CubicBudget,
        *,
        beta1: Number,
        beta2: Number,
        p: Number,
        p_reintroduce: Number | None = None,
        prune_mode: PruneMode = "zero",
        final_mask: FinalMask = "stochastic",
        mask_seed: int,
        score_loss: ScoreLoss = "task",
    ) -> None:
        self.budget = budget
        self.beta1, self.beta2, self.p = beta1, beta2, p
        self.p_reintroduce = p if p_reintroduce is None else p_reintroduce
        self.prune_mode, self.final_mask = prune_mode, final_mask
        self.mask_seed, self.score_loss = mask_seed, score_loss
        check_rates(beta1=beta1, beta2=beta2, p=p, p_reintroduce=self.p_reintroduce)
        require_integers(mask_seed=mask_seed)
        require_choice(get_args(PruneMode), prune_mode=prune_mode)
        require_choice(get_args(FinalMask), final_mask=final_mask)
        require_choice(get_args(ScoreLoss), score_loss=score_loss)
        check_adapters(adapters, budget)

        self.t = 0
        """Number of optimizer steps so far."""
        self.missing_gradients = 0
        """Number of times that a P, lam or Q had no gradient at a step before T."""
        self._modules = dict(adapters)
        self._lams: list[Tensor] = [module.lam for module in adapters.values()]
        self._scores = Scores(list(adapters.values()))
        device = self._lams[0].device
        self._keep = torch.ones(budget.triplets, dtype=torch.bool, device=device)
        self._stored = torch.zeros(budget.triplets, dtype=torch.float32, device=device)
        """Values of the pruned entries of lam: 0, or in mode `mask` those before the event."""
        self._record = EventRecord(budget, list(adapters), device)
        if prune_mode == "mask":
            self._set_masks(self._keep)
        self._gradients = GradientCheck(self._modules, budget)

    @torch.no_grad()
    def step(self, *, skipped: bool = False) -> None:
        """Updates the importance scores after an optimizer step; prunes at mask events.

        The scores of a weight without a gradient stay unchanged; it is counted in
        `missing_gradients`. A step with gradients that are not finite counts as a step, but
        changes no score.

        Args:
            skipped: True if the optimizer did not change the weights (a loss scaler skipped it).

        Raises:
            ValueError: the lam of an adapter has no gradient in the first step, as the model does
                not call the layer; or no weight had one since the last mask event, so that the
                scores would not tell the triplets apart. Nothing has changed.
        """
        self._gradients.check(self.t + 1, skipped=skipped)
        self.t += 1
        if self._must_reset_pruned():
            self._reset_pruned()
        if self.t <= self.budget.T and not skipped:
            self._observe()
        if self.budget.is_event(self.t):
            self._event()

    def scores(self) -> Float[Tensor, " n"]:
        """Returns the importance score S_i of every triplet after the last step before T."""
        return self._scores.triplets()

    def kept(self) -> Bool[Tensor, " n"]:
        """Returns which triplets the last mask event kept; all, before the first event."""
        return self._keep.clone()

    @torch.no_grad()
    def ranks(self) -> dict[str, int]:
        """Returns the number of non-zero singular values per adapter; synchronises."""
        return dict(zip(self._modules, self._rank_counts().tolist(), strict=True))

    def rank(self) -> int:
        """Returns the number of non-zero singular values of the model; synchronises."""
        return sum(self.ranks().values())

    @contextmanager
    def at_final_budget(self) -> Iterator[None]:
        """Prunes the model to the final budget within the context, and restores it afterwards.

        Before T, the model is as a mask event with the final budget and without a Bernoulli mask
        would leave it now: lam is masked to the n·bT triplets with the largest scores. As at such
        an event, a triplet that mode `mask` excludes now, but whose score is among them, has its
        stored value. From T on the context changes nothing, as the model has the final budget.
        """
        if self.t >= self.budget.T:
            yield
            return
        before = [module.mask for module in self._modules.values()]
        self._set_masks(keep_top(self.scores(), self.budget.matrices * self.budget.bT))
        try:
            yield
        finally:
            for module, mask in zip(self._modules.values(), before, strict=True):
                module.mask = mask

    def trace(self) -> list[dict[str, Any]]:
        """Returns one dict per mask event so far; synchronises.

        Keys: `t`, the step; `budget`, b(t); `kept`, triplets after the Bernoulli mask;
        `reintroduced`, triplets kept that are not among the top b(t); `dropped`, triplets of the
        top b(t) that are not kept; `ranks`, non-zero singular values per adapter;
        `penalty_share`, the part of the median score at the event's step that is due to the
        orthogonality penalty (in [0, 1], to three digits) if `score_loss` is `total`, and that
        would be if it is `task`; None if unknown.
        """
        return self._record.read(self.t)

    def mask_events(self) -> MaskEvents:
        """Returns which triplets every mask event so far kept, and scores; synchronises."""
        return self._record.mask_events(self.t)

    def settings(self) -> dict[str, Any]:
        """Returns the settings of a run: layers, scales, schedule, rates, modes, seed."""
        numbers = asdict(self.budget) | {
            name: getattr(self, name)
            for name in ("beta1", "beta2", "p", "p_reintroduce", "mask_seed")
        }
        return {
            "adapters": list(self._modules),
            "scales": [float(module.scale) for module in self._modules.values()],
            **{n: int(v) if isinstance(v, Integral) else float(v) for n, v in numbers.items()},
            "prune_mode": self.prune_mode,
            "final_mask": self.final_mask,
            "score_loss": self.score_loss,
        }

    def state_dict(self) -> dict[str, Any]:
        """Returns the state needed, with those of model and optimizer, for a bit-equal resume.

        The tensors are not copies: 8 bytes per entry of P, lam and Q, 1 per event and triplet.
        """
        return {
            "settings": self.settings(),
            "t": self.t,
            "missing_gradients": self.missing_gradients,
            "sensitivity": [group.sensitivity for group in self._scores.groups],
            "uncertainty": [group.uncertainty for group in self._scores.groups],
            "keep": self._keep,
            "stored": self._stored,
            **self._record.state(),
        }

    @torch.no_grad()
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Copies in the state of an allocator with the same adapters, budget and settings.

        Raises:
            ValueError: it has other settings, keys, shapes or steps. The allocator is unchanged.
        """
        own = self.state_dict()
        state = {"settings": {}, **self._record.unknown(), **state}
        # A version that did not save score_loss scored the total loss.
        check_settings(own["settings"], {"score_loss": "total", **state["settings"]})
        check_state(own, state)
        for key in ("sensitivity", "uncertainty"):
            for target, source in zip(own[key], state[key], strict=True):
                target.copy_(source)
        for key in ("keep", "stored", *self._record.state()):
            own[key].copy_(state[key])
        self.t = int(state["t"])
        self.missing_gradients = int(state["missing_gradients"])
        self._gradients.resume()
        if self.prune_mode == "mask":
            self._set_masks(self._keep)

    def _observe(self) -> None:
        groups, layers = self._scores.groups, self._scores.layers
        weights, gradient = flat_weights(groups), flat_gradient(groups)
        task = task_gradient(gradient, layers)
        if self.t < self.budget.T:
            scored = task if self.score_loss == "task" else gradient
            self.missing_gradients += observe(groups, self.beta1, self.beta2, scored, weights)
        if self.budget.is_event(self.t):
            share = penalty_share(weights, gradient, task, layers)
            self._record.shares[self.budget.event_number(self.t)] = share.nan_to_num(-1)

    # Mask events

    def _event(self) -> None:
        event, scores = self.budget.event_number(self.t), self.scores()
        top = keep_top(scores, self.budget.budget(self.t))
        self._keep = self._apply_bernoulli_mask(top, event)
        if self.prune_mode == "zero":
            self._reset_pruned()
        else:
            self._stored = torch.cat(self._lams)
            self._set_masks(self._keep)
        self._record.write(event, scores, top, self._keep, self._rank_counts())

    def _apply_bernoulli_mask(self, top: Tensor, event: int) -> Tensor:
        last = self.t == self.budget.T
        never = not self.p and not self.p_reintroduce
        if never or (last and self.final_mask == "deterministic"):
            return top
        uniforms = event_uniforms(self.mask_seed, event, self.budget.triplets)
        return flip(top, uniforms, self.p, self.p_reintroduce)

    def _rank_counts(self) -> Tensor:
        nonzero = torch.stack(self._lams) != 0
        if self.prune_mode == "mask":
            nonzero &= self._keep.view_as(nonzero)
        return nonzero.sum(-1)

    # Pruned values

    def _must_reset_pruned(self) -> bool:
        """Returns whether the optimizer's change to pruned values must be undone at step t."""
        if self.prune_mode == "zero":
            return self.t > self.budget.T
        return self.budget.event_number(self.t) > 0

    def _reset_pruned(self) -> None:
        lam = torch.where(self._keep, torch.cat(self._lams), self._stored)
        torch._foreach_copy_(self._lams, self._per_matrix(lam))

    def _set_masks(self, keep: Tensor) -> None:
        for module, mask in zip(self._modules.values(), self._per_matrix(keep), strict=True):
            module.mask = mask

    def _per_matrix(self, flat: Tensor) -> list[Tensor]:
        return list(torch.split(flat, self.budget.b0))
