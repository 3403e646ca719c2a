"""Data-parallel training in two processes: `python data_parallel.py FOLDER`.

Each process trains on half of every batch and saves its results as `rank0.pt` or `rank1.pt` in
the folder.
"""

import os
import socket
import sys
from pathlib import Path

import torch
import transformers
from torch import Tensor, distributed, nn
from torch.multiprocessing import start_processes
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel

from adapters import CubicBudget, RankAllocator, inject, orthogonality, penalty_backward
from tests.adapters.trainer.trainers import callback_of, make_trainer

WORLD, STEPS, ROWS, WIDTH = 2, 12, 8, 6
OPTIONS = ("", "gradient_as_bucket_view", "static_graph", "find_unused_parameters")
CASES = [("first", mode, option) for mode in ("zero", "mask") for option in OPTIONS]
CASES += [("last", "zero", option) for option in OPTIONS[2:]]
CASES += [("within", "zero", option) for option in OPTIONS[:3]]
"""When the gradient of the penalty is added (before, after or within the backward pass of the
loss), the prune mode, and an option of DDP.

If a layer may have no gradient, the penalty cannot be part of the loss: DDP refuses a weight that
only the penalty used.
"""


class Classifier(nn.Module):
    """Two layers, and a third that is applied to the chosen rows only."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.rare = (nn.Linear(WIDTH, WIDTH) for _ in range(3))
        self.score = nn.Linear(WIDTH, 2)

    def forward(self, x: Tensor, chosen: Tensor | None) -> Tensor:
        h = torch.tanh(self.first(x))
        if chosen is not None and chosen.any():
            h = torch.where(chosen[:, None], h + self.rare(h), h)
        return self.score(torch.tanh(self.second(h)))


def batch_of(step: int, rare: bool) -> tuple[Tensor, Tensor | None, Tensor]:
    """Returns the joint batch of a step: inputs, the rows for the rare layer, labels.

    The rows are the half of the first process in even steps, and none in odd steps.
    """
    generator = torch.Generator().manual_seed(step)
    x = torch.randn(ROWS, WIDTH, generator=generator)
    chosen = (torch.arange(ROWS) < ROWS // 2) & (step % 2 == 0)
    return x, chosen if rare else None, (x[:, 0] > x[:, 1]).long()


def train(penalty: str, prune_mode: str, option: str, rank: int | None = None) -> dict:
    """Trains on the joint batches, or on the part of a rank; returns masks and final weights."""
    torch.manual_seed(1)
    rare = option == "find_unused_parameters"
    model = Classifier()
    layers = ["first", "second", "rare"] if rare else ["first", "second"]
    adapters = inject(model, layers, 4, alpha=8, generator=torch.Generator().manual_seed(0))
    model.score.requires_grad_(True)
    budget = CubicBudget(STEPS, 4, 2, len(adapters), final_fraction=0.2, deltaT=3)
    rates = {"beta1": 0.8, "beta2": 0.8, "p": 0.2, "mask_seed": 5, "prune_mode": prune_mode}
    allocator = RankAllocator(adapters, budget, **rates)
    weights = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=0.02, weight_decay=0.1)
    wrapped, rows = model, slice(None)
    if rank is not None:
        wrapped = DistributedDataParallel(model, **({option: True} if option else {}))
        rows = slice(rank * ROWS // WORLD, (rank + 1) * ROWS // WORLD)
    kept = []
    for step in range(STEPS):
        x, chosen, labels = batch_of(step, rare)
        if penalty == "first":
            penalty_backward(0.3 * orthogonality(adapters), adapters)
        logits = wrapped(x[rows], None if chosen is None else chosen[rows])
        loss = F.cross_entropy(logits, labels[rows])
        if penalty == "within":
            loss = loss + 0.3 * orthogonality(adapters)
        loss.backward()
        if penalty == "last":
            penalty_backward(0.3 * orthogonality(adapters), adapters)
        optimizer.step()
        allocator.step()
        optimizer.zero_grad()
        kept.append(allocator.kept())
    return {
        "kept": kept,
        "state": {key: value.clone() for key, value in model.state_dict().items()},
        "trace": allocator.trace(),
        "missing": allocator.missing_gradients,
    }


def train_with_trainer(folder: Path) -> dict:
    """Trains with a Trainer, in all processes of the group, and resumes from the middle."""
    batch = 2 if distributed.is_initialized() else 2 * WORLD
    results = {}
    parts = {"whole": None, "resumed": str(folder / "checkpoint-6")}
    if transformers.__version__.startswith("5.17."):
        del parts["resumed"]  # It cannot load an optimizer on the CPU of a parallel training.
    for part, checkpoint in parts.items():
        callback = callback_of(prune_mode="mask")
        trainer = make_trainer(
            folder,
            callback,
            per_device_train_batch_size=batch,
            gradient_accumulation_steps=2,
            save_strategy="steps",
            save_steps=6,
        )
        trainer.train(resume_from_checkpoint=checkpoint)
        state = {key: value.clone() for key, value in trainer.model.state_dict().items()}
        results[part] = {"state": state, "trace": callback.allocator.trace()}
    return results


def run(rank: int, folder: Path) -> None:
    """Trains all cases and the Trainer as the process of a rank, and saves the results."""
    torch.set_num_threads(1)
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(WORLD), "LOCAL_RANK": str(rank)}
    os.environ |= {"MASTER_ADDR": "unused", "MASTER_PORT": "0"}
    loopback = next(name for _, name in socket.if_nameindex() if name.startswith("lo"))
    os.environ["GLOO_SOCKET_IFNAME"] = loopback
    store = f"file://{folder / 'store'}"
    distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=WORLD)
    results = {"cases": [train(*case, rank=rank) for case in CASES]}
    results["trainer"] = train_with_trainer(folder / "trainer")
    torch.save(results, folder / f"rank{rank}.pt")
    distributed.destroy_process_group()


if __name__ == "__main__":
    # Forked processes share one import of transformers, which takes longer than the trainings.
    method = "fork" if sys.platform == "linux" else "spawn"
    start_processes(run, (Path(sys.argv[1]),), WORLD, start_method=method)
