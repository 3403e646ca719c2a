"""The pre-training loop: a function of settings and text, also when it is resumed."""

import json
import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt16
from tokenizers import Tokenizer
from torch import nn

from study.errors import InputError
from study.models.pretraining import decoder
from study.models.pretraining.corpus import Corpus
from study.models.pretraining.packing import packed_rows


@dataclass(frozen=True)
class Settings:
    """The settings of the optimization. A step trains on `batch_size` rows of `positions` ids.

    The learning rate rises linearly over `warmup` steps, stays at `lr`, and falls along a half
    cosine to lr / 20 over the last `decay` (a fraction) of the steps.
    """

    steps: int = 8000
    batch_size: int = 16
    lr: float = 2e-3
    warmup: int = 200
    decay: float = 0.9
    weight_decay: float = 0.05
    max_grad_norm: float = 1.0
    precision: str = "bf16"
    evaluate_every: int = 250
    seed: int = 0


@dataclass(frozen=True)
class LoopProgress:
    """The progress after `step` steps; `bits_per_base` is None if it was not measured."""

    step: int
    loss: float
    lr: float
    seconds: float
    bits_per_base: float | None = None


def learning_rate(settings: Settings, step: int) -> float:
    """Returns the learning rate of step 1, 2, ..., settings.steps."""
    rise = min(1.0, step / max(1, settings.warmup))
    length = settings.decay * settings.steps
    passed = step - (settings.steps - length)
    if passed <= 0:
        return settings.lr * rise
    fall = 0.5 * (1 + math.cos(math.pi * passed / length))
    return settings.lr * rise * (0.05 + 0.95 * fall)


class PretrainingLoop:
    """Model, optimizer and position in the text: the contents of a checkpoint."""

    def __init__(self, settings: Settings, shape: decoder.Shape) -> None:
        self.settings, self.shape = settings, shape
        self.step = 0
        self.number, self.row = 0, 0  # The pass over the text, and its first row not yet used.
        self.model = decoder.build_decoder(shape, settings.seed)
        matrices = [p for p in self.model.parameters() if p.ndim > 1]
        vectors = [p for p in self.model.parameters() if p.ndim < 2]
        self.optimizer = torch.optim.AdamW(
            [
                {"params": matrices, "weight_decay": settings.weight_decay},
                {"params": vectors, "weight_decay": 0.0},
            ],
            betas=(0.9, 0.98),
            fused=True,
        )

    def save(self, path: Path) -> None:
        """Writes a checkpoint to `path`, atomically."""
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
        state = {
            "place": [self.step, self.number, self.row],
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        torch.save(state, temporary)
        temporary.replace(path)

    def load(self, path: Path) -> None:
        """Continues from a checkpoint of the same settings; only tensors are unpickled."""
        state = torch.load(path, weights_only=True)
        self.step, self.number, self.row = state["place"]
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])

    def batches(
        self, lines: list[str], tokenizer: Tokenizer
    ) -> Iterator[UInt16[np.ndarray, "b l"]]:
        """Yields the batches from the current position on, without end; updates it first."""
        size = self.settings.batch_size
        while True:
            rows = packed_rows(
                lines, tokenizer, self.shape.positions, seed=self.settings.seed, number=self.number
            )
            if len(rows) < size:
                raise InputError(
                    f"--batch-size: must be at most {len(rows)}, the rows of the text, but got "
                    f"{size}; lower it, or give more text"
                )
            while self.row + size <= len(rows):
                self.row += size
                yield rows[self.row - size : self.row]
            self.number, self.row = self.number + 1, 0

    def train_step(self, rows: UInt16[np.ndarray, "b l"]) -> tuple[float, float]:
        """Makes an optimizer step; returns the loss in nats per token and the learning rate."""
        tokens = torch.from_numpy(rows.astype(np.int64))
        rate = learning_rate(self.settings, self.step + 1)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        with torch.autocast("cpu", torch.bfloat16, enabled=self.settings.precision == "bf16"):
            loss = decoder.next_token_loss(self.model, tokens)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.max_grad_norm)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.step += 1
        return loss.item(), rate


def train(
    loop: PretrainingLoop,
    corpus: Corpus,
    tokenizer: Tokenizer,
    folder: Path,
    report: Callable[[LoopProgress], None],
    stop: Callable[[], bool],
) -> bool:
    """Trains to the last step, or until `stop()` is true; returns whether the end was reached.

    Every `evaluate_every` steps, and at the end, the bits per base of the held-out sequences are
    appended to curve.jsonl, and checkpoint.pt and the weights are written to `folder`.
    """
    start, first = time.monotonic(), loop.step
    batches = loop.batches(corpus.train, tokenizer)
    while loop.step < loop.settings.steps and not stop():
        loss, rate = loop.train_step(next(batches))
        at_end = loop.step == loop.settings.steps
        bits = None
        if at_end or loop.step % loop.settings.evaluate_every == 0:
            bits = decoder.bits_per_base(loop.model, tokenizer, corpus.held_out)
            loop.save(folder / "checkpoint.pt")
            decoder.export(loop.model, folder)
        progress = LoopProgress(loop.step, loss, rate, time.monotonic() - start, bits)
        if bits is not None:
            _append(folder / "curve.jsonl", progress)
        report(progress)
    if first < loop.step < loop.settings.steps:
        loop.save(folder / "checkpoint.pt")
    return loop.step >= loop.settings.steps


def _append(path: Path, progress: LoopProgress) -> None:
    with path.open("a") as handle:
        handle.write(json.dumps(asdict(progress)) + "\n")
