"""Counts the bytes that a rank allocator needs beyond LoRA of equal rank; prints a table.

    python tests/benchmarks/bench_memory.py

LoRA needs its weights, their gradients and AdamW's two moments. What AdaLoRA adds to that: two
averages of the sensitivity, one number each per adapter weight (PEFT also keeps the sensitivity
itself), and the singular values with their gradients and moments, the mask and the trace.
"""
# ruff: noqa: T201

from collections.abc import Iterable

from arms import SHAPES, TOTAL_STEPS, adalora_rs, batch, peft_adalora, peft_lora
from torch import Tensor

COPIES = 4  # a weight, its gradient, its two moments


def main() -> None:
    """Prints one table row per model shape and method."""
    print(f"{TOTAL_STEPS} steps in the schedule, one mask event every 100\n")
    print(
        "| model | method | LoRA, KiB | averages, KiB | all else, KiB | beyond LoRA / averages |"
    )
    print("|---|---|---|---|---|---|")
    for shape in SHAPES:
        lora = COPIES * size(peft_lora(shape).parameters)
        for name, make, averages in (
            ("AdaLoRA+RS", adalora_rs, ours),
            ("PEFT AdaLoRA", peft_adalora, pefts),
        ):
            arm = make(shape)
            arm.step(batch(shape))
            kept, other = averages(arm.allocate)
            extra = COPIES * size(arm.parameters) - lora + other
            share = (kept + extra) / kept
            cells = [shape, name, *(f"{n / 1024:,.0f}" for n in (lora, kept, extra))]
            print("| " + " | ".join([*cells, f"{share:.3f}"]) + " |", flush=True)


def ours(step) -> tuple[int, int]:
    """Bytes of the averages, and of the allocator's other tensors."""
    state = step.__self__.state_dict()
    averages = size(state["sensitivity"]) + size(state["uncertainty"])
    return averages, size(state[key] for key in ("keep", "stored", "trace"))


def pefts(step) -> tuple[int, int]:
    """The same of PEFT's allocator."""
    allocator = step.__closure__[0].cell_contents.base_model.rankallocator
    averages = size(allocator.exp_avg_ipt.values()) + size(allocator.exp_avg_unc.values())
    return averages, size(allocator.ipt.values())


def size(tensors: Iterable[Tensor]) -> int:
    """Bytes."""
    return sum(tensor.nbytes for tensor in tensors)


if __name__ == "__main__":
    main()
