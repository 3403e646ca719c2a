"""The formats of an export, and what a format says of what it has written."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:  # Imports torch, which --help does not need.
    from study.engine.stored_winner import StoredWinner

FORMATS = {
    "merged": ("study.export.merged", "weights for the backbone's class in transformers"),
    "peft-lora": ("study.export.peft_folder", "LoRA for peft.PeftModel, with the head"),
    "peft-adalora": ("study.export.peft_folder", "the same, with separate singular values"),
    "peft": ("study.export.peft_folder", "the adapter of a winner of method peft, with the head"),
    "onnx": ("study.export.onnx_file", "model.onnx, for onnxruntime"),
    "rank-pattern": ("study.export.rank_pattern", "the rank of every layer, for peft.LoraConfig"),
}
"""Name -> the module that writes it, and what it is."""


@dataclass(frozen=True)
class Written:
    """What the user must know of an exported folder."""

    remarks: Sequence[str] = ()
    """Printed, one per line, e.g. which class loads the model; often none."""
    code: str = ""
    """Python that loads the folder and predicts, see usage.py; without it the folder gets no model
    card."""
    library: str | None = None
    """The hub's name of the library that loads it."""
    relation: str = "finetune"
    """To the backbone, in the hub's words: `finetune` or `adapter`."""
    tags: Sequence[str] = ()
    """Further tags on the hub."""


class Format(Protocol):
    """A module that writes a format."""

    def check(self, winner: "StoredWinner", to: str) -> None:
        """Raises an InputError if the winner cannot be written in this format."""

    def write(self, winner: "StoredWinner", to: str, out: Path) -> Written:
        """Writes the files into the folder `out`, which is empty."""


def format_of(to: str) -> Format:
    """Returns the module of a format."""
    return cast(Format, import_module(FORMATS[to][0]))
