"""Backbones: which ones, what they are, their tokenizers, weights and classification heads.

families.py       what differs between model families, one entry each
presets.py        the paper's models by name: hub ids, sizes and licences
description.py    what a backbone's name means, in words
sizes.py          how many parameters head, adapters and model have, by arithmetic; quick
inspect.py        family, sizes and files of a backbone, from its config alone; quick
portable.py       a backbone on another machine: what travels, what is found there; quick
tokenization.py   DNA to token ids, by the tokenizer files of the backbone; quick
backbones.py      the weights, checked key by key (torch and transformers)
heads.py          which modules are the head, its classes, and drawing it anew
mosaicbert.py     DNABERT-2's architecture, which transformers lacks
gated_esm.py      Nucleotide Transformer v2's
opt_dna_mini/     the embedded backbone with its model card
pretraining/      how the embedded backbone was made

The names below load torch and transformers when first used, not before.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from study.models.backbones import Backbone, empty_backbone, load_backbone
    from study.models.description import Description, describe
    from study.models.heads import head_labels, head_modules, head_pattern, reset_head
    from study.models.info import BackboneInfo, inspect_backbone, sizes_of
    from study.models.sizes import Sizes
    from study.models.tokenization import token_lengths

__all__ = [
    "Backbone",
    "BackboneInfo",
    "Description",
    "Sizes",
    "describe",
    "empty_backbone",
    "head_labels",
    "head_modules",
    "head_pattern",
    "inspect_backbone",
    "load_backbone",
    "reset_head",
    "sizes_of",
    "token_lengths",
]

_HOMES = {
    "Backbone": "backbones",
    "BackboneInfo": "info",
    "Description": "description",
    "Sizes": "sizes",
    "describe": "description",
    "empty_backbone": "backbones",
    "head_labels": "heads",
    "head_modules": "heads",
    "head_pattern": "heads",
    "inspect_backbone": "info",
    "load_backbone": "backbones",
    "reset_head": "heads",
    "sizes_of": "info",
    "token_lengths": "tokenization",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
