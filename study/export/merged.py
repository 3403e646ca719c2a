"""The winner as weights for the backbone's class in transformers, with its tokenizer."""

from pathlib import Path
from typing import Any

import torch

from adapters import merge
from study.engine.stored_winner import StoredWinner
from study.export.formats import Written
from study.export.usage import imports_of, pooled, torch_forward, usage
from study.models import BackboneInfo
from study.models.backbones import quiet
from study.models.exported_tokenizer import write_tokenizer
from study.models.families import FAMILIES
from study.models.pooling import pooling_call, pooling_remark
from study.training.peft.merging import merge_peft


def check(winner: StoredWinner, to: str) -> None:
    """Every winner can be written."""


def merged_model(
    winner: StoredWinner, dtype: torch.dtype | None = None
) -> tuple[Any, BackboneInfo]:
    """Returns the model without adapters, whose weights contain them, and its backbone.

    `dtype` is that of the weights; None: that of the backbone.
    """
    prepared, info = winner.load()
    model: Any = prepared.model.eval()
    if dtype is not None:
        model.to(dtype)  # Before the adapters are added to the weights: nothing is rounded.
    if prepared.adapters:
        merge(model)
    if prepared.peft is not None:
        merge_peft(prepared.peft)
    return model, info


def write(winner: StoredWinner, to: str, out: Path) -> Written:
    """Writes config.json, model.safetensors and the files of the tokenizer."""
    model, info = merged_model(winner)
    with quiet():
        model.save_pretrained(out)
    remarks = [write_tokenizer(info, out)]
    pooling = winner.spec.backbone.pooling
    remarks.insert(0, pooling_remark(info.family, model.config, pooling, saved=True))
    if (loader := FAMILIES[info.family].loader) is not None:
        remarks.insert(0, f"load the model with {loader}.from_pretrained")
    imports, name = imports_of(FAMILIES[info.family].loader or "transformers.Auto")
    load = [f'model = {name}.from_pretrained(folder, dtype="float32").eval()']
    call = pooling_call("model", info.family, model.config, pooling)
    imports, load = pooled(imports, load, call)
    return Written(
        [remark for remark in remarks if remark],
        code=usage(info, imports, load, torch_forward()),
        library="transformers",
    )
