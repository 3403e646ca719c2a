"""A training step has few kernels, compared with PEFT's LoRA; views are not counted."""

import functools

import peft
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from adapters import (
    CubicBudget,
    RankAllocator,
    inject,
    orthogonality,
    penalty_backward,
    target_patterns,
)
from tests.adapters.tiny_models import tiny_batch, tiny_opt

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated")

PATTERN = r".*\.(q_proj|k_proj|v_proj|out_proj|fc1|fc2)"
RANK, LAYERS = 4, 4  # 24 adapted matrices
NO_KERNEL = {"empty", "empty_like", "_unsafe_view", "_record_function_enter_new"}
PRECISIONS = ["fp32", "bf16", "autocast"]


class Kernels(TorchDispatchMode):
    """Counts the operations that are neither views nor allocations."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        results = func._schema.returns
        is_view = any(r.alias_info is not None and not r.alias_info.is_write for r in results)
        name = func._schema.name.partition("::")[2]
        self.count += not is_view and name not in NO_KERNEL
        return func(*args, **(kwargs or {}))


def kernels(make, precision, steps):
    """Returns the largest count of a training step after the first, which makes AdamW's state."""
    model = tiny_opt(LAYERS, dtype=torch.bfloat16 if precision == "bf16" else torch.float32)
    model, finish, allocate = make(model)
    weights = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=1e-3, fused=True)
    counts = []
    for step in range(steps):
        batch = tiny_batch(step)
        with Kernels() as counted:
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == "autocast"):
                loss = model(**batch).loss
            loss.backward()
            finish()
            torch.nn.utils.clip_grad_norm_(weights, 1.0)
            optimizer.step()
            allocate()
        optimizer.zero_grad()
        counts.append(counted.count)
    return max(counts[1:])


def nothing():
    """Is the penalty and the allocation of LoRA."""


def pefts_lora(model):
    config = peft.LoraConfig(r=RANK, lora_alpha=8, target_modules=PATTERN, task_type="SEQ_CLS")
    return peft.get_peft_model(model, config), nothing, nothing


@functools.cache
def limit(precision):
    return kernels(pefts_lora, precision, 2)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_lora_has_no_more_kernels_than_that_of_peft(precision):
    def lora(model):
        generator = torch.Generator().manual_seed(0)
        inject(model, target_patterns("opt"), RANK, alpha=8, kind="lora", generator=generator)
        model.score.requires_grad_(True)
        return model, nothing, nothing

    assert kernels(lora, precision, 2) <= limit(precision)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_adalora_rs_has_at_most_half_as_many_again_at_mask_events_too(precision):
    traces = []

    def adalora_rs(model):
        generator = torch.Generator().manual_seed(0)
        adapters = inject(model, target_patterns("opt"), RANK, alpha=8, generator=generator)
        model.score.requires_grad_(True)
        budget = CubicBudget(6, RANK, 2, len(adapters), deltaT=2)
        allocator = RankAllocator(adapters, budget, beta1=0.8, beta2=0.8, p=0.1, mask_seed=0)
        traces.append(allocator.trace)
        return (
            model,
            lambda: penalty_backward(0.1 * orthogonality(adapters), adapters),
            allocator.step,
        )

    assert kernels(adalora_rs, precision, 4) <= 1.5 * limit(precision)
    assert [event["t"] for event in traces[0]()] == [2, 4]
