"""Memory of a training step against PEFT, counted and measured; prints two tables.

    python -m tests.benchmarks.bench_memory

Counted: the bytes that a rank allocator needs beyond LoRA of equal rank. LoRA needs its weights,
their gradients and AdamW's two moments. AdaLoRA adds two averages of the sensitivity, each with
one number per adapter weight (PEFT also keeps the sensitivity itself), and the singular values
with their gradients and moments, the mask and the trace.

Measured: the peak of 3 steps in float32, including a mask event, on a model of the shape of
OPT-125M with all 12 layers. The peak is the high-water mark of the resident set less the resident
set before the first step. The mark never falls, so each method runs in a separate process. Only
Linux separates the mark of a process from that of its parent.
"""
# ruff: noqa: T201

import warnings
from collections.abc import Iterable
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import torch
from torch import Tensor

from tests.benchmarks.arms import (
    BRIEF,
    TOTAL_STEPS,
    adalora_rs,
    batch,
    lora,
    peft_adalora,
    peft_lora,
)

COPIES = 4  # a weight, its gradient, its two moments
MEASURED = {
    "AdaLoRA+RS": partial(adalora_rs, deltaT=2),
    "PEFT AdaLoRA": partial(peft_adalora, deltaT=2),
    "LoRA": lora,
    "PEFT LoRA": peft_lora,
}


def main() -> None:
    """Prints both tables."""
    warnings.simplefilter("ignore")
    count()
    print("\n| OPT-125M, 8 x 128 tokens | peak beyond the model, MiB | AdaLoRA+RS / this |")
    print("|---|---|---|")
    with get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        peaks = dict(zip(MEASURED, pool.map(peak, MEASURED, chunksize=1), strict=True))
    for name, rise in peaks.items():
        print(f"| {name} | {rise:,.0f} | {peaks['AdaLoRA+RS'] / rise:.3f} |")


def peak(name: str, shape: str = "OPT-125M", steps: int = 3) -> float:
    """Returns the peak MiB of a method's steps beyond the memory of its model."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    arm, data = MEASURED[name](shape), batch(shape)
    before = resident("VmRSS")
    for _ in range(steps):
        arm.step(data)
    return resident("VmHWM") - before


def resident(what: str) -> float:
    """Returns the MiB of this process's resident set: `VmRSS` now, `VmHWM` at its peak."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(what)).split()[1]) / 1024


def count() -> None:
    """Prints one row for each model shape and method."""
    print(f"{TOTAL_STEPS} steps in the schedule, one mask event every 100\n")
    print("| model | method | LoRA, KiB | averages, KiB | other, KiB | beyond LoRA / averages |")
    print("|---|---|---|---|---|---|")
    for shape in BRIEF:
        bare = COPIES * size(peft_lora(shape).parameters)
        for name, make, averages in (
            ("AdaLoRA+RS", adalora_rs, ours),
            ("PEFT AdaLoRA", peft_adalora, pefts),
        ):
            arm = make(shape)
            arm.step(batch(shape))
            kept, other = averages(arm.allocate)
            extra = COPIES * size(arm.parameters) - bare + other
            share = (kept + extra) / kept
            cells = [shape, name, *(f"{n / 1024:,.0f}" for n in (bare, kept, extra))]
            print("| " + " | ".join([*cells, f"{share:.3f}"]) + " |", flush=True)


def ours(step) -> tuple[int, int]:
    """Returns the bytes of the averages and of the other tensors of our allocator."""
    state = step.__self__.state_dict()
    averages = size(state["sensitivity"]) + size(state["uncertainty"])
    return averages, size(state[key] for key in ("keep", "stored", "trace"))


def pefts(step) -> tuple[int, int]:
    """Returns the bytes of the averages and of the other tensors of PEFT's allocator."""
    allocator = step.__closure__[0].cell_contents.base_model.rankallocator
    averages = size(allocator.exp_avg_ipt.values()) + size(allocator.exp_avg_unc.values())
    return averages, size(allocator.ipt.values())


def size(tensors: Iterable[Tensor]) -> int:
    """Returns the bytes of all tensors."""
    return sum(tensor.nbytes for tensor in tensors)


if __name__ == "__main__":
    main()
