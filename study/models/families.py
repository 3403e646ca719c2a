"""The model families: class, head and marks in config.json, one entry each.

README.md in this folder lists what a new family needs.
"""

import re
from dataclasses import dataclass
from typing import Any, Literal

from study.errors import InputError

BaseFamily = Literal["opt", "bert", "esm", "llama", "modernbert", "cnn"]
"""Every family has the special tokens, the pooling and the head of one of these."""


@dataclass(frozen=True)
class Family:
    """The class of a family and the marks of its checkpoints."""

    classifier: str
    """`module:class` of the sequence classifier."""
    base: BaseFamily
    """The transformers family with the same special tokens, pooling and head."""
    mark: str | None = None
    """A key of config.json that checkpoints of the base family do not have."""
    limited: bool = True
    """Whether `max_position_embeddings` limits the length; not so with ALiBi."""
    gated: bool = False
    """Whether f1 computes both gate and value of the feed-forward: twice as wide."""
    gate: bool = False
    """Whether the gate is a matrix of its own, `gate`, beside f1, the value."""
    fused: bool = False
    """Whether saved models have q, k and v in one matrix, as the class in transformers of the same
    `model_type`, which loads them."""
    older: tuple[str, ...] = ()
    """Keys of config.json by earlier versions of transformers, which the class still reads."""

    @property
    def causal(self) -> bool:
        """Whether a token reads only those before it, so that padding at the end needs no mask."""
        return self.base in ("opt", "llama")

    @property
    def loader(self) -> str | None:
        """The class that loads saved models, if it is of this package."""
        module, name = self.classifier.split(":")
        return f"{module}.{name}" if module.startswith("study.") and not self.fused else None

    @property
    def matrices(self) -> tuple[str, ...]:
        """The matrices of a layer that adapters may be added to; a cnn has none."""
        if self.base == "cnn":
            return ()
        return ("q", "k", "v", "o", "f1", "f2", *(("gate",) if self.gate else ()))


@dataclass(frozen=True)
class Head:
    """The modules between a backbone's output and the logits."""

    modules: tuple[str, ...]
    """The names of its modules."""
    output: str
    """The name of the layer whose outputs are the logits."""
    pooling: str
    """What it reads: `cls`, the first token, or `last`; of a cnn's channels `max`."""
    states: str
    """The module whose output it reads."""
    dense: bool
    """Whether a dense layer of the hidden size precedes the output layer, which has a bias."""
    bias: bool = False
    """Whether an output layer without such a dense layer has biases."""
    setting: str | None = None
    """The key of config.json that says which of `settings` the class reads."""
    settings: tuple[str, ...] = ()

    @property
    def pattern(self) -> str:
        """A regular expression that fully matches the names of its parameters."""
        return rf"({'|'.join(map(re.escape, self.modules))})\..+"


HEADS: dict[BaseFamily, Head] = {
    "opt": Head(("score",), "score", "last", "model", dense=False),
    "bert": Head(
        ("bert.pooler.dense", "classifier"), "classifier", "cls", "bert.encoder", dense=True
    ),
    "esm": Head(("classifier",), "classifier.out_proj", "cls", "esm", dense=True),
    "llama": Head(("score",), "score", "last", "model", dense=False),
    "modernbert": Head(
        ("head", "classifier"),
        "classifier",
        "cls",
        "model",
        dense=True,
        setting="classifier_pooling",
        settings=("cls", "mean"),
    ),
    "cnn": Head(
        ("classifier",),
        "classifier",
        "max",
        "convolutions",
        dense=False,
        bias=True,
        setting="pooling",
        settings=("max", "mean"),
    ),
}
"""By base family. BERT's head includes the pooler, ModernBERT's the dense layer and norm of its
prediction head: checkpoints of masked language models have none, or one for another purpose."""

EMBEDDINGS: dict[BaseFamily, str] = {
    "opt": "model.decoder.embed_tokens.weight",
    "bert": "bert.embeddings.word_embeddings.weight",
    "esm": "esm.embeddings.word_embeddings.weight",
    "llama": "model.embed_tokens.weight",
    "modernbert": "model.embeddings.tok_embeddings.weight",
}
"""By base family, the name of the token embedding; the names of a checkpoint are read from it."""


FAMILIES: dict[str, Family] = {
    "opt": Family("transformers:OPTForSequenceClassification", "opt"),
    "bert": Family("transformers:BertForSequenceClassification", "bert"),
    "esm": Family("transformers:EsmForSequenceClassification", "esm"),
    "mosaicbert": Family(
        "study.models.architectures.mosaicbert:MosaicBertForSequenceClassification",
        "bert",
        mark="alibi_starting_size",
        limited=False,
        gated=True,
    ),
    "gated_esm": Family(
        "study.models.architectures.gated_esm:GatedEsmForSequenceClassification",
        "esm",
        mark="add_bias_fnn",
        gated=True,
    ),
    "llama": Family(
        "transformers:LlamaForSequenceClassification",
        "llama",
        gate=True,
        older=("rope_theta", "rope_scaling"),
    ),
    "modernbert": Family(
        "study.models.architectures.modernbert:SplitModernBertForSequenceClassification",
        "modernbert",
        gated=True,
        fused=True,
        older=("global_attn_every_n_layers", "global_rope_theta", "local_rope_theta"),
    ),
    "cnn": Family(
        "study.models.architectures.cnn.model:CnnForSequenceClassification", "cnn", limited=False
    ),
}

PRETRAINED = tuple(name for name in FAMILIES if name != "cnn")
"""The families of checkpoints: a cnn has none."""


POOLED = {
    "cls": "first token",
    "mean": "mean over the tokens",
    "last": "last token",
    "max": "largest value of each channel",
}
"""What the head reads, in words."""


def check_pooling(family: str, pooling: str) -> None:
    """Checks that the head of a family can read the tokens so.

    Raises:
        InputError: it cannot.
    """
    if pooling == "cls" and FAMILIES[family].causal:
        raise InputError(
            f"backbone.pooling: must be auto, mean or last with a causal model ({family}), whose "
            "first token reads no other, but got cls; choose one of these"
        )


def recognise(config: dict[str, Any]) -> str | None:
    """Returns the family of a config.json, or None if it is unknown.

    A mark decides first: Nucleotide Transformer v2 has the `model_type` of ESM, and DNABERT-2 has
    none. Then `model_type` is the family. Configs of old versions without `model_type` are
    recognised by `architectures`.
    """
    kind = config.get("model_type")
    if kind is not None and not isinstance(kind, str):
        return None
    if kind is None:
        architectures = config.get("architectures")
        named = architectures[:1] if isinstance(architectures, list) else []
        architecture = "".join(map(str, named)).lower()
        kind = next((base for base in HEADS if architecture.startswith(base)), None)
    marked = [name for name, f in FAMILIES.items() if kind in (None, f.base) and f.mark in config]
    return marked[0] if marked else kind if kind in FAMILIES else None
