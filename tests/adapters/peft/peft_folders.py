"""Helpers for the tests of PEFT's formats: trained models, logits, edits of a folder."""

import copy
import functools
import json
from pathlib import Path

import peft
import torch

from adapters import CubicBudget, save_peft_adalora, save_peft_lora
from tests.adapters.tiny_models import Run, tiny_batch, tiny_model

FAMILIES = ("opt", "bert", "esm")
SAVES = {"LORA": save_peft_lora, "ADALORA": save_peft_adalora}
WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"
Q_PROJ = "model.decoder.layers.0.self_attn.q_proj"


@torch.no_grad()
def logits(model):
    batch = {key: value for key, value in tiny_batch(99).items() if key != "labels"}
    return model.eval()(**batch).logits


def assert_same(left, right):
    torch.testing.assert_close(left, right, rtol=0, atol=1e-5)


def logits_by_peft(folder, family="opt"):
    return logits(peft.PeftModel.from_pretrained(tiny_model(family), folder))


def trained(family="opt", mode="zero"):
    """Returns a run after T, with 4 triplets per matrix of which about 2 are kept."""
    return copy.deepcopy(_trained(family, mode))


@functools.cache
def _trained(family, mode):
    budget = CubicBudget(16, 4, 2, 12, final_fraction=0.25, deltaT=3)
    return Run(budget, family=family, prune_mode=mode).steps(16)


def perturb(model, scale=0.3):
    """Adds noise to the trainable parameters, in place of a training."""
    generator = torch.Generator().manual_seed(4)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data += scale * torch.randn(parameter.shape, generator=generator)


def edit_config(folder, **changes):
    path = Path(folder) / CONFIG
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
