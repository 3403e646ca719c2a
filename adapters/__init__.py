"""AdaLoRA+RS for any torch model: low-rank adapters whose rank is allocated as they train.

Map, in the order of use:

    targets.py        which layers q, k, v, o, f1, f2 are in the OPT, BERT and ESM families
    inject.py         put adapters into a model, take them out, fold them into plain weights
    svd.py            the adapted layer: a frozen linear layer + P diag(lam) Q; LoRA's beside it
    orthogonality.py  the penalty that keeps P and Q orthonormal
    budget.py         how many triplets the model may keep after each step (pure arithmetic)
    importance.py     how much the loss depends on each triplet
    masking.py        the budget's choice, then chance: the only randomness while training
    allocator.py      RankAllocator: the three above over a model, one call per optimizer step
    state.py          the adapters' weights alone, in safetensors
    peft_format.py    trained adapters as the LoRA and AdaLoRA folders that PEFT loads
    peft_import.py    and such folders as adapters
    counting.py       how many parameters train
    trainer_callback.py   RankAllocatorCallback: all of it inside transformers.Trainer

    here     shape                   what it is                      PEFT's name
    P        (*lanes, out, rank)     left singular vectors           lora_B
    lam      (*lanes, rank)          singular values                 lora_E
    Q        (*lanes, rank, in)      right singular vectors          lora_A
    triplet  P[:, i], lam[i], Q[i]   what is kept or pruned as one
    b0, bT   int                     triplets per matrix, start/end  init_r, target_r
    T        int                     step of the last mask event     total_step - tfinal
    lanes                            leading dimensions, one trial each; none for a single trial

Only torch is needed; the callback loads transformers when first used. Papers: AdaLoRA, arXiv
2303.10512; AdaLoRA+RS, Zhan & Zhang 2023.
"""

from typing import TYPE_CHECKING, Any

from adapters.allocator import RankAllocator
from adapters.budget import CubicBudget
from adapters.counting import ParameterCount, count_parameters
from adapters.inject import adapted_layers, eject, inject, merge
from adapters.orthogonality import orthogonality, penalty_backward
from adapters.peft_format import save_peft_adalora, save_peft_lora
from adapters.peft_import import load_peft
from adapters.state import adapter_state, load_adapter_state, load_adapters, save_adapters
from adapters.svd import AdaptedLinear, LoRALinear, SVDLinear
from adapters.targets import FAMILIES, MATRICES, expected_matches, target_patterns

if TYPE_CHECKING:
    from adapters.trainer_callback import RankAllocatorCallback

__all__ = [
    "FAMILIES",
    "MATRICES",
    "AdaptedLinear",
    "CubicBudget",
    "LoRALinear",
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
