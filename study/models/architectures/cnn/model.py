"""A one-hot convolutional network whose output does not depend on padding.

The first layer finds motifs (Alipanahi et al. 2015), further layers with residual connections
(He et al. 2016) combine them, and the largest value, or the mean, of every channel over the
positions of the sequence goes to the head.
"""

from collections.abc import Mapping
from typing import Any, Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput
from typing_extensions import override

BASES = 4
"""Ids 0 to 3 are A, C, G and T; the others, N and padding, are columns of zeros."""


class CnnConfig(PreTrainedConfig):  # type: ignore[misc]
    """The sizes of the network, as in the `backbone` section of a space."""

    model_type = "cnn"

    vocab_size: int = 6
    pad_token_id: int | None = 5
    width: int = 64
    """Channels of every layer."""
    depth: int = 2
    """Convolutions."""
    kernel_size: int = 11
    """Bases that a filter of the first layer reads."""
    inner_kernel_size: int = 5
    """Positions that a filter of the other layers reads."""
    head_dropout: float = 0.2
    """Dropout of the pooled channels."""
    pooling: Literal["max", "mean"] = "max"


class CnnForSequenceClassification(PreTrainedModel):  # type: ignore[misc]
    """A classifier of sequences of any length."""

    config_class = CnnConfig
    base_model_prefix = "convolutions"

    def __init__(self, config: CnnConfig) -> None:
        super().__init__(config)
        width, inner = config.width, config.inner_kernel_size
        self.convolutions: Any = nn.ModuleList(
            [
                nn.Conv1d(width if layer else BASES, width, inner if layer else config.kernel_size)
                for layer in range(config.depth)
            ]
        )
        self.dropout = nn.Dropout(config.head_dropout)
        self.classifier = nn.Linear(width, config.num_labels)
        self.post_init()

    @override
    def forward(
        self,
        input_ids: Int[Tensor, "batch length"],
        attention_mask: Tensor | None = None,
        labels: Int[Tensor, "batch"] | None = None,
        **_: Any,
    ) -> SequenceClassifierOutput:
        """Returns the logits (batch, labels), and the mean cross-entropy if labels are given.

        Padding is known by its id; `attention_mask` is not needed and has no effect.
        """
        real = (input_ids != self.config.pad_token_id).unsqueeze(1)
        logits = self.classifier(self.dropout(self._pool(self._channels(input_ids, real), real)))
        loss = None if labels is None else functional.cross_entropy(logits, labels)
        return SequenceClassifierOutput(loss=loss, logits=logits)

    def _channels(
        self, ids: Int[Tensor, "batch length"], real: Bool[Tensor, "batch 1 length"]
    ) -> Float[Tensor, "batch width length"]:
        """Returns the channels at every position, 0 at padding, as it is beyond a sequence."""
        bases = torch.arange(BASES, device=ids.device).view(1, BASES, 1)
        one_hot = (ids.unsqueeze(1) == bases).to(self.classifier.weight.dtype)
        first, *others = self.convolutions
        hidden = functional.relu(_same_length(first, one_hot)) * real
        for layer in others:
            hidden = hidden + functional.relu(_same_length(layer, hidden)) * real
        return hidden

    def _pool(
        self, hidden: Float[Tensor, "batch width length"], real: Bool[Tensor, "batch 1 length"]
    ) -> Float[Tensor, "batch width"]:
        if self.config.pooling == "max":  # No channel is negative, and padding is 0.
            return hidden.amax(dim=2)
        return hidden.sum(dim=2) / real.sum(dim=2)


def fresh_cnn(
    sizes: Mapping[str, Any], num_labels: int, generator: torch.Generator, device: torch.device
) -> CnnForSequenceClassification:
    """Returns a network with convolutions drawn from N(0, 2 / inputs) (He et al. 2015).

    Biases are 0; the head is drawn by `reset_head`. Draws are made on the CPU in the order of the
    layers. On the meta device nothing is drawn.
    """
    with torch.device("meta"):
        model = CnnForSequenceClassification(CnnConfig(**sizes, num_labels=num_labels))
    if device.type == "meta":
        return model
    model.to_empty(device="cpu")
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0.0, (2 / parameter[0].numel()) ** 0.5, generator=generator)
            else:
                parameter.zero_()
    model.eval()
    return model


def _same_length(
    layer: nn.Conv1d, hidden: Float[Tensor, "batch inputs length"]
) -> Float[Tensor, "batch width length"]:
    """Returns the convolution at every position, with zeros beyond the ends."""
    before = (layer.kernel_size[0] - 1) // 2
    padded = functional.pad(hidden, (before, layer.kernel_size[0] - 1 - before))
    convolved: Tensor = layer(padded)
    return convolved
