"""One training step of each compared method, on models of the same shape.

A step is forward, backward, clipping, fused AdamW and, for AdaLoRA and AdaLoRA+RS, the allocation.
Dropout in the adapters is off; dropout in the backbone is as configured.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import peft
import torch
from torch import Tensor, nn
from transformers import OPTConfig, OPTForSequenceClassification

from adapters import (
    CubicBudget,
    RankAllocator,
    inject,
    orthogonality,
    penalty_backward,
    target_patterns,
)

RANK, ALPHA, GAMMA, DELTA_T = 8, 16, 0.1, 100
BATCH, LENGTH = 8, 128
TOTAL_STEPS = 29_600  # the seed paper's longest run
PATTERN = r".*\.(q_proj|k_proj|v_proj|out_proj|fc1|fc2)"

SHAPES = {
    "opt-dna-mini": OPTConfig.from_json_file(
        Path(__file__).parents[2] / "study/models/opt_dna_mini/config.json"
    ),
    "OPT-125M, 4 layers": OPTConfig(num_hidden_layers=4),
    "OPT-125M": OPTConfig(),
}
BRIEF = ("opt-dna-mini", "OPT-125M, 4 layers")
"""Shapes small enough for many steps."""


@dataclass
class Arm:
    """A method's training step; `allocate` is the step of its rank allocator.

    `penalise` adds the gradient of a penalty that the loss does not contain.
    """

    loss: Callable[[dict[str, Tensor]], Tensor]
    parameters: list[nn.Parameter]
    allocate: Callable[[], None] | None = None
    penalise: Callable[[], None] | None = None

    def __post_init__(self) -> None:
        self.optimizer = torch.optim.AdamW(self.parameters, lr=1e-4, fused=True)
        self.allocation_seconds: list[float] = []

    def step(self, batch: dict[str, Tensor]) -> None:
        """Runs one step and records the seconds of the allocation."""
        self.loss(batch).backward()
        if self.penalise is not None:
            self.penalise()
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        if self.allocate is not None:
            started = time.perf_counter()
            self.allocate()
            self.allocation_seconds.append(time.perf_counter() - started)
        self.optimizer.zero_grad()


def backbone(shape: str) -> OPTForSequenceClassification:
    """Returns a model with random weights, on which times do not depend."""
    torch.manual_seed(0)
    return OPTForSequenceClassification(SHAPES[shape])


def batch(shape: str) -> dict[str, Tensor]:
    """Returns 8 random sequences of 128 tokens."""
    generator = torch.Generator().manual_seed(0)
    return {
        "input_ids": torch.randint(
            4, SHAPES[shape].vocab_size, (BATCH, LENGTH), generator=generator
        ),
        "attention_mask": torch.ones(BATCH, LENGTH, dtype=torch.long),
        "labels": torch.randint(0, 2, (BATCH,), generator=generator),
    }


def _trainable(model: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def adalora_rs(shape: str, deltaT: int = DELTA_T) -> Arm:
    """Returns AdaLoRA+RS: scores at every step, a mask event every `deltaT`, orthogonality on."""
    model = backbone(shape)
    adapters = inject(
        model, target_patterns("opt"), RANK, alpha=ALPHA, generator=torch.Generator()
    )
    model.score.requires_grad_(True)
    budget = CubicBudget(TOTAL_STEPS, RANK, RANK // 2, len(adapters), deltaT=deltaT)
    allocator = RankAllocator(adapters, budget, beta1=0.85, beta2=0.85, p=0.1, mask_seed=0)
    return Arm(
        lambda batch: model(**batch).loss,
        _trainable(model),
        allocator.step,
        lambda: penalty_backward(GAMMA * orthogonality(adapters), adapters),
    )


def lora(shape: str) -> Arm:
    """Returns this project's LoRA."""
    model = backbone(shape)
    inject(
        model,
        target_patterns("opt"),
        RANK,
        alpha=ALPHA,
        kind="lora",
        generator=torch.Generator(),
    )
    model.score.requires_grad_(True)
    return Arm(lambda batch: model(**batch).loss, _trainable(model))


def peft_lora(shape: str) -> Arm:
    """Returns PEFT's LoRA at the same rank."""
    config = peft.LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=PATTERN, task_type="SEQ_CLS")
    model = peft.get_peft_model(backbone(shape), config)
    return Arm(lambda batch: model(**batch).loss, _trainable(model))


def peft_adalora(shape: str, deltaT: int = DELTA_T) -> Arm:
    """Returns PEFT's AdaLoRA with the same schedule; its loss includes the orthogonality."""
    config = peft.AdaLoraConfig(
        init_r=RANK,
        target_r=RANK // 2,
        lora_alpha=ALPHA,
        target_modules=PATTERN,
        task_type="SEQ_CLS",
        total_step=TOTAL_STEPS,
        deltaT=deltaT,
        orth_reg_weight=GAMMA,
    )
    model = peft.get_peft_model(backbone(shape), config)
    steps = iter(range(1, TOTAL_STEPS))
    return Arm(
        lambda batch: model(**batch).loss,
        _trainable(model),
        lambda: model.base_model.update_and_allocate(next(steps)),
    )


ARMS: dict[str, Callable[[str], Arm]] = {
    "PEFT LoRA": peft_lora,
    "AdaLoRA+RS": adalora_rs,
    "PEFT AdaLoRA": peft_adalora,
    "LoRA": lora,
}
