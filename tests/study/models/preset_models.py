"""Models of the presets on the meta device, built from the sizes of their entries."""

from importlib import import_module
from typing import Any

import torch
import transformers

from study.models.families import FAMILIES
from study.models.sizes import Sizes

_ESM = {
    "pad_token_id": 1,
    "mask_token_id": 2,
    "tie_word_embeddings": False,
    "emb_layer_norm_before": False,
}
# Only the shape of ESM's contact head depends on the number of attention heads.
_HEADS = {"esm": 20, "gated_esm": 16, "llama": 32}


def _settings(sizes: Sizes) -> dict[str, Any]:
    """Returns the settings of the family's config that not all families have."""
    if sizes.family == "opt":
        return {
            "ffn_dim": sizes.feed_forward_size,
            "word_embed_proj_dim": sizes.embedding_size,
            "do_layer_norm_before": sizes.embedding_size == sizes.hidden_size,  # not OPT-350M
            "max_position_embeddings": sizes.max_positions,
        }
    settings: dict[str, Any] = {"intermediate_size": sizes.feed_forward_size}
    if sizes.family == "llama":
        assert sizes.query_size is not None
        assert sizes.key_size is not None
        width = sizes.query_size // _HEADS["llama"]
        settings |= {"head_dim": width, "num_key_value_heads": sizes.key_size // width}
    if sizes.max_positions is not None:
        esm = sizes.family.endswith("esm")  # counts positions from pad_token_id + 1
        settings["max_position_embeddings"] = sizes.max_positions + (2 if esm else 0)
    if sizes.family.endswith("esm"):
        settings |= _ESM
    if sizes.family == "gated_esm":
        settings["position_embedding_type"] = "rotary"
    return settings


def model_of(sizes: Sizes, num_labels: int) -> transformers.PreTrainedModel:
    """Returns the sequence classifier of these sizes on the meta device."""
    module, name = FAMILIES[sizes.family].classifier.split(":")
    kind = getattr(import_module(module), name)
    config = kind.config_class(
        num_labels=num_labels,
        vocab_size=sizes.vocab_size,
        hidden_size=sizes.hidden_size,
        num_hidden_layers=sizes.layers,
        num_attention_heads=_HEADS.get(sizes.family, 4),
        **_settings(sizes),
    )
    with torch.device("meta"):
        model: transformers.PreTrainedModel = kind(config)
    return model
