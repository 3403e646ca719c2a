"""Which layers of a model family the names q, k, v, o, f1, f2 stand for.

The patterns are whole-name regular expressions (`re.fullmatch`), one per matrix, so that a
pooler, a contact head or OPT-350M's input and output projections are never adapted by accident.
"""

from collections.abc import Sequence

MATRICES = ("q", "k", "v", "o", "f1", "f2")
"""Attention's query, key, value and output matrices; the feed-forward's first and second."""

# The prefix is missing when the bare backbone is adapted, without its head.
_OPT = r"(?:model\.)?decoder\.layers\.\d+\."
_BERT = r"(?:bert\.)?encoder\.layer\.\d+\."
_ESM = r"(?:esm\.)?encoder\.layer\.\d+\."

_BERT_NAMES = {
    "q": r"attention\.self\.query",
    "k": r"attention\.self\.key",
    "v": r"attention\.self\.value",
    "o": r"attention\.output\.dense",
    "f1": r"intermediate\.dense",
    "f2": r"output\.dense",
}
_OPT_NAMES = {
    "q": r"self_attn\.q_proj",
    "k": r"self_attn\.k_proj",
    "v": r"self_attn\.v_proj",
    "o": r"self_attn\.out_proj",
    "f1": r"fc1",
    "f2": r"fc2",
}
_FAMILIES = {
    "opt": (_OPT, _OPT_NAMES),
    "bert": (_BERT, _BERT_NAMES),
    "esm": (_ESM, _BERT_NAMES),
    "mosaicbert": (_BERT, _BERT_NAMES | {"f1": r"mlp\.gated_layers", "f2": r"mlp\.wo"}),
    "gated_esm": (_ESM, _BERT_NAMES),
}

FAMILIES = tuple(_FAMILIES)
"""Model families whose layer names are known."""


def target_patterns(family: str, matrices: Sequence[str] = MATRICES) -> tuple[str, ...]:
    """Returns one whole-name pattern per matrix of `matrices`.

    Raises:
        ValueError: unknown family or matrix, or a matrix named twice.
    """
    if family not in _FAMILIES:
        raise ValueError(f"family must be one of {', '.join(_FAMILIES)}, but got {family!r}")
    unknown = [matrix for matrix in matrices if matrix not in MATRICES]
    if unknown or not matrices or len(set(matrices)) != len(matrices):
        raise ValueError(
            f"matrices must be distinct names of {', '.join(MATRICES)}, but got {list(matrices)}"
        )
    prefix, names = _FAMILIES[family]
    return tuple(prefix + names[matrix] for matrix in matrices)


def expected_matches(layers: int, matrices: Sequence[str] = MATRICES) -> int:
    """Returns how many layers `target_patterns` must match in a model of `layers` layers."""
    return layers * len(matrices)
