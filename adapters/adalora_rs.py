"""AdaLoraRS: one object that adapts a model, allocates ranks, and saves, merges or removes them.

It calls the parts of this package, which may also be used by themselves: inject, CubicBudget or
ParameterBudget, RankAllocator, orthogonality.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import torch
from torch import Tensor, nn

from adapters._shapes import Float, Number
from adapters.allocator import FinalMask, PruneMode, RankAllocator, ScoreLoss
from adapters.bases import widths
from adapters.budget import Budget, CubicBudget, ParameterBudget, check_events, interval
from adapters.checks import require, require_choice, require_integers, require_numbers
from adapters.head import Head
from adapters.inject import eject, inject, merge
from adapters.orthogonality import orthogonality, penalty_backward
from adapters.selection import target_layers, whole_names
from adapters.state import load_adapters, save_adapters
from adapters.svd import SVDLinear

if TYPE_CHECKING:
    from adapters.trainer_callback import RankAllocatorCallback

Unit = Literal["triplets", "parameters"]
ADAPTERS, HEAD = "adapters.safetensors", "head.safetensors"
ALLOCATOR, OPTIMIZER = "rank_allocator.pt", "optimizer.pt"
"""Files of a saved run."""


class AdaLoraRS:
    """AdaLoRA+RS for a model: adapters in its linear layers, and the allocation of their ranks.

    The adapters and the head train; all other parameters are frozen. Make the optimizer
    afterwards, of `parameters()`. `p=0` is AdaLoRA.

    Args:
        model: Changed in place.
        targets: `all-linear`: every linear layer outside the head. Or a list: of matrices (`q`,
            `k`, `v`, `o`, `f1`, `f2`) of a known family (see targets.py); or of layer names,
            their ends (`q_proj`), or regular expressions for whole names. Layers of the head are
            left out.
        b0: Triplets per layer at the start; or those of every layer, by name (0: not adapted).
        bT: Average triplets per layer at the end.
        total_steps: Number of optimizer steps of the training.
        unit: `triplets`; or `parameters`: b0 and bT are numbers of parameters of all adapters,
            in + out + 1 per triplet. All layers then start with the largest rank that b0 allows.
        deltaT: Steps between mask events: an int, or a fraction of T in (0, 1).
        final_fraction: Share of the steps after T, the last mask event, in [0, 1).
        warmup_steps: No mask event at or before this step.
        p: Probability that an event drops a triplet among the largest scores.
        p_reintroduce: Probability that it keeps any other triplet; None: `p`.
        beta1: EMA factor of the sensitivity.
        beta2: EMA factor of the uncertainty.
        prune_mode: See RankAllocator, and for `final_mask` and `score_loss`.
        gamma: Weight of the orthogonality penalty, at least 0.
        alpha: The update of a layer is multiplied by alpha / its rank at the start.
        dropout: Dropout probability of the updates' input.
        head: Names of the modules that train as a whole. None: those outside the backbone of a
            classifier of transformers (`score`, `classifier`); none for other models and for
            language models, whose output layer is not a head.
        seed: Of the initial P and Q, and of the Bernoulli masks.

    Raises:
        ValueError: an argument is out of range, or layers cannot be adapted. The model is
            unchanged.

    Example:
        >>> model = nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 2))
        >>> adalora = AdaLoraRS(model, ["0"], b0=4, bT=1, total_steps=20, p=0, head=["2"])
        >>> optimizer = torch.optim.AdamW(adalora.parameters(), lr=1e-2)
        >>> for _ in range(20):
        ...     (model(torch.ones(1, 8)).sum() + adalora.penalty()).backward()
        ...     optimizer.step()
        ...     adalora.step()
        ...     optimizer.zero_grad()
        >>> adalora.ranks()
        {'0': 1}
    """

    def __init__(
        self,
        model: nn.Module,
        targets: str | Sequence[str] = "all-linear",
        *,
        b0: int | Mapping[str, int],
        bT: int,
        total_steps: int,
        unit: Unit = "triplets",
        deltaT: Number = 0.05,
        final_fraction: Number = 0.25,
        warmup_steps: int = 0,
        p: Number = 0.05,
        p_reintroduce: Number | None = None,
        beta1: Number = 0.85,
        beta2: Number = 0.85,
        prune_mode: PruneMode = "zero",
        final_mask: FinalMask = "stochastic",
        score_loss: ScoreLoss = "task",
        gamma: Number = 0.1,
        alpha: Number = 32,
        dropout: Number = 0.0,
        head: Sequence[str] | None = None,
        seed: int = 0,
    ) -> None:
        require_choice(get_args(Unit), unit=unit)
        require_integers(seed=seed, total_steps=total_steps)
        require_numbers(gamma=gamma)
        require(gamma >= 0, "gamma >= 0", gamma=gamma)
        self.model, self.gamma = model, gamma
        self.head = Head(model, head)
        names = target_layers(model, targets, self.head.names)
        generator = torch.Generator().manual_seed(seed)
        rank = b0 if unit == "triplets" or isinstance(b0, Mapping) else _rank(model, names, b0)
        self.layers: dict[str, SVDLinear] = inject(
            model, whole_names(names), rank, alpha=alpha, dropout=dropout, generator=generator
        )
        try:
            steps = {
                "final_fraction": final_fraction,
                "warmup_steps": warmup_steps,
                "deltaT": interval(deltaT, total_steps, final_fraction),
            }
            budget = _budget(self.layers, unit, total_steps, bT, steps)
            check_events(budget)
            self.allocator = RankAllocator(
                self.layers,
                budget,
                beta1=beta1,
                beta2=beta2,
                p=p,
                p_reintroduce=p_reintroduce,
                prune_mode=prune_mode,
                final_mask=final_mask,
                mask_seed=seed,
                score_loss=score_loss,
            )
        except BaseException:
            eject(model)
            raise
        self.head.train()

    @property
    def budget(self) -> Budget:
        """The budget after each step, and the steps of the mask events."""
        return self.allocator.budget

    # Training

    def parameters(self) -> list[nn.Parameter]:
        """Returns the parameters that train: those of the adapters and of the head."""
        return [weight for weight in self.model.parameters() if weight.requires_grad]

    def penalty(self) -> Float[Tensor, ""]:
        """Returns gamma times the orthogonality penalty, to be added to the training loss."""
        return self.gamma * orthogonality(self.layers)

    def add_penalty(self, scaler: torch.amp.GradScaler | None = None) -> None:
        """Adds the penalty's gradient to `.grad`, in place of adding `penalty()` to the loss.

        Once per optimizer step: with gradient accumulation, a loss scaler, or data-parallel
        training.
        """
        if self.gamma:
            penalty = self.penalty()
            scaled = penalty if scaler is None else scaler.scale(penalty)
            penalty_backward(scaled, self.layers)

    def step(self, *, skipped: bool = False) -> None:
        """Updates scores and masks: after `optimizer.step()`, before `zero_grad()`."""
        self.allocator.step(skipped=skipped)

    def prune_now(self) -> None:
        """Prunes to bT now, for a run that ends before T."""
        self.allocator.prune_now()

    def shrink(self, optimizer: torch.optim.Optimizer | None = None) -> None:
        """Removes pruned triplets from the layers and an optimizer: see RankAllocator."""
        self.allocator.shrink(optimizer)

    def callback(self) -> "RankAllocatorCallback":
        """Returns the callback that trains this object's adapters in `transformers.Trainer`."""
        from adapters.trainer_callback import RankAllocatorCallback

        return RankAllocatorCallback.of(self.allocator, self.gamma)

    # State

    def trace(self) -> list[dict[str, Any]]:
        """Returns one dict per mask event so far: see RankAllocator."""
        return self.allocator.trace()

    def ranks(self) -> dict[str, int]:
        """Returns the number of non-zero singular values per layer."""
        return self.allocator.ranks()

    def save(self, folder: str | Path, optimizer: torch.optim.Optimizer | None = None) -> None:
        """Writes adapters, head, allocator and optimizer to a folder, for `load`.

        `load_adapters` reads the adapters' file alone, also into a model without adapters.
        """
        path = Path(folder)
        path.mkdir(parents=True, exist_ok=True)
        save_adapters(self.model, path / ADAPTERS, allocator=self.allocator)
        self.head.save(path / HEAD)
        torch.save(self.allocator.state_dict(), path / ALLOCATOR)
        if optimizer is not None:
            torch.save(optimizer.state_dict(), path / OPTIMIZER)

    def load(self, folder: str | Path, optimizer: torch.optim.Optimizer | None = None) -> None:
        """Continues a run that `save` wrote, bit for bit; the settings must be those of the run.

        If the run was shrunk, the adapters are shrunk as well.

        Raises:
            ValueError: a file is missing or damaged, or is of a run with other settings.
        """
        path = Path(folder)
        self.allocator.load_state_dict(_read(path / ALLOCATOR))
        load_adapters(self.model, path / ADAPTERS, allocator=self.allocator)
        self.head.load(path / HEAD)
        if optimizer is not None:
            optimizer.load_state_dict(_read(path / OPTIMIZER))

    # Evaluation and end

    @contextmanager
    def disabled(self) -> Iterator[None]:
        """Within the context the model computes what it did before it was adapted."""
        for layer in self.layers.values():
            layer.enabled = False
        try:
            with self.head.initial():
                yield
        finally:
            for layer in self.layers.values():
                layer.enabled = True

    def at_final_budget(self) -> AbstractContextManager[None]:
        """Within the context the model is pruned to bT: see RankAllocator."""
        return self.allocator.at_final_budget()

    def merge(self) -> nn.Module:
        """Adds the updates to the weights, and returns the model without adapters."""
        merge(self.model)
        return self.model

    def remove(self) -> nn.Module:
        """Restores the model as it was before, head included, and returns it."""
        eject(self.model)
        self.head.reset()
        return self.model


def _rank(model: nn.Module, names: Sequence[str], parameters: int) -> int:
    """Returns the largest rank of all layers for a number of parameters."""
    require_integers(b0=parameters)
    one = sum(sum(widths(model.get_submodule(name))) + 1 for name in names)
    if parameters < one:
        raise ValueError(
            f"b0 must be at least {one} parameters, one triplet in each of {len(names)} layers, "
            f"but got b0={parameters}; raise it, or adapt fewer layers"
        )
    return parameters // one


def _budget(
    layers: Mapping[str, SVDLinear], unit: Unit, total_steps: int, bT: int, steps: dict[str, Any]
) -> Budget:
    if unit == "parameters":
        return ParameterBudget.of(layers, total_steps, bT, **steps)
    ranks = tuple(layer.rank for layer in layers.values())
    b0 = ranks[0] if len(set(ranks)) == 1 else ranks
    return CubicBudget(total_steps, b0, bT, len(layers), **steps)


def _read(file: Path) -> dict[str, Any]:
    try:
        state: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise ValueError(
            f"{file}: the folder must have this file, but got none; give the folder that save() "
            "wrote, with the optimizer if one is loaded"
        ) from None
    except Exception as error:  # torch raises errors of many kinds for a damaged file.
        raise ValueError(f"{file}: must be as save() wrote it, but got {error}") from error
    return state
