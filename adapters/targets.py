"""Layer names of the matrices q, k, v, o, f1, f2 and gate in the known model families.

The patterns match whole names (`re.fullmatch`), one per matrix, so that a pooler, a contact head
or the input and output projections of OPT-350M are not adapted by accident.
"""

import re
from collections.abc import Mapping, Sequence

MATRICES = ("q", "k", "v", "o", "f1", "f2")
"""Query, key, value and output matrices of attention; first and second feed-forward matrix.

Every family has these. Of a gated feed-forward, silu(gate x) * (f1 x), f1 is the value; `gate` is
a matrix of its own in some families, and in others f1 computes both.
"""

# Prefixes of the layers. The optional part is absent in a backbone without a head.
_OPT = r"(?:model\.)?decoder\.layers\.\d+\."
_BERT = r"(?:bert\.)?encoder\.layer\.\d+\."
_ESM = r"(?:esm\.)?encoder\.layer\.\d+\."
_LAYERS = r"(?:model\.)?layers\.\d+\."

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
_LLAMA_NAMES = {
    "q": "self_attn.q_proj",
    "k": "self_attn.k_proj",
    "v": "self_attn.v_proj",
    "o": "self_attn.o_proj",
    "f1": "mlp.up_proj",
    "f2": "mlp.down_proj",
    "gate": "mlp.gate_proj",
}
_MODERNBERT_NAMES = {
    "q": "attn.Wqkv.query",
    "k": "attn.Wqkv.key",
    "v": "attn.Wqkv.value",
    "o": "attn.Wo",
    "f1": "mlp.Wi",
    "f2": "mlp.Wo",
}
_FAMILIES = {
    "opt": (_OPT, _OPT_NAMES),
    "bert": (_BERT, _BERT_NAMES),
    "esm": (_ESM, _BERT_NAMES),
    "mosaicbert": (_BERT, _BERT_NAMES | {"f1": "mlp.gated_layers", "f2": "mlp.wo"}),
    "gated_esm": (_ESM, _BERT_NAMES),
    "llama": (_LAYERS, _LLAMA_NAMES),
    "modernbert": (_LAYERS, _MODERNBERT_NAMES),
}

FAMILIES = tuple(_FAMILIES)
"""Names of the known model families."""


def layer_names(family: str) -> Mapping[str, str]:
    """Returns the module name of each matrix within a layer.

    Raises:
        ValueError: unknown family.

    Example:
        >>> layer_names("opt")["q"]
        'self_attn.q_proj'
    """
    if family not in _FAMILIES:
        raise ValueError(f"family must be one of {', '.join(_FAMILIES)}, but got {family!r}")
    return _FAMILIES[family][1]


def target_patterns(family: str, matrices: Sequence[str] = MATRICES) -> tuple[str, ...]:
    """Returns a regular expression for the whole layer name of each matrix, for `inject`.

    Raises:
        ValueError: unknown family or matrix, no matrix, or a duplicate.

    Example:
        >>> (pattern,) = target_patterns("opt", ["q"])
        >>> bool(re.fullmatch(pattern, "model.decoder.layers.11.self_attn.q_proj"))
        True
    """
    names = layer_names(family)
    unknown = [matrix for matrix in matrices if matrix not in names]
    if unknown or not matrices or len(set(matrices)) != len(matrices):
        raise ValueError(
            f"matrices must be distinct names of {', '.join(names)}, but got {list(matrices)}"
        )
    prefix, _ = _FAMILIES[family]
    return tuple(prefix + re.escape(names[matrix]) for matrix in matrices)


def expected_matches(layers: int, matrices: Sequence[str] = MATRICES) -> int:
    """Returns the number of matrices that `target_patterns` matches in a model of `layers` layers.

    Example:
        >>> expected_matches(12, ["q", "v"])
        24
    """
    return layers * len(matrices)
