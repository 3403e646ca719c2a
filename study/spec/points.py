"""Points: known good configurations that are tried first, before the sampler's suggestions.

A point has values for leaves of the adapter, training and backbone sections; the sampler chooses
the others. Where bT is searched as a ratio of b0, a point gives `bT` (triplets, and b0) or
`bT_ratio`.
"""

from collections.abc import Mapping
from typing import Any

from study.spec.domains import Choice, Domain, fit, parameter_name
from study.spec.rules import quoted, refuse, suggestion


def read_point(
    point: Mapping[str, Choice],
    domains: Mapping[str, Domain],
    fixed: Mapping[str, Any],
    at: tuple[str | int, ...] = (),
) -> dict[str, Choice]:
    """Returns the values of a point by Optuna's parameter names.

    Args:
        point: a value by leaf.
        domains: the searched leaves.
        fixed: the other leaves and their values.
        at: the path of the point in the spec, for messages.

    Raises:
        pydantic.ValidationError: a name that is not a leaf, or a value outside its domain.
    """
    named = {parameter_name(leaf, domain): domain for leaf, domain in domains.items()}
    params: dict[str, Choice] = {}
    for name, value in point.items():
        try:
            if {name, f"{name}_ratio"} <= point.keys():
                rule = f"must not be given with {name}_ratio"
                raise ValueError(f"{rule}, but got both; remove one of them")
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
    """Returns bT, in triplets, as a value of the domain of bT_ratio."""
    b0 = values.get("b0")
    if not isinstance(b0, int) or isinstance(b0, bool) or b0 < 1:
        rule = "must be given with b0, of which it is searched as a ratio"
        raise ValueError(f"{rule}, but got {quoted(b0)} for b0; add b0")
    if isinstance(bT, bool) or not isinstance(bT, int):
        raise ValueError(f"must be a whole number of triplets, but got {quoted(bT)}")
    try:
        return fit(domain, bT / b0)
    except ValueError as error:
        raise ValueError(f"bT / b0 {error} = {bT} / {b0}") from None


def _check_fixed(name: str, value: Choice, fixed: Mapping[str, Any], searched: list[str]) -> None:
    if name not in fixed:
        hint = suggestion(name, [*searched, *fixed])
        raise ValueError(f"must be a known setting, but got {quoted(name)}{hint}")
    if fixed[name] != value:
        raise ValueError(
            f"must be {quoted(fixed[name])}, its fixed value, but got {quoted(value)}; leave it "
            "out of the point, or search it"
        )
