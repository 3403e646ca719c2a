"""MosaicBERT, the architecture of DNABERT-2: BERT with ALiBi positions and gated feed-forwards.

Zhou et al. 2023 (DNABERT-2), Portes et al. 2023 (MosaicBERT), Press et al. 2022 (ALiBi). Written
from the papers, because the code on the hub does not load in transformers 5. Module names are
those of the checkpoints on the hub, except the fused `Wqkv`: it is split into `query`, `key` and
`value` when loaded, as W_q, W_k and W_v are adapted separately.
"""

import math
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional
from transformers import BertConfig, PreTrainedModel
from transformers.conversion_mapping import register_checkpoint_conversion_mapping
from transformers.core_model_loading import Chunk, WeightConverter
from transformers.modeling_outputs import SequenceClassifierOutput
from typing_extensions import override


class MosaicBertConfig(BertConfig):  # type: ignore[misc]
    """The settings of BERT; `max_position_embeddings` has no effect."""

    model_type = "mosaicbert"


def alibi_slopes(heads: int, device: torch.device | None = None) -> Float[Tensor, "heads"]:
    """Returns the slope of each head: 2^(-8/n), 2^(-16/n), … if n, the number of heads, is 2^k.

    Else the slopes of the largest power of 2 below n, then every second slope of the power of 2
    above it (Press et al., section 3). Computed on the device, so that nothing is copied to it.
    """
    lower = 2 ** math.floor(math.log2(heads))
    head = torch.arange(1, heads + 1, device=device)
    between = (2 * (head - lower) - 1) / (2 * lower)
    return 2.0 ** (-8.0 * torch.where(head <= lower, head / lower, between))


class _Embeddings(nn.Module):
    """Embeddings of tokens and token types; positions are in the attention."""

    def __init__(self, config: MosaicBertConfig) -> None:
        super().__init__()
        size = config.hidden_size
        self.word_embeddings = nn.Embedding(config.vocab_size, size, config.pad_token_id)
        self.token_type_embeddings = nn.Embedding(config.type_vocab_size, size)
        self.LayerNorm = nn.LayerNorm(size, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    @override
    def forward(self, input_ids: Int[Tensor, "batch length"]) -> Float[Tensor, "batch length d"]:
        embedded = self.word_embeddings(input_ids) + self.token_type_embeddings.weight[0]
        result: Tensor = self.dropout(self.LayerNorm(embedded))
        return result


class _SelfAttention(nn.Module):
    def __init__(self, config: MosaicBertConfig) -> None:
        super().__init__()
        size = config.hidden_size
        self.heads, self.dropout = config.num_attention_heads, config.attention_probs_dropout_prob
        self.query, self.key, self.value = (nn.Linear(size, size) for _ in range(3))

    @override
    def forward(
        self,
        hidden: Float[Tensor, "batch length d"],
        bias: Float[Tensor, "batch heads length length"],
    ) -> Float[Tensor, "batch length d"]:
        def split(vectors: Tensor) -> Tensor:
            return vectors.view(*vectors.shape[:-1], self.heads, -1).transpose(1, 2)

        mixed = functional.scaled_dot_product_attention(
            split(self.query(hidden)),
            split(self.key(hidden)),
            split(self.value(hidden)),
            attn_mask=bias,
            dropout_p=self.dropout if self.training else 0.0,
        )
        return mixed.transpose(1, 2).flatten(-2)


class _AttentionOutput(nn.Module):
    def __init__(self, config: MosaicBertConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    @override
    def forward(self, mixed: Tensor, hidden: Tensor) -> Tensor:
        result: Tensor = self.LayerNorm(hidden + self.dropout(self.dense(mixed)))
        return result


class _Attention(nn.Module):
    def __init__(self, config: MosaicBertConfig) -> None:
        super().__init__()
        self.self = _SelfAttention(config)
        self.output = _AttentionOutput(config)

    @override
    def forward(self, hidden: Tensor, bias: Tensor) -> Tensor:
        result: Tensor = self.output(self.self(hidden, bias), hidden)
        return result


class _GatedFeedForward(nn.Module):
    """`gated_layers` computes gate and value: GELU(gate) * value."""

    def __init__(self, config: MosaicBertConfig) -> None:
        super().__init__()
        inner = config.intermediate_size
        self.gated_layers = nn.Linear(config.hidden_size, 2 * inner, bias=False)
        self.wo = nn.Linear(inner, config.hidden_size)
        self.layernorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    @override
    def forward(self, hidden: Tensor) -> Tensor:
        gate, value = self.gated_layers(hidden).chunk(2, dim=-1)
        gated = self.dropout(functional.gelu(gate) * value)
        result: Tensor = self.layernorm(hidden + self.wo(gated))
        return result


class _Layer(nn.Module):
    def __init__(self, config: MosaicBertConfig) -> None:
        super().__init__()
        self.attention = _Attention(config)
        self.mlp = _GatedFeedForward(config)

    @override
    def forward(self, hidden: Tensor, bias: Tensor) -> Tensor:
        result: Tensor = self.mlp(self.attention(hidden, bias))
        return result


class _Encoder(nn.Module):
    def __init__(self, config: MosaicBertConfig) -> None:
        super().__init__()
        self.heads = config.num_attention_heads
        self.layer = nn.ModuleList(_Layer(config) for _ in range(config.num_hidden_layers))

    @override
    def forward(
        self, hidden: Float[Tensor, "batch length d"], mask: Bool[Tensor, "batch length"]
    ) -> Float[Tensor, "batch length d"]:
        bias = self._bias(mask, hidden.dtype)
        for layer in self.layer:
            hidden = layer(hidden, bias)
        return hidden

    def _bias(
        self, mask: Bool[Tensor, "batch length"], dtype: torch.dtype
    ) -> Float[Tensor, "batch heads length length"]:
        """Returns -slope * distance, in both directions; the lowest number at padding."""
        places = torch.arange(mask.shape[1], device=mask.device)
        distance = (places[:, None] - places[None, :]).abs()
        alibi = -alibi_slopes(self.heads, mask.device)[:, None, None] * distance
        return torch.where(mask[:, None, None, :], alibi.to(dtype), torch.finfo(dtype).min)


class _Pooler(nn.Module):
    def __init__(self, config: MosaicBertConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)

    @override
    def forward(self, hidden: Float[Tensor, "batch length d"]) -> Float[Tensor, "batch d"]:
        return torch.tanh(self.dense(hidden[:, 0]))


class _MosaicBert(nn.Module):
    def __init__(self, config: MosaicBertConfig) -> None:
        super().__init__()
        self.embeddings = _Embeddings(config)
        self.encoder = _Encoder(config)
        self.pooler = _Pooler(config)


class MosaicBertForSequenceClassification(PreTrainedModel):  # type: ignore[misc]
    """A classifier on the pooled first token, [CLS]."""

    config_class = MosaicBertConfig
    base_model_prefix = "bert"
    _supports_sdpa = True

    def __init__(self, config: MosaicBertConfig) -> None:
        super().__init__(config)
        self.bert = _MosaicBert(config)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.classifier = nn.Linear(config.hidden_size, config.num_labels)
        self.post_init()

    @override
    def forward(
        self,
        input_ids: Int[Tensor, "batch length"],
        attention_mask: Tensor | None = None,
        labels: Int[Tensor, "batch"] | None = None,
        **_: Any,
    ) -> SequenceClassifierOutput:
        """Returns the logits (batch, labels), and the mean cross-entropy if labels are given."""
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        hidden = self.bert.encoder(self.bert.embeddings(input_ids), mask.bool())
        logits = self.classifier(self.dropout(self.bert.pooler(hidden)))
        loss = None if labels is None else functional.cross_entropy(logits, labels)
        return SequenceClassifierOutput(loss=loss, logits=logits)


# Registered for the class, as `model_type` on the hub is `bert`. Saving fuses the matrices again.
register_checkpoint_conversion_mapping(
    MosaicBertForSequenceClassification.__name__,
    [
        WeightConverter(
            source_patterns="attention.self.Wqkv",
            target_patterns=[f"attention.self.{name}" for name in ("query", "key", "value")],
            operations=[Chunk(dim=0)],
        )
    ],
    overwrite=True,
)
