"""Nucleotide Transformer v2: ESM with gated feed-forwards without biases.

Dalla-Torre et al. 2023. Everything else, rotary positions included, is transformers' ESM, and the
parameter names are the hub's, so that its checkpoints load key for key.
"""

from torch import Tensor, nn
from torch.nn import functional
from transformers import EsmConfig, EsmForSequenceClassification
from typing_extensions import override


class GatedEsmConfig(EsmConfig):  # type: ignore[misc]
    """ESM's settings, under a name that tells it from ESM once it is saved again."""

    model_type = "gated_esm"


class _GatedIntermediate(nn.Module):
    """Half of the dense layer's output, through SiLU, gates the other half."""

    def __init__(self, config: GatedEsmConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, 2 * config.intermediate_size, bias=False)

    @override
    def forward(self, hidden: Tensor) -> Tensor:
        gate, value = self.dense(hidden).chunk(2, dim=-1)
        result: Tensor = functional.silu(gate) * value
        return result


class GatedEsmForSequenceClassification(EsmForSequenceClassification):  # type: ignore[misc]
    """ESM's classifier on the first token, with the feed-forwards replaced."""

    config_class = GatedEsmConfig

    def __init__(self, config: GatedEsmConfig) -> None:
        super().__init__(config)
        for layer in self.esm.encoder.layer:
            layer.intermediate = _GatedIntermediate(config)
            inner, outer = config.intermediate_size, config.hidden_size
            layer.output.dense = nn.Linear(inner, outer, bias=False)
        self.post_init()
