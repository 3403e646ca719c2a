"""Layer and matrix (q, k, v, o, f1, f2, gate) of an adapted module, from its name."""

import re

MATRICES = ("q", "k", "v", "o", "f1", "f2", "gate")
_ENDINGS = {
    "q": r"\.(?:q_proj|query)",
    "k": r"\.(?:k_proj|key)",
    "v": r"\.(?:v_proj|value)",
    "o": r"\.(?:out_proj|o_proj|attention\.output\.dense|attn\.Wo)",
    "f1": r"\.(?:fc1|intermediate\.dense|mlp\.gated_layers|up_proj|mlp\.Wi)",
    "f2": r"\.(?:fc2|output\.dense|mlp\.wo|down_proj|mlp\.Wo)",
    "gate": r"\.gate_proj",
}
"""Endings of module names in all families; `o` comes before `f2`, whose pattern matches it too."""


def layer_and_matrix(module: str) -> tuple[tuple[int, str], str]:
    """Returns ((number, name) of the layer, matrix) of a module.

    The matrix of an unknown architecture is the last part of the module's name. The layer of a
    module outside all layers is (-1, "").
    """
    number = re.search(r"\.(\d+)\.", module)
    layer = (int(number[1]), number[1]) if number else (-1, "")
    for matrix, ending in _ENDINGS.items():
        if re.search(ending + "$", module):
            return layer, matrix
    return layer, module.rsplit(".", 1)[-1]
