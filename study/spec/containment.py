"""Whether a leaf that may have grown still allows every value that it allowed before."""

import math
from typing import Any

from study.spec.domains import CategoricalDomain, Domain, FloatDomain, IntDomain
from study.spec.points import fit


def contains(leaf: Any, before: Any) -> bool:
    """Whether the domain `leaf` contains what the same leaf was before: a domain or a value.

    Of two domains the kind, `log` and `ratio_of` must be the same, and a step must still meet
    every value. A fixed value never contains anything. A ratio of b0 contains no fixed bT.
    """
    if isinstance(before, CategoricalDomain):
        return isinstance(leaf, CategoricalDomain) and all(
            choice in leaf.choices for choice in before.choices
        )
    if isinstance(before, FloatDomain | IntDomain):
        return isinstance(leaf, FloatDomain | IntDomain) and _contains_interval(leaf, before)
    return isinstance(leaf, Domain) and _contains_value(leaf, before)


def _contains_interval(leaf: FloatDomain | IntDomain, before: FloatDomain | IntDomain) -> bool:
    same = ("type", "log", "ratio_of")
    if any(getattr(leaf, name, None) != getattr(before, name, None) for name in same):
        return False
    if leaf.low > before.low or leaf.high < before.high:
        return False
    step = leaf.step
    if step is None or before.low == before.high:
        return step is None or _is_multiple(before.low - leaf.low, step)
    finest = before.step or (1 if isinstance(before, IntDomain) else 0)
    met = (before.low - leaf.low, finest)
    return finest > 0 and all(_is_multiple(distance, step) for distance in met)


def _contains_value(domain: Domain, value: Any) -> bool:
    if getattr(domain, "ratio_of", None):
        return False
    try:
        fit(domain, value)
    except ValueError:
        return False
    return True


def _is_multiple(distance: float, step: float) -> bool:
    steps = distance / step
    return math.isclose(steps, round(steps), abs_tol=1e-8)
