"""EVA: initial weights of PEFT's LoRA from the inputs of the layers in training batches.

Paischer et al. 2024, arXiv 2410.07170.
"""

from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

import torch
from torch import Tensor

from study.errors import InputError
from study.spec import PeftSpec, StudySpec

EVA_STEPS = 128
"""The batches of so many training steps are read."""
MOST_PASSES = 1000
"""Batches, of which these are repeated, after which the components must have converged."""


def needs_batches(spec: StudySpec) -> bool:
    """Returns whether a spec is initialised from data."""
    adapter = spec.adapter
    return isinstance(adapter, PeftSpec) and adapter.arguments.get("init_lora_weights") == "eva"


def is_eva(config: Any) -> bool:
    """Returns whether a config of PEFT is initialised from data."""
    return getattr(config, "init_lora_weights", None) == "eva"


def initialise_eva(wrapped: Any, batches: Sequence[Mapping[str, Tensor]]) -> None:
    """Sets the initial weights, and the rank of every layer; the batches are repeated.

    The config becomes that of a LoRA with these ranks, as it is loaded without data.

    Raises:
        InputError: the components do not converge, as with fewer tokens in a batch than ranks.
    """
    from peft import initialize_lora_eva_weights

    passes, weight = 0, next(wrapped.parameters())

    def forward(model: Any, inputs: Mapping[str, Tensor]) -> Any:
        nonlocal passes
        passes += 1
        if passes > MOST_PASSES:
            config = wrapped.active_peft_config
            raise InputError(
                f"adapter.init_lora_weights: eva must converge within {MOST_PASSES} batches, but "
                f"got no end with r={config.r} and rho={config.eva_config.rho}; lower r or rho, "
                "or raise training.batch_size"
            )
        with torch.autocast(weight.device.type, weight.dtype, weight.dtype != torch.float32):
            return model(**inputs)

    with redirect_stdout(StringIO()):  # PEFT prints a line for every batch with too few tokens.
        initialize_lora_eva_weights(
            wrapped,
            list(batches),
            forward_fn=forward,
            prepare_model_inputs_fn=lambda inputs, config: _tokens(inputs, wrapped),
            prepare_layer_inputs_fn=_of_tokens,
            show_progress_bar=False,
        )
    wrapped.active_peft_config.init_lora_weights = True
    wrapped.active_peft_config.eva_config = None


def _tokens(inputs: Mapping[str, Tensor], wrapped: Any) -> Tensor:
    """Returns which positions are tokens and no padding: booleans (batch, length)."""
    mask = inputs.get("attention_mask")
    if mask is None:  # A causal model needs none.
        mask = inputs["input_ids"] != wrapped.get_base_model().config.pad_token_id
    return mask.bool()


def _of_tokens(given: Any, tokens: Tensor, layer: str) -> Tensor:
    """Returns the inputs (tokens, width) of a layer without those of padding.

    A layer may get the positions of a batch as rows, and in some classes without padding.
    """
    inputs: Tensor = given if isinstance(given, Tensor) else given[0]
    rows = inputs.reshape(-1, inputs.shape[-1])
    return rows if len(rows) == int(tokens.sum()) else rows[tokens.flatten()]
