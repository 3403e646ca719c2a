"""AdaLoRA+RS for torch models: low-rank adapters whose ranks are allocated during training.

    adalora_rs.py        AdaLoraRS: one object for all of the following
    head.py              modules that train as a whole beside the adapters
    targets.py           layer names of q, k, v, o, f1, f2 in the known model families
    selection.py         which layers are adapted, and the rank of each
    bases.py             kinds of layers that can be adapted: linear, Conv1D, quantised
    checks.py            arguments and layers that are refused
    inject.py            adds adapters to a model, removes them, merges them into the weights
    svd.py               adapted linear layers: SVDLinear (AdaLoRA) and LoRALinear (LoRA)
    orthogonality.py     orthogonality penalty on P and Q, and its gradient
    budget.py            CubicBudget, ParameterBudget: triplets or parameters after each step
    masking.py           choice of the triplets that an event keeps, by score and at random; record
    allocator/           RankAllocator: importance scores, budget and masks of a whole model
    state.py             adapter weights as a dict of tensors and as a safetensors file
    peft_files/          the LoRA and AdaLoRA formats of Hugging Face's PEFT
    counting.py          numbers of trainable parameters
    trainer_callback/    RankAllocatorCallback: the allocator inside transformers.Trainer
    _shapes.py           jaxtyping's shape annotations, where jaxtyping is installed

    name     shape                   meaning                          PEFT's name
    P        (*lanes, out, rank)     left singular vectors            lora_B
    lam      (*lanes, rank)          singular values                  lora_E
    Q        (*lanes, rank, in)      right singular vectors           lora_A
    triplet  P[:, i], lam[i], Q[i]   unit that is kept or pruned
    b0, bT   int                     triplets per matrix, start/end   init_r, target_r
    T        int                     step of the last mask event      total_step - tfinal
    lanes                            leading dimensions, one trial each; none for a single trial

README.md is the guide. Only torch is required; safetensors is imported by the functions that
read and write files, transformers by RankAllocatorCallback. The examples in the docstrings run
after `import torch`, `from torch import nn` and `from adapters import *`.

AdaLoRA: Zhang et al. 2023, arXiv 2303.10512. AdaLoRA+RS: Zhan & Zhang 2023.
"""

from typing import TYPE_CHECKING, Any

from adapters.adalora_rs import AdaLoraRS
from adapters.allocator import RankAllocator
from adapters.budget import CubicBudget, ParameterBudget
from adapters.counting import ParameterCount, count_parameters
from adapters.inject import adapted_layers, eject, inject, merge
from adapters.orthogonality import orthogonality, penalty_backward
from adapters.peft_files import load_peft, save_peft_adalora, save_peft_lora
from adapters.state import adapter_state, load_adapter_state, load_adapters, save_adapters
from adapters.svd import AdaptedLinear, LoRALinear, SVDLinear
from adapters.targets import FAMILIES, MATRICES, expected_matches, target_patterns

if TYPE_CHECKING:
    from adapters.trainer_callback import RankAllocatorCallback

__all__ = [
    "FAMILIES",
    "MATRICES",
    "AdaLoraRS",
    "AdaptedLinear",
    "CubicBudget",
    "LoRALinear",
    "ParameterBudget",
    "ParameterCount",
    "RankAllocator",
    "RankAllocatorCallback",
    "SVDLinear",
    "adapted_layers",
    "adapter_state",
    "count_parameters",
    "eject",
    "expected_matches",
    "inject",
    "load_adapter_state",
    "load_adapters",
    "load_peft",
    "merge",
    "orthogonality",
    "penalty_backward",
    "save_adapters",
    "save_peft_adalora",
    "save_peft_lora",
    "target_patterns",
]


def __getattr__(name: str) -> Any:
    if name != "RankAllocatorCallback":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from adapters.trainer_callback import RankAllocatorCallback

    return RankAllocatorCallback
