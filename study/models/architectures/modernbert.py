"""ModernBERT with query, key and value as matrices of their own.

Warner et al. 2024. In transformers one matrix, `Wqkv`, computes all three, so that an adapter on
it would be one for all. Here it consists of three layers, and everything else is the class of
transformers: its forward reads their concatenated outputs. Checkpoints have the fused matrix,
which is split when they are loaded and fused again when they are saved: saved models load with
the class of transformers.
"""

import torch
from torch import Tensor, nn
from transformers import ModernBertConfig, ModernBertForSequenceClassification
from transformers.conversion_mapping import register_checkpoint_conversion_mapping
from transformers.core_model_loading import Chunk, WeightConverter
from typing_extensions import override

PARTS = ("query", "key", "value")


class _SplitLinear(nn.Module):
    """Three linear layers of one input, whose outputs are concatenated."""

    def __init__(self, fused: nn.Linear) -> None:
        super().__init__()
        width = fused.out_features // len(PARTS)
        for place, name in enumerate(PARTS):
            part = nn.Linear(fused.in_features, width, bias=fused.bias is not None, device="meta")
            for key, weight in fused.named_parameters():
                rows = weight.detach()[place * width : (place + 1) * width].clone()
                setattr(part, key, nn.Parameter(rows))
            self.add_module(name, part)

    @override
    def forward(self, hidden: Tensor) -> Tensor:
        return torch.cat([self.get_submodule(name)(hidden) for name in PARTS], dim=-1)

    @property
    def weight(self) -> Tensor:
        """A copy of the fused matrix: the class of transformers draws into it, without effect."""
        return torch.cat([self.get_parameter(f"{name}.weight") for name in PARTS])


class SplitModernBertForSequenceClassification(
    ModernBertForSequenceClassification  # type: ignore[misc]
):
    """The classifier of transformers, with a layer for each of query, key and value."""

    def __init__(self, config: ModernBertConfig) -> None:
        super().__init__(config)
        for layer in self.model.layers:
            layer.attn.Wqkv = _SplitLinear(layer.attn.Wqkv)


# Registered for the class, as the other classes of this `model_type` have the fused matrix.
register_checkpoint_conversion_mapping(
    SplitModernBertForSequenceClassification.__name__,
    [
        WeightConverter(
            source_patterns="attn.Wqkv",
            target_patterns=[f"attn.Wqkv.{name}" for name in PARTS],
            operations=[Chunk(dim=0)],
        )
    ],
    overwrite=True,
)
