"""Checks of arguments. Every message has the form RULE, but got FOUND; FIX."""

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any


def require(holds: bool, rule: str, **values: object) -> None:
    """Raises ValueError with the rule and the values if it does not hold."""
    if not holds:
        got = ", ".join(f"{name}={value!r}" for name, value in values.items())
        raise ValueError(f"{rule} must hold, but got {got}")


def require_integers(**values: object) -> None:
    """Raises ValueError at the first value that is not an integer; True and 2.0 are none."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, Integral):
            raise ValueError(f"{name} must be an integer, but got {name}={value!r}")


def require_numbers(**values: object) -> None:
    """Raises ValueError at the first value that is not a real number; NaN is one."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, Real):
            raise ValueError(f"{name} must be a number, but got {name}={value!r}")


def require_choice(choices: Sequence[Any], **values: object) -> None:
    """Raises ValueError at the first value that is not one of the choices."""
    for name, value in values.items():
        if value not in choices:
            raise ValueError(
                f"{name} must be one of {', '.join(map(str, choices))}, but got {name}={value!r}"
            )
