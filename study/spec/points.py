"""Points: known good configurations, tried before the sampler has its say.

A point gives leaves of the adapter and training sections a value of their domains; what it leaves
out is left to the sampler. Where bT is searched as a ratio of b0, a point says `bT` (triplets,
with b0 beside it) or `bT_ratio`.
"""

from collections.abc import Mapping
from typing import Any

from study.spec.domains import Choice, Domain, fit, parameter_name
from study.spec.rules import refuse, shown, suggestion


def read_point(
    point: Mapping[str, Choice],
    domains: Mapping[str, Domain],
    fixed: Mapping[str, Any],
    at: tuple[str | int, ...] = (),
) -> dict[str, Choice]:
    """The point's values by the sampler's names of the searched leaves.

    Args:
        point: a value by leaf.
        domains: the searched leaves.
        fixed: the other leaves and their values.
        at: where the point stands in the spec, for messages.

    Raises:
        pydantic.ValidationError: a name that is no leaf, or a value that the leaf cannot have.
    """
    named = {parameter_name(leaf, domain): domain for leaf, domain in domains.items()}
    params: dict[str, Choice] = {}
    for name, value in point.items():
        try:
            if {name, f"{name}_ratio"} <= point.keys():
                raise ValueError(f"and {name}_ratio say the same; remove one of them")
            if name in named:
                params[name] = fit(named[name], value)
            elif name in domains:
                params[f"{name}_ratio"] = _ratio(domains[name], value, dict(fixed) | dict(point))
            else:
                _check_fixed(name, value, fixed, [*named, *domains])
        except ValueError as error:
            refuse((*at, name), str(error), value)
    return params


def _ratio(domain: Domain, bT: Choice, values: Mapping[str, Any]) -> Choice:
    """bT triplets as a value of the domain of bT_ratio."""
    b0 = values.get("b0")
    if not isinstance(b0, int) or isinstance(b0, bool) or b0 < 1:
        raise ValueError("needs b0 beside it, as it is searched as a ratio of b0; add b0")
    if isinstance(bT, bool) or not isinstance(bT, int):
        raise ValueError(f"must be a whole number of triplets, but got {shown(bT)}")
    try:
        return fit(domain, bT / b0)
    except ValueError as error:
        raise ValueError(f"bT / b0 {error} = {bT} / {b0}") from None


def _check_fixed(name: str, value: Choice, fixed: Mapping[str, Any], searched: list[str]) -> None:
    if name not in fixed:
        raise ValueError(f"unknown setting{suggestion(name, [*searched, *fixed])}")
    if fixed[name] != value:
        raise ValueError(
            f"is fixed at {shown(fixed[name])}, but the point has {shown(value)}; "
            "leave it out of the point, or search it"
        )
