"""Types of leaves: the values of a fixed setting, and whether it may be searched."""

import json
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PlainValidator

from study.spec.domains import Searchable
from study.spec.rules import quoted, refusal

Matrix = Literal["q", "k", "v", "o", "f1", "f2", "gate"]

MAX_COUNT = 10**9

Count = Annotated[int, Field(ge=1, le=MAX_COUNT)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Seeds = Annotated[tuple[Seed, ...], Field(strict=False, min_length=1)]
Text = Annotated[str, Field(min_length=1)]


def _steps_or_fraction(value: object) -> int | float:
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_COUNT:
        return value
    if isinstance(value, float) and 0 < value < 1:
        return value
    expected = "a whole number of steps >= 1 or a fraction of T in (0, 1)"
    raise refusal(f"must be {expected}, but got {quoted(value)}")


# Searchable leaves
Rate = Annotated[float, Field(ge=0, le=1), Searchable()]
OptionalRate = Annotated[Annotated[float, Field(ge=0, le=1)] | None, Searchable()]
Decay = Annotated[float, Field(ge=0, lt=1), Searchable()]
PositiveNumber = Annotated[float, Field(gt=0), Searchable()]
OptionalPositive = Annotated[Annotated[float, Field(gt=0)] | None, Searchable()]
NonNegative = Annotated[float, Field(ge=0), Searchable()]
SearchableCount = Annotated[int, Field(ge=1, le=MAX_COUNT), Searchable()]
RatioCount = Annotated[int, Field(ge=1, le=MAX_COUNT), Searchable(as_ratio=True)]
SearchableSteps = Annotated[int, Field(ge=0, le=MAX_COUNT), Searchable()]
Interval = Annotated[
    int | float,
    PlainValidator(_steps_or_fraction, json_schema_input_type=int | float),
    Searchable(),
]


Pooling = Annotated[Literal["auto", "cls", "mean", "last"], Searchable()]


def _class_weights(value: object) -> str | tuple[float, ...]:
    if value in ("none", "balanced"):
        return str(value)
    if isinstance(value, list | tuple) and len(value) > 1 and all(map(_is_weight, value)):
        return tuple(map(float, value))
    expected = "none, balanced or a list with a weight from 1e-6 to 1e6 for each class"
    raise refusal(f"must be {expected}, but got {quoted(value)}")


def _is_weight(value: object) -> bool:
    # Bounded, so that sums of weights are numbers in float32.
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and 1e-6 <= float(value) <= 1e6  # type: ignore[arg-type]


_Weights = Annotated[tuple[Annotated[float, Field(ge=1e-6, le=1e6)], ...], Field(min_length=2)]
ClassWeights = Annotated[
    Literal["none", "balanced"] | tuple[float, ...],
    PlainValidator(
        _class_weights,
        json_schema_input_type=Literal["none", "balanced"] | _Weights,
    ),
    Searchable(),
]


def _some_different(matrices: tuple[str, ...]) -> tuple[str, ...]:
    if not matrices:
        raise refusal("must have at least one matrix, but got none; add some")
    if len(set(matrices)) < len(matrices):
        raise refusal(f"matrices must differ, but got {', '.join(matrices)}; remove one")
    return matrices


Matrices = Annotated[tuple[Matrix, ...], Field(strict=False), AfterValidator(_some_different)]
DEFAULT_MATRICES: tuple[Matrix, ...] = ("q", "k", "v", "o", "f1", "f2")
"""Those that every family has."""


def cell_of(value: Any) -> Any:
    """Returns the value of a leaf as a table and MLflow have it: lists and mappings as text.

    Example:
        >>> cell_of(["q", "v"]), cell_of({"rho": 2.0}), cell_of(8)
        ('q v', '{"rho": 2.0}', 8)
    """
    if isinstance(value, list) and not any(isinstance(item, list | dict) for item in value):
        return " ".join(map(str, value))
    return json.dumps(value) if isinstance(value, list | dict) else value
