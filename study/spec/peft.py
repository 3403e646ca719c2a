"""`adapter.method: peft`: settings of Hugging Face's PEFT, by PEFT's own names.

This module does not know the names: peft is not imported to read a space. They are checked by
study/training/peft/ before anything runs.
"""

import math
import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    ConfigDict,
    PlainSerializer,
    PlainValidator,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)
from typing_extensions import override

from study.spec.domains import Domain, FloatDomain, read_domain
from study.spec.leaves import DEFAULT_MATRICES, Matrices
from study.spec.rules import Section, quoted, refusal, refuse

_MARKS = {"type", "low", "high", "choices"}
"""Keys of a domain; no argument of PEFT is a mapping with one of them."""

NORMS = "LN_TUNING"
"""PEFT's type that trains the layer norms: `matrices` are not among them."""


def _argument(given: Any) -> Any:
    """Returns a value as PEFT takes it, or a domain."""
    if isinstance(given, dict) and _MARKS & given.keys():
        given = read_domain(given)
    if isinstance(given, FloatDomain) and given.ratio_of is not None:
        refuse(("ratio_of",), "must be left out, as only bT can be a ratio, but got b0; remove it")
    return given if isinstance(given, Domain) else _plain(given)


def _plain(given: Any) -> Any:
    """Returns a value of JSON; lists and mappings may be nested."""
    if isinstance(given, list | tuple):
        return [_plain(value) for value in given]
    if isinstance(given, dict):
        return {str(name): _plain(value) for name, value in given.items()}
    if isinstance(given, float) and not math.isfinite(given):
        raise refusal(f"must be finite, but got {given}; give a number")
    if given is None or isinstance(given, bool | int | float | str):
        return given
    raise refusal(f"must be a number, text, list or mapping, but got {quoted(given)}")


def _written(value: Any) -> Any:
    return value.as_mapping() if isinstance(value, Domain) else value


Argument = Annotated[
    Any, PlainValidator(_argument, json_schema_input_type=Any), PlainSerializer(_written)
]


def _in_capitals(name: str) -> str:
    if not re.fullmatch("[A-Z0-9_]+", name):
        fix = name.upper() if re.fullmatch(r"\w+", name) else "LORA"
        raise refusal(
            f"must be PEFT's name of a type, in capitals, but got {quoted(name)}; write {fix}"
        )
    return name


class PeftSpec(Section):
    """An adapter of Hugging Face's PEFT: its type, and any of the arguments of its config."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Argument]

    method: Literal["peft"] = "peft"
    peft_type: Annotated[str, AfterValidator(_in_capitals)]
    """PEFT's name of the type, such as LORA, IA3 or VERA."""
    matrices: Matrices = DEFAULT_MATRICES
    """The layers that PEFT calls target_modules; those may be given instead."""

    @model_validator(mode="before")
    @classmethod
    @override
    def _only_known_keys(cls, given: Any) -> Any:
        """Leaves out null, which stands for PEFT's default; other keys are PEFT's arguments."""
        if not isinstance(given, dict):
            return given
        return {name: value for name, value in given.items() if value is not None}

    @model_validator(mode="after")
    def _matrices_have_an_effect(self) -> "PeftSpec":
        if not self.uses_matrices and self.matrices != DEFAULT_MATRICES:
            what = "target_modules" if "target_modules" in self.arguments else NORMS
            text = f"must not be given with {what}, but got both; remove one of them"
            refuse(("matrices",), text, self.matrices)
        return self

    @model_serializer(mode="wrap")
    def _with_one_of_both(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leaves out `matrices` where they have no effect."""
        values: dict[str, Any] = serialize(self)
        if not self.uses_matrices:
            del values["matrices"]
        return values

    @property
    def uses_matrices(self) -> bool:
        """Whether `matrices` decide which layers are adapted."""
        return self.peft_type != NORMS and "target_modules" not in self.arguments

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments of PEFT's config, in the order of the YAML."""
        return dict(self.__pydantic_extra__ or {})

    @property
    def label(self) -> str:
        """The type and what distinguishes it from others of it: `LORA use_dora`.

        Only switches and names are included: numbers do not make another method.
        """
        marks = [
            name if value is True else f"{name}={value}"
            for name, value in self.arguments.items()
            if name != "target_modules" and (value is True or isinstance(value, str))
        ]
        return " ".join((self.peft_type, *marks))


def method_label(adapter: Any) -> str:
    """Returns the name of a method in tables: `lora`, or `peft LORA use_dora`."""
    if isinstance(adapter, PeftSpec):
        return f"{adapter.method} {adapter.label}"
    return str(adapter.method)
