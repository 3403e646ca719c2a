"""A convolutional network without pre-training, trained within a fixed budget, as a baseline.

The network, its settings and its seed are the same for every task. `study.run --space cnn.yaml`
tunes such a network; this one says what a study must exceed at least.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from study.models.architectures.cnn.model import CnnForSequenceClassification, fresh_cnn
from study.models.heads import reset_head
from study.tasks import Task
from study.tasks.metrics import classification_metrics
from study.tasks.split import Split

SIZES = {"width": 32, "depth": 2, "kernel_size": 11, "inner_kernel_size": 5, "head_dropout": 0.0}
LEARNING_RATE, WEIGHT_DECAY, WARMUP = 5e-3, 5e-3, 0.1
ROWS, BATCH_BASES = 32, 64_000
"""The most sequences and bases of a batch."""
PASSES, TRAINED_BASES = 10, 10_000_000
"""The most passes over train, and bases of all batches together."""
CHECKS, CHECKED_BASES = 10, 500_000
"""How often dev is scored to choose the weights, and the most bases of these rows."""
SCORED_BASES = 50_000_000
"""With more bases of dev and test together a study does not train the network."""
_PAD = 5
_CODES = np.full(256, 4, np.int64)
_CODES[np.frombuffer(b"ACGT", np.uint8)] = np.arange(4)


class Stopped(Exception):  # noqa: N818
    """`cnn` was asked to stop."""


@dataclass(frozen=True)
class _Plan:
    rows: int
    steps: int


def is_too_large(task: Task) -> bool:
    """Whether dev and test are too large to be scored beside a study."""
    return _bases(task.dev) + _bases(task.test) > SCORED_BASES


def cnn(task: Task, stopped: Callable[[], bool] = lambda: False) -> dict[str, float]:
    """Returns the scores on dev and test.

    AdamW with a linear warm-up and decay. The weights with the smallest loss on (a part of) dev
    are taken. A function of the task alone; uses one thread and explicit generators.

    Raises:
        Stopped: `stopped`, which is called before every batch, has returned True.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        model = _trained(task, stopped)
        return {
            f"{name}_{metric}": value
            for name, split in (("dev", task.dev), ("test", task.test))
            for metric, value in classification_metrics(
                _logits(model, split, stopped), np.asarray(split.labels)
            ).items()
        }
    finally:
        torch.set_num_threads(threads)


def _trained(task: Task, stopped: Callable[[], bool]) -> CnnForSequenceClassification:
    generator = torch.Generator().manual_seed(0)
    model = fresh_cnn(SIZES, task.num_labels, generator, torch.device("cpu"))
    reset_head(model, "cnn", generator)
    optimizer = torch.optim.AdamW(model.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    plan, labels = _plan(task.train), torch.tensor(task.train.labels)
    dev = _first(task.dev, CHECKED_BASES)
    least, best = float("inf"), model.state_dict()
    for step, rows in enumerate(_batches(len(task.train), plan), start=1):
        if stopped():
            raise Stopped
        warmup = WARMUP * plan.steps
        factor = min(step / warmup, (plan.steps - step + 1) / (plan.steps - warmup))
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * factor
        logits = model(_ids([task.train.sequences[row] for row in rows])).logits
        nn.functional.cross_entropy(logits, labels[rows]).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        if step * CHECKS // plan.steps > (step - 1) * CHECKS // plan.steps:
            loss = _loss(model, dev, stopped)
            if loss < least:
                least = loss
                best = {name: value.clone() for name, value in model.state_dict().items()}
    model.load_state_dict(best)
    return model


def _plan(train: Split) -> _Plan:
    """Returns the sequences of a batch, and the steps within the budget."""
    longest, mean = max(map(len, train.sequences)), _bases(train) / len(train)
    rows = max(1, min(ROWS, BATCH_BASES // max(1, longest)))
    read = min(PASSES * len(train), TRAINED_BASES / max(1.0, mean))
    return _Plan(rows, max(1, int(read / rows)))


def _batches(rows: int, plan: _Plan) -> Iterator[Int[np.ndarray, " batch"]]:
    """Yields the rows of every step, from one permutation after the other."""
    generator, left = np.random.default_rng(0), np.array([], dtype=np.int64)
    for _ in range(plan.steps):
        while len(left) < plan.rows:
            left = np.concatenate([left, generator.permutation(rows)])
        yield left[: plan.rows]
        left = left[plan.rows :]


def _first(split: Split, bases: int) -> Split:
    """Returns the first rows of a split, at least one, with at most so many bases."""
    total = np.cumsum([len(sequence) for sequence in split.sequences])
    count = max(1, int(np.searchsorted(total, bases, side="right")))
    return Split(split.sequences[:count], split.labels[:count])


def _loss(model: CnnForSequenceClassification, split: Split, stopped: Callable[[], bool]) -> float:
    logits = torch.from_numpy(_logits(model, split, stopped))
    return float(nn.functional.cross_entropy(logits, torch.tensor(split.labels)))


@torch.no_grad()
def _logits(
    model: CnnForSequenceClassification, split: Split, stopped: Callable[[], bool]
) -> Float[np.ndarray, "rows classes"]:
    rows, parts = _plan(split).rows, []
    for start in range(0, len(split), rows):
        if stopped():
            raise Stopped
        parts.append(model(_ids(split.sequences[start : start + rows])).logits)
    result: Float[np.ndarray, "rows classes"] = torch.cat(parts).numpy()
    return result


def _ids(sequences: list[str]) -> Int[Tensor, "batch length"]:
    ids = np.full((len(sequences), max(1, *map(len, sequences))), _PAD)
    for row, sequence in zip(ids, sequences, strict=True):
        row[: len(sequence)] = _CODES[np.frombuffer(sequence.encode("ascii"), np.uint8)]
    return torch.from_numpy(ids)


def _bases(split: Split) -> int:
    return sum(map(len, split.sequences))
