"""The memory of all processes of a study on this machine."""

from dataclasses import dataclass

import torch

from study.engine.estimate.calibration import Calibration
from study.training.memory import peak_memory_gib

RAY = 0.55
"""GiB of Ray's own processes, and of libraries that the driver imports later."""
SPREAD = 0.06
"""A worker that has run many trials keeps a little more, or less, than was measured."""


@dataclass(frozen=True)
class Memory:
    """Peak memory in GiB."""

    worker: float
    """Of the dearest trial: of its GPU, or of its process on the CPU."""
    low: float
    high: float
    total: float | None
    """Of all workers, the driver and Ray; None on a GPU."""


def memory(measured: Calibration, concurrent: int, device: torch.device) -> Memory:
    """Returns the memory of `concurrent` workers with the dearest trials."""
    worker = max(point.timing.memory for point in measured.points)
    total = None
    if device.type == "cpu":
        total = concurrent * worker + peak_memory_gib(device) + RAY
    return Memory(worker, (1 - SPREAD) * worker, (1 + SPREAD) * worker, total)
