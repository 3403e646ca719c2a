"""Names of weights: those of a checkpoint -> those of the class that loads it.

`torch.compile`, data parallelism and training frameworks put a prefix before every name
(`_orig_mod.`, `module.`, `model.`); a model saved without a head lacks the prefix of its class
(`bert.`). Both are seen from the name of the token embedding.
"""

import re
from collections.abc import Callable, Iterable, Mapping

from study.models.families import EMBEDDINGS, FAMILIES, HEADS

# Weights that may be missing from a checkpoint or left over in it, besides the head's: the output
# layers of pre-training, which a classifier does not use, and buffers that older versions saved.
_OPTIONAL = re.compile(
    r"lm_head\..+|cls\..+|qa_outputs\..+|.+\.embeddings\.position_ids|esm\.pooler\..+"
    r"|esm\.contact_head\..+|.*\.rotary_emb(eddings)?\.inv_freq|decoder\.(weight|bias)"
)


def required(family: str, name: str) -> bool:
    """Returns whether checkpoint and class must both have a weight of this name."""
    head = HEADS[FAMILIES[family].base].pattern
    return not (re.fullmatch(head, name) or _OPTIONAL.fullmatch(name))


def class_names(family: str, names: Iterable[str]) -> tuple[Mapping[str, str], str]:
    """Returns the name in the class for each name, and the prefix that was removed, often none.

    Names are unchanged if it is not clear which one is the token embedding.
    """
    names = list(names)
    before, prefix = _prefixes(EMBEDDINGS[FAMILIES[family].base], names)
    place = _placed(family, before, prefix)
    placed = {name: place(name) for name in names}
    if len(set(placed.values())) < len(names):
        return {name: name for name in names}, ""
    return placed, before


def _prefixes(embedding: str, names: list[str]) -> tuple[str, str]:
    """Returns what precedes the class's names in the checkpoint, and what is missing there."""
    parts = embedding.split(".")
    for start in range(len(parts) - 1):
        known = ".".join(parts[start:])
        found = [name for name in names if f".{name}".endswith(f".{known}")]
        if found:
            before = found[0].removesuffix(known) if len(found) == 1 else ""
            return before, embedding.removesuffix(known)
    return "", ""


def _placed(family: str, before: str, prefix: str) -> Callable[[str], str]:
    def place(name: str) -> str:
        inner = name.removeprefix(before)
        # Heads are beside the model without a head, not in it.
        return prefix + inner if required(family, inner) else inner

    return place
