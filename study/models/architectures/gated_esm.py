"""Nucleotide Transformer v2: ESM with gated feed-forwards without biases.

Dalla-Torre et al. 2023. All other modules, rotary positions included, are those of ESM in
transformers. Parameter names are those of the checkpoints on the hub.
"""

from torch import Tensor, nn
from torch.nn import functional
from transformers import EsmConfig, EsmForSequenceClassification
from typing_extensions import override


class GatedEsmConfig(EsmConfig):  # type: ignore[misc]
    """The settings of ESM; the `model_type` distinguishes saved models from ESM."""

    model_type = "gated_esm"


class _GatedIntermediate(nn.Module):
    """The dense layer computes gate and value: SiLU(gate) * value."""

    def __init__(self, config: GatedEsmConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, 2 * config.intermediate_size, bias=False)

    @override
    def forward(self, hidden: Tensor) -> Tensor:
        gate, value = self.dense(hidden).chunk(2, dim=-1)
        result: Tensor = functional.silu(gate) * value
        return result


class GatedEsmForSequenceClassification(EsmForSequenceClassification):  # type: ignore[misc]
    """The classifier of ESM, on the first token, with gated feed-forwards."""

    config_class = GatedEsmConfig

    def __init__(self, config: GatedEsmConfig) -> None:
        super().__init__(config)
        for layer in self.esm.encoder.layer:
            layer.intermediate = _GatedIntermediate(config)
            inner, outer = config.intermediate_size, config.hidden_size
            layer.output.dense = nn.Linear(inner, outer, bias=False)
        self.post_init()
