"""Points: known good configurations, tried before the sampler has its say.

A point gives leaves of the adapter and training sections a value of their domains; what it leaves
out is left to the sampler. Where bT is searched as a ratio of b0, a point says `bT` (triplets,
with b0 beside it) or `bT_ratio`.
"""

from collections.abc import Mapping
from typing import Any

from study.spec.domains import CategoricalDomain, Choice, Domain, IntDomain, parameter_name
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


def fit(domain: Domain, value: Choice) -> Choice:
    """The value as the domain holds it: a float for `type: float`, one of the choices.

    Raises:
        ValueError: the value is not in the domain; says which rule it breaks.
    """
    if isinstance(domain, CategoricalDomain):
        for choice in domain.choices:
            if choice == value and isinstance(choice, bool) == isinstance(value, bool):
                return choice
        choices = ", ".join(map(str, domain.choices))
        raise ValueError(f"must be one of {choices}, but got {shown(value)}")
    whole = isinstance(domain, IntDomain)
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        kind = "a whole number" if whole else "a number"
        raise ValueError(f"must be {kind}, but got {shown(value)}")
    if not domain.low <= value <= domain.high:
        raise ValueError(f"must lie in {domain.low:g} to {domain.high:g}, but got {value:g}")
    steps = 0 if domain.step is None else (value - domain.low) / domain.step
    if abs(steps - round(steps)) > 1e-8:
        raise ValueError(f"must be {domain.low:g} plus steps of {domain.step:g}, got {value:g}")
    return value if whole else float(value)


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
