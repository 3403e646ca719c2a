"""Which layers of a model family the names q, k, v, o, f1, f2 stand for.

The patterns are whole-name regular expressions (`re.fullmatch`), one per matrix, so that a
pooler, a contact head or OPT-350M's input and output projections are never adapted by accident.
"""

import re
from collections.abc import Mapping, Sequence

MATRICES = ("q", "k", "v", "o", "f1", "f2")
"""Attention's query, key, value and output matrices; the feed-forward's first and second."""

# Where the layers are. The prefix is missing when the bare backbone is adapted, without its head.
_OPT = r"(?:model\.)?decoder\.layers\.\d+\."
_BERT = r"(?:bert\.)?encoder\.layer\.\d+\."
_ESM = r"(?:esm\.)?encoder\.layer\.\d+\."

_BERT_NAMES = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "o": "attention.output.dense",
    "f1": "intermediate.dense",
    "f2": "output.dense",
}
_OPT_NAMES = {
    "q": "self_attn.q_proj",
    "k": "self_attn.k_proj",
    "v": "self_attn.v_proj",
    "o": "self_attn.out_proj",
    "f1": "fc1",
    "f2": "fc2",
}
_FAMILIES = {
    "opt": (_OPT, _OPT_NAMES),
    "bert": (_BERT, _BERT_NAMES),
    "esm": (_ESM, _BERT_NAMES),
    "mosaicbert": (_BERT, _BERT_NAMES | {"f1": "mlp.gated_layers", "f2": "mlp.wo"}),
    "gated_esm": (_ESM, _BERT_NAMES),
}

FAMILIES = tuple(_FAMILIES)
"""Model families whose layer names are known."""


def layer_names(family: str) -> Mapping[str, str]:
    """Returns the name of each matrix's module within a layer: `{"q": "self_attn.q_proj", ...}`.

    Raises:
        ValueError: unknown family.
    """
    if family not in _FAMILIES:
        raise ValueError(f"family must be one of {', '.join(_FAMILIES)}, but got {family!r}")
    return _FAMILIES[family][1]


def target_patterns(family: str, matrices: Sequence[str] = MATRICES) -> tuple[str, ...]:
    """Returns one whole-name pattern per matrix of `matrices`.

    Raises:
        ValueError: unknown family or matrix, or a matrix named twice.
    """
    names = layer_names(family)
    unknown = [matrix for matrix in matrices if matrix not in MATRICES]
    if unknown or not matrices or len(set(matrices)) != len(matrices):
        raise ValueError(
            f"matrices must be distinct names of {', '.join(MATRICES)}, but got {list(matrices)}"
        )
    prefix, _ = _FAMILIES[family]
    return tuple(prefix + re.escape(names[matrix]) for matrix in matrices)


def expected_matches(layers: int, matrices: Sequence[str] = MATRICES) -> int:
    """Returns how many layers `target_patterns` must match in a model of `layers` layers."""
    return layers * len(matrices)
