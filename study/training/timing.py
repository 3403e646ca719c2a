"""Times a few steps and a part of an evaluation of one trial, and its peak memory.

All times are wall-clock seconds of this process.
"""

import time
from dataclasses import dataclass, replace

import numpy as np
import torch

from study.models import Backbone
from study.spec import StudySpec
from study.training.encoding import EncodedSplit, EncodedTask, select
from study.training.memory import peak_memory_gib
from study.training.trial import Trial

TINY = 1e-9
WARM_UP = 2
"""Steps before the clock starts: buffers are allocated and kernels chosen in them."""
SECONDS = 6.0
"""Steps are timed for so long."""
FEWEST, MOST = 6, 200
"""Steps that are timed at least and at most, if the trial has so many."""
BATCHES = 3
"""Evaluation batches that are timed, if the split has so many."""


@dataclass(frozen=True)
class Timing:
    """What one trial costs."""

    setup: float
    """Seconds before the first step: adapters, optimizer."""
    step: float
    """Seconds of an optimizer step, on average."""
    dev: float
    """Seconds of an evaluation on dev."""
    test: float
    """Seconds of an evaluation on test."""
    memory: float
    """Peak memory in GiB: of the GPU, or of the process on the CPU."""


def time_trial(
    spec: StudySpec, backbone: Backbone, data: EncodedTask, device: torch.device
) -> Timing:
    """Trains a trial for a few steps, evaluates it on a part of dev, and closes it.

    Raises:
        RuntimeError: of torch, if there is too little memory.
    """
    # The cost is independent of the learning rate, and with a tiny one no trial diverges.
    training = spec.training.model_copy(update={"lr": TINY})
    started = time.perf_counter()
    trial = Trial(spec.model_copy(update={"training": training}), backbone, data, device)
    setup = time.perf_counter() - started
    try:
        step = _step_seconds(trial)
        second = _token_seconds(trial, data.dev)
        return Timing(
            setup=setup,
            step=step,
            dev=second * _tokens(data.dev),
            test=second * _tokens(data.test),
            memory=peak_memory_gib(device),
        )
    finally:
        trial.close()


def mean_timing(timings: list[Timing]) -> Timing:
    """Returns the mean of timings of the same trial, and the largest memory."""
    means = {
        name: float(np.mean([getattr(one, name) for one in timings]))
        for name in ("setup", "step", "dev", "test")
    }
    return replace(timings[0], **means, memory=max(one.memory for one in timings))


def _step_seconds(trial: Trial) -> float:
    total = trial.plan.total_steps
    warm_up = min(WARM_UP, total - 1)
    trial.train_until(warm_up)
    _synchronise(trial.device)
    started = time.perf_counter()
    while trial.step < total and trial.step - warm_up < MOST:
        trial.train_until(trial.step + 1)
        if trial.step - warm_up >= FEWEST and time.perf_counter() - started > SECONDS:
            break
    _synchronise(trial.device)
    return (time.perf_counter() - started) / (trial.step - warm_up)


def _token_seconds(trial: Trial, split: EncodedSplit) -> float:
    """Returns the seconds of an evaluation for each token of the split.

    Rows of all lengths are taken, the longest among them, which decide the peak memory.
    """
    rows = min(len(split), BATCHES * trial.spec.training.eval_batch_size)
    order = np.argsort(-split.lengths, kind="stable")
    part = select(split, order[np.arange(rows) * len(split) // rows])
    _synchronise(trial.device)
    started = time.perf_counter()
    trial.evaluate(part)
    return (time.perf_counter() - started) / _tokens(part)


def _tokens(split: EncodedSplit) -> int:
    other = split.reverse_complement
    return len(split.tokens) + (0 if other is None else len(other.tokens))


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
