"""Backbones: pretrained models, their tokenizers and their classification heads.

Map:

    families.py      the model families: class, head, marks in config.json; one entry each
    presets.py       the paper's models by name: hub id, sizes, licence
    sizes.py         parameter counts by arithmetic
    files.py         files of a hub model: from the cache, or downloaded
    folders.py       whether a local folder is a model, or what else it is
    config_file.py   the values of config.json, each checked when it is used
    damage.py        one-line errors for files that a library cannot read
    info.py          BackboneInfo: family, sizes and special tokens, from config.json
    portable.py      a BackboneInfo that another process or machine can use
    tokenization.py  DNA sequences -> token ids
    exported_tokenizer.py  tokenizer files of an exported model, for AutoTokenizer
    description.py   backbone.name -> Description: source, class, targets, licence
    names.py         names of weights in a checkpoint -> names in the class
    weights.py       the weight files -> tensors, or one line about what they are instead
    backbones.py     Backbone: model and tokenizer; the weights are checked key by key
    check.py         a backbone, loaded once and tried in the driver
    pooling.py      what the head reads: the first token, the last one, or the mean
    heads.py         modules, number of classes and initial weights of the head
    architectures/   model classes that transformers lacks
    pretraining/     how the embedded backbone was trained
    opt_dna_mini/    the embedded backbone: weights, tokenizer, model card

weights.py, backbones.py, check.py, exported_tokenizer.py, pooling.py, heads.py, architectures/ and
parts of pretraining/ import torch or transformers; the other modules do not. The names below are
imported when they are first used.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from study.models.backbones import Backbone, empty_backbone, load_backbone
    from study.models.check import check_backbone
    from study.models.description import Description, describe
    from study.models.heads import head_labels, head_modules, head_pattern, reset_head
    from study.models.info import BackboneInfo, inspect_backbone, sizes_of
    from study.models.pooling import Pooling
    from study.models.sizes import Sizes
    from study.models.tokenization import token_lengths

__all__ = [
    "Backbone",
    "BackboneInfo",
    "Description",
    "Pooling",
    "Sizes",
    "check_backbone",
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
    "Pooling": "pooling",
    "Sizes": "sizes",
    "check_backbone": "check",
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
