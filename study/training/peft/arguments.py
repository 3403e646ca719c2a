"""The arguments of a PEFT config as the YAML has them, checked against PEFT's own types."""

import dataclasses
import types
import typing
import warnings
from collections.abc import Mapping
from typing import Any, Literal

from study.errors import InputError
from study.spec.rules import quoted, suggestion
from study.training.peft.types import OWNED, REFUSED, REFUSED_INITS

_MOST = 60
"""Names of arguments in a message."""


def config_class(peft_type: str) -> Any:
    """Returns PEFT's class of config for a type.

    Raises:
        InputError: PEFT has no such type, or it cannot be trained here.
    """
    from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING

    known = {
        getattr(name, "value", name): cls for name, cls in PEFT_TYPE_TO_CONFIG_MAPPING.items()
    }
    usable = sorted(known.keys() - REFUSED.keys())
    if peft_type in REFUSED:
        raise InputError(
            f"adapter.peft_type: must be a type that adapts layers of a classifier, but got "
            f"{peft_type}: {REFUSED[peft_type]}; take one of {', '.join(usable)}"
        )
    if peft_type not in known:
        hint = suggestion(peft_type, usable) or f"; take one of {', '.join(usable)}"
        raise InputError(f"adapter.peft_type: must be a type of PEFT, but got {peft_type}{hint}")
    return known[peft_type]


def check_names(cls: Any, given: Mapping[str, Any]) -> None:
    """Checks that all arguments are PEFT's, and not set by the study.

    Raises:
        InputError: one is not.
    """
    known = [field.name for field in dataclasses.fields(cls) if field.init]
    known = [name for name in known if name not in OWNED and name != "peft_type"]
    for name in given:
        if name in OWNED and name in {field.name for field in dataclasses.fields(cls)}:
            raise InputError(
                f"adapter.{name}: must be left to the study, but got {quoted(given[name])}; "
                f"remove it: {OWNED[name]}"
            )
        if name not in known:
            hint = suggestion(name, known) or f"; PEFT has {', '.join(known[:_MOST])}"
            raise InputError(
                f"adapter.{name}: must be an argument of PEFT's {cls.__name__}, but got "
                f"{quoted(name)}{hint}"
            )
    if (init := given.get("init_lora_weights")) in REFUSED_INITS:
        raise InputError(
            "adapter.init_lora_weights: must be possible from the backbone and the training "
            f"batches, but got {quoted(init)}, which needs more; take eva, pissa, olora or true"
        )


def converted(cls: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the arguments with mappings as PEFT's own classes where it has them.

    Raises:
        InputError: a value is of another type than PEFT's.
    """
    hints = typing.get_type_hints(cls)
    return {name: _value(f"adapter.{name}", value, hints[name]) for name, value in given.items()}


def _value(where: str, value: Any, hint: Any) -> Any:
    nested: Any = next((kind for kind in _options(hint) if dataclasses.is_dataclass(kind)), None)
    if nested is not None and isinstance(value, dict) and dict not in _options(hint):
        known = [field.name for field in dataclasses.fields(nested)]
        for name in value:
            if name not in known:
                raise InputError(
                    f"{where}.{name}: must be an argument of PEFT's {nested.__name__}, but got "
                    f"{quoted(name)}{suggestion(name, known) or '; PEFT has ' + ', '.join(known)}"
                )
        hints = typing.get_type_hints(nested)
        inner = {n: _value(f"{where}.{n}", v, hints[n]) for n, v in value.items()}
        return made(nested, inner, where)
    if not _fits(value, hint, number=where.endswith("alpha")):
        choices = [one for kind in _options(hint) for one in _choices(kind)]
        hint_text = suggestion(value, choices) if choices else ""
        raise InputError(
            f"{where}: must be {_text(hint)} as in PEFT, but got {quoted(value)}{hint_text}"
        )
    return value


def made(cls: Any, arguments: Mapping[str, Any], where: str) -> Any:
    """Returns an object of one of PEFT's classes of configs.

    Raises:
        InputError: PEFT refuses the arguments; with PEFT's message.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PEFT's: on arguments without effect.
            return cls(**arguments)
    except (ValueError, TypeError, NotImplementedError, ImportError, KeyError) as error:
        raise InputError(refused(where, cls.__name__, error)) from error


def refused(where: str, what: str, error: Exception) -> str:
    """Returns PEFT's message as one line."""
    text = " ".join(str(error).split()) or type(error).__name__
    return f"{where}: must be arguments that PEFT's {what} takes, but got: {text}"


def _options(hint: Any) -> tuple[Any, ...]:
    union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    return (
        tuple(each for one in typing.get_args(hint) for each in _options(one))
        if union
        else (hint,)
    )


def _choices(kind: Any) -> tuple[Any, ...]:
    """Returns the values of a Literal; none if PEFT describes further ones there."""
    values = typing.get_args(kind) if typing.get_origin(kind) is Literal else ()
    return () if any("[" in str(value) for value in values) else values


def _fits(value: Any, hint: Any, *, number: bool) -> bool:
    return any(_is(value, kind, number=number) for kind in _options(hint))


def _is(value: Any, kind: Any, *, number: bool) -> bool:
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        return value in _choices(kind) if _choices(kind) else isinstance(value, str)
    if origin in (list, set, tuple):
        element = inner[0] if inner else Any
        return isinstance(value, list) and all(_fits(v, element, number=number) for v in value)
    if kind is Any or origin is dict or kind is dict:
        return kind is Any or isinstance(value, dict)
    if isinstance(value, bool) or kind is bool:
        return isinstance(value, bool) and kind is bool
    if kind is float or (kind is int and number):
        return isinstance(value, int | float)
    return isinstance(kind, type) and isinstance(value, kind)


def _text(hint: Any) -> str:
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "text",
             list: "a list", dict: "a mapping", type(None): "null"}  # fmt: skip
    parts = []
    for kind in _options(hint):
        choices = _choices(kind)
        plain = typing.get_origin(kind) or kind
        parts += list(map(str, choices)) or [
            names.get(plain, "text" if plain is Literal else "a mapping")
        ]
    return " or ".join(dict.fromkeys(part for part in parts if part != "null"))
