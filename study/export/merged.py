"""The winner as weights for the backbone's class in transformers, with its tokenizer."""

from pathlib import Path
from typing import Any

from adapters import merge
from study.engine.stored_winner import StoredWinner
from study.export.formats import Written
from study.models.exported_tokenizer import write_tokenizer
from study.models.families import FAMILIES


def check(winner: StoredWinner, to: str) -> None:
    """Every winner can be written."""


def write(winner: StoredWinner, to: str, out: Path) -> Written:
    """Writes config.json, model.safetensors and the files of the tokenizer."""
    prepared, info = winner.load()
    model: Any = prepared.model.eval()
    if prepared.adapters:
        merge(model)
    model.save_pretrained(out)
    remarks = [write_tokenizer(info, out)]
    module, name = FAMILIES[info.family].classifier.split(":")
    if module.startswith("study."):  # Not known to the Auto classes of transformers.
        remarks.insert(0, f"load the model with {module}.{name}.from_pretrained")
    return Written([remark for remark in remarks if remark])
