"""Domains: the sets of values over which a leaf is searched.

A leaf marked `Searchable` takes `8` or `{type: int, low: 4, high: 16}`. Its declared type is
that of a fixed value. After `resolve` it is a fixed value; before, a searched leaf is an instance
of a class below (`StudySpec.domains` lists them).

In this order: the three kinds of domains; reading and describing them; `Searchable`; whether a
domain contains a value (`fit`) or another domain (`contains`).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NoReturn

from pydantic import (
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainValidator,
    ValidationError,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, InitErrorDetails, core_schema

from study.spec.rules import Section, quoted, refusal, refuse, suggestion

MAX_STEPS, MAX_LISTED = 10**9, 10**6
"""Steps of an interval; values of a domain that the grid sampler lists."""
Choice = bool | int | float | str | None


def _plain_value(value: object) -> Choice:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise refusal(f"must be a plain value, but got {quoted(value)}")


PlainChoice = Annotated[Choice, PlainValidator(_plain_value, json_schema_input_type=Choice)]


class _Domain(Section):
    role: Literal["nuisance"] | None = None
    """`nuisance`: tuned for a fair comparison, but not itself of interest."""

    def as_mapping(self) -> dict[str, Any]:
        """Returns the mapping that a YAML has for this domain."""
        return {"type": self.type} | self.model_dump(mode="json", exclude_defaults=True)  # type: ignore[attr-defined]


class _Interval(_Domain):
    @model_validator(mode="after")
    def _low_to_high(self) -> "_Interval":
        low, high, log, step = self.low, self.high, self.log, self.step  # type: ignore[attr-defined]
        if low > high:
            refuse((), f"low <= high must hold, but got low={low}, high={high}")
        if log and low <= 0:
            refuse(("low",), f"low > 0 must hold for log: true, but got low={low}; raise it", low)
        if log and step is not None:
            refuse(
                ("step",),
                f"must not be given with log: true, but got {step}; remove one of them",
                step,
            )
        if step is not None:
            self._check_step(low, high, step)
        return self

    @property
    def is_finite(self) -> bool:
        """Whether the values can be listed, at most `MAX_LISTED`, as the grid sampler requires."""
        low, high, step = self.low, self.high, self.step  # type: ignore[attr-defined]
        step = step or (1 if self.type == "int" else None)  # type: ignore[attr-defined]
        is_listed = step is not None and high - low < MAX_LISTED * step
        return is_listed and not self.log  # type: ignore[attr-defined]

    @staticmethod
    def _check_step(low: float, high: float, step: float) -> None:
        if step <= 0:
            refuse(
                ("step",),
                f"step > 0 must hold, but got step={step}; raise it or leave it out",
                step,
            )
        if high - low > MAX_STEPS * step:
            text = f"must divide high - low into at most {MAX_STEPS:,} steps, but got step={step}"
            refuse(("step",), f"{text}; raise it or leave it out", step)
        steps = (high - low) / step
        if abs(steps - round(steps)) > 1e-8 * max(1.0, steps):
            reached = round(low + int(steps) * step, 12)
            text = f"step must divide high - low, but got low={low}, high={high}, step={step}"
            refuse(("step",), f"{text}; set high={reached}", step)


class FloatDomain(_Interval):
    """Real numbers in [low, high]; with `ratio_of: b0` (only for bT) fractions of b0."""

    type: Literal["float"] = "float"
    low: float
    high: float
    log: bool = False
    step: float | None = None
    ratio_of: Literal["b0"] | None = None

    def bounds(self) -> tuple[Choice, ...]:
        """Returns low and high."""
        return (self.low, self.high)


class IntDomain(_Interval):
    """Whole numbers in [low, high]."""

    type: Literal["int"] = "int"
    low: int
    high: int
    log: bool = False
    step: int | None = None

    def bounds(self) -> tuple[Choice, ...]:
        """Returns low and high."""
        return (self.low, self.high)


class CategoricalDomain(_Domain):
    """A few values without an order."""

    type: Literal["categorical"] = "categorical"
    choices: Annotated[tuple[PlainChoice, ...], Field(strict=False)]

    @property
    def is_finite(self) -> bool:
        """Always."""
        return True

    @model_validator(mode="after")
    def _all_different(self) -> "CategoricalDomain":
        if not self.choices:
            refuse(("choices",), "must have at least one choice, but got none; add some")
        for place, choice in enumerate(self.choices):
            if choice in self.choices[:place]:
                text = f"choices must differ, but got {choice!r} twice; remove one"
                refuse(("choices",), text, choice)
        return self

    def bounds(self) -> tuple[Choice, ...]:
        """Returns every choice."""
        return self.choices


Domain = FloatDomain | IntDomain | CategoricalDomain
DOMAINS: dict[str, type[FloatDomain] | type[IntDomain] | type[CategoricalDomain]] = {
    "float": FloatDomain,
    "int": IntDomain,
    "categorical": CategoricalDomain,
}


def parameter_name(leaf: str, domain: Domain) -> str:
    """Returns Optuna's name of a searched leaf: the leaf's, or `bT_ratio` for a ratio."""
    return f"{leaf}_ratio" if isinstance(domain, FloatDomain) and domain.ratio_of else leaf


def read_domain(given: dict[str, Any]) -> Domain:
    """Returns the domain that a mapping describes."""
    kind = given.get("type")
    if not isinstance(kind, str) or kind not in DOMAINS:
        given_kind = f"{quoted(kind)}{suggestion(kind, DOMAINS)}"
        refuse(("type",), f"must be one of {', '.join(DOMAINS)}, but got {given_kind}")
    return DOMAINS[kind].model_validate(given)


def domain_text(domain: Domain) -> str:
    """Returns a domain as tables and reports show it: `1e-05 to 0.001, float, log`, `a | b`."""
    if isinstance(domain, CategoricalDomain):
        return " | ".join(map(str, domain.choices))
    text = f"{domain.low:g} to {domain.high:g}, {domain.type}"
    text += ", log" if domain.log else ""
    text += f", step {domain.step:g}" if domain.step is not None else ""
    ratio_of = getattr(domain, "ratio_of", None)
    return text + (f", as a ratio of {ratio_of}" if ratio_of else "")


def extremes(leaf: Any) -> tuple[Any, ...]:
    """Returns the bounds of a domain, or the one fixed value."""
    return leaf.bounds() if isinstance(leaf, Domain) else (leaf,)


@dataclass(frozen=True)
class Searchable:
    """Marks a leaf that may have a domain; every value of the domain must be valid there."""

    as_ratio: bool = False
    """Whether the domain may be a `ratio_of`."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_wrap_validator_function(
            self._fixed_or_domain,
            handler(source),
            serialization=core_schema.plain_serializer_function_ser_schema(_plain),
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return handler(schema) | {"x-searchable": True}

    def _fixed_or_domain(self, given: Any, fixed: Callable[[Any], Any]) -> Any:
        if not isinstance(given, dict | Domain):
            return fixed(given)
        domain = read_domain(given) if isinstance(given, dict) else given
        if not isinstance(domain, FloatDomain) or domain.ratio_of is None:
            _check_bounds(domain, fixed)
        elif not self.as_ratio:
            refuse(
                ("ratio_of",), "must be left out, as only bT can be a ratio, but got b0; remove it"
            )
        elif not 0 < domain.low <= domain.high <= 1:
            bounds = f"low={domain.low}, high={domain.high}"
            refuse((), f"0 < low <= high <= 1 must hold for ratio_of, but got {bounds}")
        return domain


def is_searchable(field: FieldInfo) -> bool:
    """Returns whether a field of a section is marked `Searchable`."""
    return any(isinstance(mark, Searchable) for mark in field.metadata)


def _plain(value: Any) -> Any:
    return value.as_mapping() if isinstance(value, Domain) else value


def _check_bounds(domain: Domain, fixed: Callable[[Any], Any]) -> None:
    categorical = isinstance(domain, CategoricalDomain)
    names = ("choices",) * len(domain.bounds()) if categorical else ("low", "high")
    for name, value in zip(names, domain.bounds(), strict=True):
        try:
            fixed(value)
        except ValidationError as error:
            _refuse_bound(name, value, error, whole_numbers=isinstance(domain, FloatDomain))


def _refuse_bound(
    name: str, value: Choice, error: ValidationError, *, whole_numbers: bool
) -> NoReturn:
    first = error.errors(include_url=False)[0]
    if first["type"] == "int_type" and whole_numbers:
        refuse(("type",), "must be int, as the values are whole numbers, but got float", "float")
    ctx = first.get("ctx", {})
    kind = refusal(ctx["text"]) if first["type"] == "rule" else first["type"]
    details = InitErrorDetails(type=kind, loc=(name,), input=value, ctx=ctx)
    raise ValidationError.from_exception_data("study", [details]) from None


def contains(leaf: Any, before: Any) -> bool:
    """Returns whether the domain `leaf` contains `before`, an earlier domain or value of the leaf.

    Two domains must agree in their kind, `log` and `ratio_of`, and every earlier value must be
    on the grid of a step. A fixed value contains nothing. A ratio of b0 contains no fixed bT.
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
    distances = (before.low - leaf.low, finest)
    return finest > 0 and all(_is_multiple(distance, step) for distance in distances)


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


def fit(domain: Domain, value: Choice) -> Choice:
    """Returns the value as an element of the domain: a float for `type: float`, or a choice.

    Raises:
        ValueError: the value is not in the domain; the message has the rule that it breaks.
    """
    if isinstance(domain, CategoricalDomain):
        for choice in domain.choices:
            if choice == value and isinstance(choice, bool) == isinstance(value, bool):
                return choice
        choices = ", ".join(map(str, domain.choices))
        raise ValueError(f"must be one of {choices}, but got {quoted(value)}")
    whole = isinstance(domain, IntDomain)
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        kind = "a whole number" if whole else "a number"
        raise ValueError(f"must be {kind}, but got {quoted(value)}")
    if not domain.low <= value <= domain.high:
        raise ValueError(f"must lie in {domain.low:g} to {domain.high:g}, but got {value:g}")
    steps = 0 if domain.step is None else (value - domain.low) / domain.step
    if abs(steps - round(steps)) > 1e-8:
        grid = f"{domain.low:g} plus steps of {domain.step:g}"
        raise ValueError(f"must be {grid}, but got {value:g}")
    return value if whole else float(value)
