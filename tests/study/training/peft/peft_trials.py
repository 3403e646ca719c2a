"""Tiny trials of method peft; every type of PEFT with arguments that fit the tiny backbones."""

from typing import Any

import torch

from study.models import Backbone
from study.spec import StudySpec
from study.training.trial import Trial
from tests.study.training.tiny_trials import CPU, tiny_backbone, tiny_task

ARGUMENTS: dict[str, dict[str, Any]] = {
    "ADALORA": {"init_r": 4, "target_r": 2, "deltaT": 2, "tfinal": 3},
    "C3A": {"block_size": 8},
    "FOURIERFT": {"n_frequency": 20},
    "MISS": {"r": 4},
    "PSOFT": {"r": 4},
    "ROAD": {"group_size": 8},
    "SHIRA": {"r": 2},
    "VBLORA": {"vector_length": 8, "num_vectors": 4},
    "WAVEFT": {"n_frequency": 20},
}
"""Arguments without which a type does not fit layers of width 16, or the steps."""

VARIANTS: dict[str, dict[str, Any]] = {
    "LoRA": {"peft_type": "LORA"},
    "rsLoRA": {"peft_type": "LORA", "use_rslora": True},
    "DoRA": {"peft_type": "LORA", "use_dora": True},
    "PiSSA": {"peft_type": "LORA", "init_lora_weights": "pissa", "r": 4},
    "OLoRA": {"peft_type": "LORA", "init_lora_weights": "olora", "use_rslora": True},
    "EVA": {"peft_type": "LORA", "init_lora_weights": "eva", "r": 2},
    "biases": {"peft_type": "LORA", "bias": "all", "r": 2},
    "AdaLoRA": {"peft_type": "ADALORA", **ARGUMENTS["ADALORA"]},
    "IA3": {"peft_type": "IA3", "matrices": ["k", "v", "f2"]},
    "norms": {"peft_type": "LN_TUNING"},
    "VeRA": {"peft_type": "VERA", "r": 8},
    "BOFT": {"peft_type": "BOFT"},
    "UniLoRA": {"peft_type": "UNILORA"},
}
"""Adapters that differ in how they are initialised, trained or stored."""


def peft_spec(adapter: dict[str, Any], **sections: dict[str, Any]) -> StudySpec:
    """Returns a spec of method peft: 12 steps of batch 4."""
    training = {"steps": 12, "batch_size": 4, "lr": 5e-3, "reports": 3}
    values = {"adapter": {"method": "peft", **adapter}, "training": training, **sections}
    return StudySpec.model_validate(values)


def peft_trial(
    adapter: dict[str, Any], on: Backbone | None = None, **sections: dict[str, Any]
) -> Trial:
    """Returns a trial of `peft_spec`, by default on a new OPT backbone."""
    return Trial(peft_spec(adapter, **sections), on or tiny_backbone(), tiny_task(), CPU)


def weights_of(backbone: Backbone) -> dict[str, torch.Tensor]:
    """Returns copies of all weights but the head's, by name."""
    return {
        name: weight.detach().clone()
        for name, weight in backbone.model.named_parameters()
        if not name.startswith(("score", "classifier", "bert.pooler"))
    }
