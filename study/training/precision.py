"""The dtype of matrix products, in training and in prediction."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from study.spec import StudySpec

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def compute_dtype(spec: StudySpec) -> torch.dtype:
    """Returns the dtype of matrix products: the precision's, or the backbone's if that is half."""
    precision = PRECISIONS[spec.training.precision]
    backbone: torch.dtype = getattr(torch, spec.backbone.dtype)
    return backbone if precision == torch.float32 else precision


def autocast(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[Any]:
    """Returns the context in which a model is called; float32 needs none."""
    return nullcontext() if dtype == torch.float32 else torch.autocast(device.type, dtype=dtype)
