"""The presets against the published sizes of their models, on the meta device."""

from importlib import import_module
from typing import Any

import pytest
import torch

from adapters import FAMILIES as ADAPTED
from study.errors import InputError
from study.models.families import FAMILIES
from study.models.inspect import inspect_backbone
from study.models.presets import PRESETS

_OPT = {"vocab_size": 50272, "max_position_embeddings": 2048}
_NT = {
    "vocab_size": 4105,
    "max_position_embeddings": 1002,
    "pad_token_id": 1,
    "mask_token_id": 2,
    "tie_word_embeddings": False,
    "emb_layer_norm_before": False,
}
_NT_V2 = _NT | {
    "vocab_size": 4107,
    "max_position_embeddings": 2050,
    "position_embedding_type": "rotary",
}


def _sizes(layers: int, width: int, heads: int, inner: int, opt: bool = False) -> dict[str, Any]:
    inner_name = "ffn_dim" if opt else "intermediate_size"
    return {
        "num_hidden_layers": layers,
        "hidden_size": width,
        "num_attention_heads": heads,
        inner_name: inner,
    }


CONFIGS: dict[str, dict[str, Any]] = {
    "opt-125m": _OPT | _sizes(12, 768, 12, 3072, opt=True) | {"word_embed_proj_dim": 768},
    "opt-350m": _OPT
    | _sizes(24, 1024, 16, 4096, opt=True)
    | {"word_embed_proj_dim": 512, "do_layer_norm_before": False},
    **{f"dnabert-{k}": {"vocab_size": 4**k + 5} for k in (3, 4, 5, 6)},
    "dnabert-2": {"vocab_size": 4096},
    **{f"nt-500m-{text}": _NT | _sizes(24, 1280, 20, 5120) for text in ("human-ref", "1000g")},
    **{
        f"nt-2.5b-{text}": _NT | _sizes(32, 2560, 20, 10240) for text in ("1000g", "multi-species")
    },
    "nt-v2-50m-multi-species": _NT_V2 | _sizes(12, 512, 16, 2048),
    "nt-v2-100m-multi-species": _NT_V2 | _sizes(22, 512, 16, 2048),
    "nt-v2-250m-multi-species": _NT_V2 | _sizes(24, 768, 16, 3072),
    "nt-v2-500m-multi-species": _NT_V2 | _sizes(29, 1024, 16, 4096),
}


def test_every_preset_has_a_published_config_here() -> None:
    assert set(CONFIGS) == set(PRESETS)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_has_its_published_number_of_parameters(name: str) -> None:
    module, kind = FAMILIES[PRESETS[name].family].classifier.split(":")
    model_class = getattr(import_module(module), kind)
    with torch.device("meta"):
        model = model_class(model_class.config_class(num_labels=2, **CONFIGS[name]))
    assert sum(p.numel() for p in model.parameters()) == PRESETS[name].parameters


def test_every_family_has_layer_names_in_adapters() -> None:
    assert set(FAMILIES) == set(ADAPTED)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("opt-125", "opt-125m"), ("dnabert2", "dnabert-2"), ("opt_350m", "opt-350m")],
)
def test_an_unknown_preset_is_refused_with_the_nearest_name(typed: str, meant: str) -> None:
    with pytest.raises(InputError, match=f"did you mean {meant}"):
        inspect_backbone(typed)
