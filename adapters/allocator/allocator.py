"""Rank allocation over a whole model: importance scores, budget and masks."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple, get_args

import torch
from torch import Tensor

from adapters._shapes import Bool, Float, Number
from adapters.allocator.checks import GradientCheck, check_adapters, check_rates
from adapters.allocator.importance import Scores, flat_gradient, flat_weights, observe
from adapters.allocator.pruning import PruneMode, Pruning
from adapters.allocator.score_loss import penalty_share, task_gradient
from adapters.allocator.state import AllocatorState
from adapters.budget import Budget
from adapters.checks import require_choice, require_integers
from adapters.masking import EventRecord, MaskEvents, event_uniforms, flip, keep_top
from adapters.svd import SVDLinear

FinalMask = Literal["stochastic", "deterministic"]
ScoreLoss = Literal["task", "total"]


class UpcomingEvent(NamedTuple):
    """A mask event that is about to be applied."""

    number: int
    """0 for the first one."""
    top: Bool[Tensor, " n"]
    """The triplets with the largest scores, as many as the budget allows."""
    keep: Bool[Tensor, " n"]
    """Those that the event keeps, after the Bernoulli mask."""


class RankAllocator(AllocatorState):
    """Prunes and re-introduces singular triplets during training (AdaLoRA+RS).

    Call `step` once per optimizer step, after `optimizer.step()` and before `zero_grad()`. It
    never synchronises with a GPU. With p = p_reintroduce = 0 the masks are those of AdaLoRA.

    Triplets are numbered over the whole model: by the matrix, in the order of `adapters`, then by
    the index in lam.

    Args:
        adapters: The adapted layers by name, with the budget's ranks, on their final device.
        budget: Steps of the mask events, and the number of triplets or parameters after each.
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
        budget: Budget,
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

        self.t = self.pruned_at = self.missing_gradients = 0
        self._modules = dict(adapters)
        layers = list(adapters.values())
        self._scores = Scores(layers)
        self._pruning = Pruning(layers, prune_mode)
        device = layers[0].lam.device
        self._costs = _per_triplet(budget, device)
        self._record = EventRecord(budget, list(adapters), device)
        self._gradients = GradientCheck(self._modules, budget)
        self.before_event: Callable[[UpcomingEvent], None] = lambda event: None
        """Is called at every mask event before its mask is applied; must not change the model."""

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
        if not self.pruned_at:
            self._gradients.check(self.t + 1, skipped=skipped)
        self.t += 1
        if self._must_reset_pruned():
            self._pruning.reset()
        if self.pruned_at:
            return
        if self.t <= self.budget.T and not skipped:
            self._observe()
        if self.budget.is_event(self.t):
            self._event()

    @torch.no_grad()
    def prune_now(self) -> None:
        """Prunes to the final budget now, for a run that ends before T; synchronises.

        Keeps the triplets with the largest scores, without a Bernoulli mask. This is the last
        mask event: further steps hold its mask. From T on this method changes nothing.

        Raises:
            ValueError: no step had a gradient, so that there are no scores.
        """
        if self.is_final:
            return
        scores = self.scores()
        if not scores.any():
            raise ValueError(
                f"prune_now must follow a step with gradients, but got none in {self.t} steps; "
                "train first"
            )
        top = self._top(scores, self.budget.end)
        self._pruning.apply(top)
        self.pruned_at = self.t
        last = len(self.budget.events()) - 1
        self._record.write(last, scores, top, top, self._pruning.rank_counts())

    @torch.no_grad()
    def shrink(self, optimizer: torch.optim.Optimizer | None = None) -> None:
        """Removes the pruned triplets from P, lam and Q; the model computes the same function.

        From T on, or after `prune_now`. A layer may have rank 0 afterwards. The parameters are
        the same objects with fewer entries, and the optimizer continues with them. Training that
        continues has no part of the removed vectors in the orthogonality penalty. Wrap the model
        in DistributedDataParallel afterwards, not before.

        Args:
            optimizer: The optimizer of the adapters; its averages are cut as the weights are.

        Raises:
            ValueError: it is before T, or the optimizer has a state that is not per entry
                (Adafactor). Nothing has changed.
        """
        if not self.is_final:
            raise ValueError(
                f"shrink must come at T={self.budget.T} or later, but got step {self.t}; call "
                "prune_now() first if the run ends here"
            )
        if not self._pruning.shrunk:
            scores = self.scores()
            self._pruning.shrink(optimizer)
            self._record.scores[-1] = scores
            self._scores.release()

    @property
    def is_final(self) -> bool:
        """Whether the last mask event is over: it is T or later, or `prune_now` was called."""
        return bool(self.pruned_at) or self.t >= self.budget.T

    def scores(self) -> Float[Tensor, " n"]:
        """Returns the importance score S_i of every triplet after the last step before T."""
        return self._record.scores[-1] if self._pruning.shrunk else self._scores.triplets()

    def kept(self) -> Bool[Tensor, " n"]:
        """Returns which triplets the last mask event kept; all, before the first event."""
        return self._pruning.keep.clone()

    @torch.no_grad()
    def ranks(self) -> dict[str, int]:
        """Returns the number of non-zero singular values per adapter; synchronises."""
        return dict(zip(self._modules, self._pruning.rank_counts().tolist(), strict=True))

    def rank(self) -> int:
        """Returns the number of non-zero singular values of the model; synchronises."""
        return sum(self.ranks().values())

    @contextmanager
    def at_final_budget(self) -> Iterator[None]:
        """Prunes the model to the final budget within the context, and restores it afterwards.

        Before T, the model is as a mask event with the final budget and without a Bernoulli mask
        would leave it now: lam is masked to the triplets with the largest scores. As at such an
        event, a triplet that mode `mask` excludes now, but whose score is among them, has its
        stored value. From T on the context changes nothing, as the model has the final budget.
        """
        if self.is_final:
            yield
            return
        with self._pruning.only(self._top(self.scores(), self.budget.end)):
            yield

    def other_mask(self, event: UpcomingEvent, seed: int) -> Bool[Tensor, " n"]:
        """Returns the triplets that an event would keep with another seed of its mask."""
        uniforms = event_uniforms(seed, event.number, self.budget.triplets)
        return flip(event.top, uniforms, self.p, self.p_reintroduce)

    @contextmanager
    def keeping(self, keep: Bool[Tensor, " n"]) -> Iterator[None]:
        """Excludes all triplets but `keep` from the forward pass within the context.

        In `before_event` the model is then as the event would leave it with this mask.
        """
        with self._pruning.only(keep):
            yield

    def trace(self) -> list[dict[str, Any]]:
        """Returns one dict per mask event so far; synchronises.

        Keys: `t`, the step; `budget`, b(t); `kept`, triplets after the Bernoulli mask;
        `reintroduced`, triplets kept that are not among the top b(t); `dropped`, triplets of the
        top b(t) that are not kept; `ranks`, non-zero singular values per adapter;
        `penalty_share`, the part of the median score at the event's step that is due to the
        orthogonality penalty (in [0, 1], to three digits) if `score_loss` is `total`, and that
        would be if it is `task`; None if unknown.
        """
        return self._record.read(self.t, self.pruned_at)

    def mask_events(self) -> MaskEvents:
        """Returns which triplets every mask event so far kept, and scores; synchronises."""
        return self._record.mask_events(self.t, self.pruned_at)

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

    def _event(self) -> None:
        event, scores = self.budget.event_number(self.t), self.scores()
        top = self._top(scores, self.budget.budget(self.t))
        keep = self._apply_bernoulli_mask(top, event)
        self.before_event(UpcomingEvent(event, top, keep))
        self._pruning.apply(keep)
        self._record.write(event, scores, top, keep, self._pruning.rank_counts())

    def _top(self, scores: Tensor, budget: int) -> Tensor:
        return keep_top(scores, budget, self._costs)

    def _apply_bernoulli_mask(self, top: Tensor, event: int) -> Tensor:
        last = self.t == self.budget.T
        never = not self.p and not self.p_reintroduce
        if never or (last and self.final_mask == "deterministic"):
            return top
        uniforms = event_uniforms(self.mask_seed, event, self.budget.triplets)
        return flip(top, uniforms, self.p, self.p_reintroduce)

    def _must_reset_pruned(self) -> bool:
        """Returns whether the optimizer's change to pruned values must be undone at step t."""
        if self.pruned_at:
            return True
        if self.prune_mode == "zero":
            return self.t > self.budget.T
        return self.budget.event_number(self.t) > 0


def _per_triplet(budget: Budget, device: torch.device) -> Tensor | None:
    """Returns what every triplet takes of the budget; None if all take 1."""
    if budget.costs is None:
        return None
    ranks = torch.tensor(budget.ranks, device="cpu")
    return torch.tensor(budget.costs, device="cpu").repeat_interleave(ranks).to(device)
