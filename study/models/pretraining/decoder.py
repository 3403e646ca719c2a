"""The OPT decoder: shape, initial weights, loss, bits per base and export."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from tokenizers import Tokenizer
from torch import Tensor, nn

from study.models.pretraining.bpe import BOS_ID, PAD_ID

_IGNORED = -100


@dataclass(frozen=True)
class Shape:
    """Sizes of the decoder; the feed-forward layers are 4 times as wide as the hidden state."""

    vocab_size: int = 128
    hidden_size: int = 160
    layers: int = 4
    heads: int = 5
    positions: int = 320


def build_decoder(shape: Shape, seed: int) -> nn.Module:
    """Returns an OPTForCausalLM without dropout, with weights drawn from `seed`."""
    from transformers import OPTConfig, OPTForCausalLM

    config = OPTConfig(
        vocab_size=shape.vocab_size,
        hidden_size=shape.hidden_size,
        word_embed_proj_dim=shape.hidden_size,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        ffn_dim=4 * shape.hidden_size,
        max_position_embeddings=shape.positions,
        dropout=0.0,
        attention_dropout=0.0,
        pad_token_id=PAD_ID,
        bos_token_id=BOS_ID,
        eos_token_id=BOS_ID,
    )
    model: nn.Module = OPTForCausalLM(config)
    draw_weights(model, shape.layers, torch.Generator().manual_seed(seed))
    return model


def draw_weights(model: nn.Module, layers: int, generator: torch.Generator) -> None:
    """Initialises all weights of an OPT model: N(0, 0.02^2), biases 0, norms 1.

    For the two matrices of a layer that write to the residual stream the standard deviation is
    divided by sqrt(2 * layers).
    """
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            nn.init.zeros_(parameter)
        elif "layer_norm" in name:
            nn.init.ones_(parameter)
        else:
            residual = name.endswith(("out_proj.weight", "fc2.weight"))
            scale = (2 * layers) ** -0.5 if residual else 1.0
            nn.init.normal_(parameter, std=0.02 * scale, generator=generator)


def next_token_loss(
    model: nn.Module, tokens: Int64[Tensor, "rows length"], *, reduction: str = "mean"
) -> Float[Tensor, ""]:
    """Returns the cross-entropy of the next tokens, in nats; </s> and <pad> are no targets."""
    logits = model(input_ids=tokens, use_cache=False).logits[:, :-1].float()
    targets = tokens[:, 1:]
    targets = targets.masked_fill((targets == BOS_ID) | (targets == PAD_ID), _IGNORED)
    return F.cross_entropy(
        logits.flatten(0, 1), targets.flatten(), ignore_index=_IGNORED, reduction=reduction
    )


@torch.no_grad()
def bits_per_base(
    model: nn.Module, tokenizer: Tokenizer, sequences: Sequence[str], batch_size: int = 32
) -> float:
    """Returns the bits per base of `sequences` (only A, C, G and T) under the model.

    Each sequence is a separate row, after </s>, in parts if it exceeds the positions. This is an
    upper bound: a string has several tokenisations, of which only the tokenizer's is counted.
    """
    size = model.config.max_position_embeddings - 1  # type: ignore[union-attr, operator]
    rows = sorted(
        (
            [BOS_ID, *e.ids[start : start + size]]
            for e in tokenizer.encode_batch_fast(list(sequences), add_special_tokens=False)
            for start in range(0, len(e.ids), size)
        ),
        key=len,
    )
    nats = 0.0
    for start in range(0, len(rows), batch_size):
        batch = rows[start : start + batch_size]
        tokens = torch.full((len(batch), len(batch[-1])), PAD_ID)
        for index, ids in enumerate(batch):
            tokens[index, : len(ids)] = torch.tensor(ids)
        nats += float(next_token_loss(model, tokens, reduction="sum"))
    return float(nats / np.log(2) / sum(map(len, sequences)))


def export(model: nn.Module, folder: Path) -> None:
    """Writes config.json and model.safetensors (float16), each replaced atomically.

    The output layer is not stored: it is tied to the embedding.
    """
    from safetensors.torch import save

    state = {
        key: value.to(torch.float16)
        for key, value in model.state_dict().items()
        if key != "lm_head.weight"
    }
    _replace(folder / "model.safetensors", save(state, metadata={"format": "pt"}))
    config = {**model.config.to_diff_dict(), "architectures": ["OPTForCausalLM"]}  # type: ignore
    config["dtype"] = "float16"
    _replace(folder / "config.json", (json.dumps(config, indent=2) + "\n").encode())


def _replace(path: Path, content: bytes) -> None:
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    temporary.write_bytes(content)
    temporary.replace(path)
