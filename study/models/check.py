"""Checks a backbone in the driver, so that an error in it is not repeated by every worker."""

from dataclasses import replace
from typing import Literal

import torch

from study.models.backbones import Backbone, fingerprint, load_backbone
from study.models.damage import refusing
from study.models.heads import reset_head
from study.models.info import BackboneInfo

_TOKENS = 8
"""Tokens of the longer of two rows, besides the special ones."""


def check_backbone(
    info: BackboneInfo,
    *,
    num_labels: int,
    dtype: Literal["float32", "bfloat16", "float16"],
    random_seed: int | None = None,
) -> tuple[BackboneInfo, tuple[str, ...]]:
    """Loads a backbone once, as `load_backbone` does in a worker, and computes two rows of logits.

    Returns the info with a hash of settings and weights, except for random weights, which are not
    the same on every kind of CPU; and remarks for the user.

    Raises:
        InputError: as `load_backbone`, or the logits cannot be computed or are not finite.
    """
    backbone = load_backbone(info, num_labels=num_labels, dtype=dtype, random_seed=random_seed)
    reset_head(backbone.model, info.family, torch.Generator().manual_seed(0))
    rule = f"backbone {info.name}: the model must compute logits for two sequences"
    with refusing(rule, "take another checkpoint, or another backbone.dtype"):
        _check_logits(backbone, num_labels)
    weights = fingerprint(backbone) if random_seed is None else None
    return replace(info, weights=weights), backbone.remarks


@torch.no_grad()
def _check_logits(backbone: Backbone, num_labels: int) -> None:
    ids, mask = _two_rows(backbone)
    options = {"use_cache": False} if backbone.info.causal else {}
    logits = backbone.model(input_ids=ids, attention_mask=mask, **options).logits
    if logits.shape != (2, num_labels):
        raise ValueError(f"logits of shape {tuple(logits.shape)} for {num_labels} classes")
    if not logits.isfinite().all():
        raise ValueError("logits that are not finite")


def _two_rows(backbone: Backbone) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns ids and mask of two rows of DNA tokens, the second one shorter."""
    tokenizer, limit = backbone.tokenizer, backbone.info.max_positions
    dna = [i for word, i in sorted(tokenizer.vocab.items()) if word and set(word) <= set("ACGT")]
    rows = [
        [*tokenizer.prefix, *(dna or [tokenizer.pad_id])[:count], *tokenizer.suffix]
        for count in (_TOKENS, 1)
    ]
    first, second = (row if limit is None else tokenizer.cut(row, limit) for row in rows)
    padding = [tokenizer.pad_id] * (len(first) - len(second))
    mask = [[1] * len(first), [1] * len(second) + [0] * len(padding)]
    return torch.tensor([first, second + padding]), torch.tensor(mask)
