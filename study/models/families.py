"""The model families: their classes, kin and marks, one entry each.

A new family of a known kin is an entry here and its layer names in `adapters.targets` (and in
`study.analysis.study.allocation`, which loads no torch, if they end as no other family's do). If
transformers has no class for it, that is a module beside this one. Loads neither torch nor
transformers.
"""

import re
from dataclasses import dataclass
from typing import Any, Literal

Kin = Literal["opt", "bert", "esm"]


@dataclass(frozen=True)
class Family:
    """What a checkpoint of a family looks like, and which class it loads into."""

    classifier: str
    """`module:class` of the sequence classifier."""
    kin: Kin
    """The family of transformers whose special tokens, pooling and head it shares."""
    mark: str | None = None
    """The key in config.json by which its checkpoints differ from their kin's."""
    limited: bool = True
    """Whether `max_position_embeddings` limits the length; ALiBi has no table of positions."""
    gated: bool = False
    """Whether f1 holds gate and value of the feed-forward, and so is twice as wide."""


@dataclass(frozen=True)
class Head:
    """What stands between a backbone's output and the logits."""

    modules: tuple[str, ...]
    """The names of its modules."""
    output: str
    """The name of the layer whose outputs are the logits."""
    pooling: str
    """The token that it reads."""
    dense: bool
    """Whether a dense layer of the hidden size comes before the output layer, both with biases."""

    @property
    def pattern(self) -> str:
        """A regular expression for `re.fullmatch` on the names of its parameters."""
        return rf"({'|'.join(map(re.escape, self.modules))})\..+"


HEADS: dict[Kin, Head] = {
    "opt": Head(("score",), "score", "last token", dense=False),
    "bert": Head(("bert.pooler.dense", "classifier"), "classifier", "first token", dense=True),
    "esm": Head(("classifier",), "classifier.out_proj", "first token", dense=True),
}
"""By kin. BERT's is the output layer with the pooler below it: a masked-language-model checkpoint
holds no pooler, or one that its training never touched, so it is new and trains like any head."""


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
}


def recognise(config: dict[str, Any]) -> str | None:
    """Returns the family of a config.json, None for one that is not known.

    A family is called what `model_type` says, unless it has a mark.
    Nucleotide Transformer v2 calls itself `esm`, DNABERT-2 nothing at all: their marks decide.
    Other configs without `model_type`, from old versions, tell by their architecture.
    """
    kind = config.get("model_type")
    if kind is not None and not isinstance(kind, str):
        return None
    if kind is None:
        architecture = str(next(iter(config.get("architectures") or []), "")).lower()
        kind = next((kin for kin in HEADS if architecture.startswith(kin)), None)
    marked = [name for name, f in FAMILIES.items() if kind in (None, f.kin) and f.mark in config]
    return marked[0] if marked else kind if kind in FAMILIES else None
