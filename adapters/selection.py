"""Which layers are adapted, and the rank of each."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from adapters.bases import is_linear
from adapters.checks import check_adaptable, require, require_integers
from adapters.targets import FAMILIES, layer_names, target_patterns

_MATRICES = {matrix for family in FAMILIES for matrix in layer_names(family)}


def matching_layers(
    model: nn.Module, patterns: Sequence[str], expected: int | None
) -> dict[str, nn.Module]:
    """Returns the layers whose whole names the patterns match, in the order of the modules.

    Raises:
        ValueError: a pattern matches none, the number is not `expected`, or a layer cannot be
            adapted.
    """
    if not patterns:
        raise ValueError(
            "patterns must not be empty, but got none; use target_patterns for a known family"
        )
    modules = dict(model.named_modules())
    matched: set[str] = set()
    for pattern in patterns:
        names = [name for name in modules if _compiled(pattern).fullmatch(name)]
        if not names:
            raise ValueError(
                f"pattern {pattern!r} must match the whole name of a layer, but got no match; the "
                f"linear layers are {shortened(_linear_layers(modules))}"
            )
        matched.update(names)
    if expected is not None and len(matched) != expected:
        raise ValueError(
            f"the patterns must match {expected} layers, but got {len(matched)}: "
            f"{shortened(sorted(matched))}; correct the patterns or `expected`"
        )
    layers = {name: module for name, module in modules.items() if name in matched}
    return check_adaptable(model, layers)


def target_layers(
    model: nn.Module, targets: str | Sequence[str], head: Sequence[str]
) -> list[str]:
    """Returns the names of the linear layers outside the head that targets select.

    Args:
        model: A model without adapters.
        targets: See AdaLoraRS.
        head: Names of the modules that train as a whole.

    Raises:
        ValueError: a target selects no layer.

    Example:
        >>> model = nn.ModuleDict({"q_proj": nn.Linear(2, 2), "score": nn.Linear(2, 1)})
        >>> target_layers(model, "all-linear", ["score"]), target_layers(model, ["q_proj"], [])
        (['q_proj'], ['q_proj'])
    """
    own: Any = model
    output = own.get_output_embeddings() if hasattr(model, "get_output_embeddings") else None
    inside = tuple(f"{name}." for name in head)
    layers = [
        name
        for name, module in model.named_modules()
        if is_linear(module) and module is not output and not f"{name}.".startswith(inside)
    ]
    if targets == "all-linear" and layers:
        return layers
    asked = [targets] if isinstance(targets, str) else list(targets)
    selected: set[str] = set()
    for target, pattern in _patterns(layers, asked):
        names = [name for name in layers if pattern.fullmatch(name)]
        if not names:
            raise ValueError(
                f"target {target!r} must select a linear layer outside the head, but got none; "
                f"these are {shortened(layers)}"
            )
        selected.update(names)
    if not selected:
        raise ValueError("targets must not be empty, but got none; the default is 'all-linear'")
    return [name for name in layers if name in selected]


def whole_names(layers: Sequence[str]) -> list[str]:
    """Returns patterns that match these names only.

    Example:
        >>> whole_names(["h.0"])
        ['h\\\\.0']
    """
    return [re.escape(name) for name in layers]


def _patterns(layers: Sequence[str], targets: Sequence[str]) -> list[tuple[str, re.Pattern[str]]]:
    """Returns a pattern for whole names of every target."""
    if targets and all(target in _MATRICES for target in targets):
        for family in FAMILIES:
            patterns = _of_family(family, targets)
            if patterns and all(any(map(pattern.fullmatch, layers)) for pattern in patterns):
                return list(zip(targets, patterns, strict=True))
    plain = re.compile(r"[\w.]+")
    return [
        (target, re.compile(rf"(.*\.)?{re.escape(target)}"))
        if isinstance(target, str) and plain.fullmatch(target)
        else (target, _compiled(target))
        for target in targets
    ]


def _of_family(family: str, matrices: Sequence[str]) -> list[re.Pattern[str]]:
    """Returns the patterns of a family's matrices; none if it has not all of them."""
    try:
        return [
            re.compile(pattern)
            for pattern in target_patterns(family, list(dict.fromkeys(matrices)))
        ]
    except ValueError:
        return []


def ranks_of(rank: int | Mapping[str, int], layers: Sequence[str]) -> dict[str, int]:
    """Returns the rank of every layer to adapt, in the order of the layers."""
    if not isinstance(rank, Mapping):
        require_integers(rank=rank)
        require(rank >= 1, "rank >= 1", rank=rank)
        return dict.fromkeys(layers, rank)
    others = [name for name in rank if name not in layers]
    missing = [name for name in layers if name not in rank]
    if others or missing:
        raise ValueError(
            "rank must be of exactly the layers that the patterns match, but got "
            f"{len(others)} others: {shortened(others)}, and none of {shortened(missing)}; "
            "use rank 0 for a layer that should not be adapted"
        )
    for name, own in rank.items():
        require_integers(**{f"rank of {name}": own})
        require(own >= 0, "rank >= 0", **{f"rank of {name}": own})
    if not any(rank.values()):
        raise ValueError(
            f"rank must be at least 1 in at least one layer, but got 0 in all {len(layers)}"
        )
    return {name: int(rank[name]) for name in layers if rank[name]}


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except (re.error, TypeError) as error:
        raise ValueError(
            f"every pattern must be a regular expression, but got {pattern!r} ({error})"
        ) from error


def _linear_layers(modules: Mapping[str, nn.Module]) -> list[str]:
    return [name for name, module in modules.items() if is_linear(module)]


def shortened(names: Sequence[str], most: int = 8) -> str:
    """Returns the first names, and how many there are if not all are shown."""
    tail = f", … ({len(names)} in all)" if len(names) > most else ""
    return (", ".join(names[:most]) or "none") + tail
