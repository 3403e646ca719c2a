"""Random backbones with two layers of width 16, data for them, and specs of a few steps."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

from study.models import Backbone, BackboneInfo
from study.models.architectures.gated_esm import GatedEsmConfig, GatedEsmForSequenceClassification
from study.models.architectures.modernbert import SplitModernBertForSequenceClassification
from study.models.architectures.mosaicbert import (
    MosaicBertConfig,
    MosaicBertForSequenceClassification,
)
from study.models.tokenization import MISSING, Tokenizer
from study.spec import StudySpec
from study.training.encoding import EncodedSplit, EncodedTask, encode_split
from study.training.trial import Trial

FAMILIES = ("opt", "bert", "esm", "mosaicbert", "gated_esm", "llama", "modernbert")
METHODS = ("adalora_rs", "adalora", "lora", "fmft", "linear_probe")
CPU = torch.device("cpu")

VOCABULARY, POSITIONS, PAD, WIDTH, LAYERS = 24, 32, 1, 16, 2
_SIZES = {
    "vocab_size": VOCABULARY,
    "hidden_size": WIDTH,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 2,
    "pad_token_id": PAD,
}


def _config(family: str, dropout: float, labels: int) -> transformers.PreTrainedConfig:
    if family == "opt":
        return transformers.OPTConfig(
            word_embed_proj_dim=WIDTH,
            ffn_dim=2 * WIDTH,
            max_position_embeddings=POSITIONS,
            dropout=dropout,
            num_labels=labels,
            **_SIZES,
        )
    if family == "llama":
        return transformers.LlamaConfig(
            intermediate_size=2 * WIDTH,
            num_key_value_heads=1,
            max_position_embeddings=POSITIONS,
            attention_dropout=dropout,
            num_labels=labels,
            **_SIZES,
        )
    if family == "modernbert":
        rates = dict.fromkeys(("attention_dropout", "mlp_dropout", "classifier_dropout"), dropout)
        return transformers.ModernBertConfig(
            intermediate_size=2 * WIDTH,
            max_position_embeddings=POSITIONS,
            local_attention=8,
            layer_types=["full_attention", "sliding_attention"],
            num_labels=labels,
            bos_token_id=2,
            eos_token_id=2,
            cls_token_id=2,
            sep_token_id=2,
            **rates,
            **_SIZES,
        )
    kind = {
        "bert": transformers.BertConfig,
        "esm": transformers.EsmConfig,
        "mosaicbert": MosaicBertConfig,
        "gated_esm": GatedEsmConfig,
    }[family]
    special = {"token_dropout": True, "mask_token_id": 2} if family.endswith("esm") else {}
    special |= {"position_embedding_type": "rotary"} if family == "gated_esm" else {}
    return kind(
        intermediate_size=2 * WIDTH,
        max_position_embeddings=POSITIONS + PAD + 1,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
        num_labels=labels,
        **special,
        **_SIZES,
    )


def tiny_backbone(
    family: str = "opt",
    *,
    dropout: float = 0.1,
    labels: int = 2,
    dtype: torch.dtype = torch.float32,
    device: str = "cpu",
) -> Backbone:
    """Returns a backbone, always with the same weights."""
    kind = {
        "opt": transformers.OPTForSequenceClassification,
        "bert": transformers.BertForSequenceClassification,
        "esm": transformers.EsmForSequenceClassification,
        "mosaicbert": MosaicBertForSequenceClassification,
        "gated_esm": GatedEsmForSequenceClassification,
        "llama": transformers.LlamaForSequenceClassification,
        "modernbert": SplitModernBertForSequenceClassification,
    }[family]
    with torch.random.fork_rng(devices=[]), torch.device(device):
        torch.manual_seed(3)
        model = kind(_config(family, dropout, labels)).to(dtype).eval()
    info = BackboneInfo(
        name=f"tiny-{family}",
        source="",
        revision=None,
        folder=Path(),
        family=family,
        layers=LAYERS,
        hidden_size=WIDTH,
        embedding_size=WIDTH,
        feed_forward_size=2 * WIDTH,
        vocab_size=VOCABULARY,
        max_positions=POSITIONS,
        pad_id=PAD,
        bos_id=2,
        has_tokenizer_json=False,
        key_size=WIDTH // 2 if family == "llama" else None,
    )
    tokenizer = Tokenizer(lambda sequences: [], {}, (), (), PAD, MISSING, "none")
    return Backbone(info, model, tokenizer)


def tiny_split(rows: int, seed: int, labels: int = 2) -> EncodedSplit:
    """Returns rows of 5 to 14 tokens; the label is the count of token 7, at most labels - 1."""
    generator = np.random.default_rng(seed)
    lengths = generator.integers(5, 15, size=rows)
    tokens = [generator.integers(5, VOCABULARY, size=length).tolist() for length in lengths]
    return encode_split(tokens, [min(row.count(7), labels - 1) for row in tokens])


def tiny_task(rows: int = 22, labels: int = 2) -> EncodedTask:
    """Returns a task with `rows` training, 14 dev and 9 test rows."""
    splits = (tiny_split(n, seed, labels) for seed, n in enumerate((rows, 14, 9)))
    return EncodedTask("tiny", labels, PAD, *splits)


def tiny_spec(method: str = "adalora_rs", **changes: Any) -> StudySpec:
    """Returns a spec: 12 steps of batch 4, T = 9, mask events at 2, 4, 6, 8 and 9.

    `changes` are leaves or sections: `lr=1`, `p=0`, `seeds={"mask": 3}`.
    """
    values: dict[str, Any] = {
        "adapter": {"method": method},
        "training": {"steps": 12, "batch_size": 4, "lr": 5e-3, "reports": 3},
        "seeds": {},
        "backbone": {},
    }
    if method in ("adalora_rs", "adalora"):
        values["adapter"] |= {"b0": 4, "bT": 2, "deltaT": 2, "alpha": 8.0}
    if method == "adalora_rs":
        values["adapter"]["p"] = 0.3
    empty = StudySpec.model_validate(values)
    for name, value in changes.items():
        if name in values:
            values[name] |= value
        else:
            values["adapter" if hasattr(empty.adapter, name) else "training"][name] = value
    return StudySpec.model_validate(values)


def tiny_trial(
    method: str = "adalora_rs",
    *,
    on: Backbone | None = None,
    task: EncodedTask | None = None,
    **changes: Any,
) -> Trial:
    """Returns a trial of `tiny_spec(method, **changes)`, by default on a new OPT backbone."""
    spec = tiny_spec(method, **changes)
    return Trial(spec, on or tiny_backbone(), task or tiny_task(), CPU)


def trained(trial: Trial) -> dict[str, torch.Tensor]:
    """Returns copies of the trained parameters, by name."""
    return {name: p.clone() for name, p in trial.state_dict()["parameters"].items()}


def assert_same(left: Any, right: Any, place: str = "") -> None:
    """Asserts that two nested states are equal bit for bit."""
    assert type(left) is type(right), place
    if isinstance(left, torch.Tensor):
        assert left.dtype == right.dtype, place
        assert torch.equal(left, right), place
    elif isinstance(left, dict):
        assert left.keys() == right.keys(), place
        for key in left:
            assert_same(left[key], right[key], f"{place}.{key}")
    elif isinstance(left, list | tuple):
        assert len(left) == len(right), place
        for index, (a, b) in enumerate(zip(left, right, strict=True)):
            assert_same(a, b, f"{place}.{index}")
    else:
        assert left == right, place
