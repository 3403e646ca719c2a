"""The winner as an ONNX model: input_ids and attention_mask -> logits, of any batch and length."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import nn
from typing_extensions import override

from study.engine.stored_winner import StoredWinner
from study.errors import InputError
from study.export.formats import Written
from study.export.merged import merged_model
from study.export.usage import usage
from study.models.exported_tokenizer import SEQUENCE, write_tokenizer
from study.models.tokenization import load_tokenizer

FILE = "model.onnx"
FORWARD = [
    'batch = tokenizer(sequences, return_tensors="np", padding=True)',
    'names = ("input_ids", "attention_mask")',
    '[logits] = session.run(None, {name: batch[name].astype("int64") for name in names})',
    "probabilities = np.exp(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True))",
]
PACKAGES = ("onnx", "onnxscript")


def check(winner: StoredWinner, to: str) -> None:
    """Checks that the packages of the extra `onnx` are installed, without importing them.

    Raises:
        InputError: one is not.
    """
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise InputError(
            f"--to {to}: must have the packages {' and '.join(PACKAGES)}, but got no "
            f"{' and no '.join(missing)}; pip install 'adalora-rs-study[onnx]'"
        )


def write(winner: StoredWinner, to: str, out: Path) -> Written:
    """Writes model.onnx in float32, config.json and the files of the tokenizer."""
    model, info = merged_model(winner, torch.float32)
    [first, second] = load_tokenizer(info)([SEQUENCE, SEQUENCE[: len(SEQUENCE) // 2]])
    padding = len(first) - len(second)
    pad = model.config.pad_token_id
    ids = torch.tensor([first, [*second, *[pad] * padding]])
    mask = torch.tensor([[1] * len(first), [1] * len(second) + [0] * padding])
    sizes = {0: torch.export.Dim("batch"), 1: torch.export.Dim("length")}
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            Logits(model, info.causal).eval(),
            (ids, mask),
            dynamo=True,
            input_names=["input_ids", "attention_mask"],
            output_names=["logits"],
            dynamic_shapes={"input_ids": sizes, "attention_mask": sizes},
            verbose=False,
        )
    assert program is not None
    fixed = [one.shape for one in program.model.graph.inputs if any(map(_is_int, one.shape or ()))]
    if fixed:  # Some operation has made a size constant.
        raise RuntimeError(f"inputs must have any batch and length, but got {fixed}")
    program.save(str(out / FILE))
    model.config.save_pretrained(out)
    remark = write_tokenizer(info, out)
    imports = [
        "import numpy as np",
        "import onnxruntime",
        "from transformers import AutoTokenizer",
    ]
    load = ['session = onnxruntime.InferenceSession(f"{folder}/model.onnx")']
    code = usage(info, imports, load, FORWARD)
    return Written([remark] if remark else [], code=code, library="onnx", tags=["onnx"])


def _is_int(size: object) -> bool:
    return isinstance(size, int)


class Logits(nn.Module):
    """The logits of a classifier, which are all that it returns."""

    def __init__(self, model: nn.Module, causal: bool) -> None:
        super().__init__()
        self.model = model
        self.options: dict[str, Any] = {"use_cache": False} if causal else {}

    @override
    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Returns the logits (batch, classes)."""
        output = self.model(input_ids=input_ids, attention_mask=attention_mask, **self.options)
        logits: torch.Tensor = output.logits
        return logits


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppresses what torch.onnx says of packages that are not needed and of its own code."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
