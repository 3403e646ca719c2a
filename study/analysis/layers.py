"""Where an adapted matrix sits: its layer and its place in the layer (q, k, v, o, f1, f2)."""

import re

MATRICES = ("q", "k", "v", "o", "f1", "f2")
_ENDINGS = {
    "q": r"\.(?:q_proj|query)",
    "k": r"\.(?:k_proj|key)",
    "v": r"\.(?:v_proj|value)",
    "o": r"\.(?:out_proj|attention\.output\.dense)",
    "f1": r"\.(?:fc1|intermediate\.dense|mlp\.gated_layers)",
    "f2": r"\.(?:fc2|output\.dense|mlp\.wo)",
}
"""How the module names of all families end; `o` stands before `f2`, which it contains."""


def place_of(module: str) -> tuple[tuple[int, str], str]:
    """Returns ((number, name) of the layer, matrix) of a module by its name in the model.

    A matrix of another architecture has the last part of its name, a module outside the layers
    the layer (-1, "").
    """
    number = re.search(r"\.(\d+)\.", module)
    layer = (int(number[1]), number[1]) if number else (-1, "")
    for matrix, ending in _ENDINGS.items():
        if re.search(ending + "$", module):
            return layer, matrix
    return layer, module.rsplit(".", 1)[-1]
