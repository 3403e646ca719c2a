"""What every section shares: a strict, frozen model and a way to refuse one of its keys."""

import difflib
from collections.abc import Iterable
from typing import Any, NoReturn

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError


def refusal(text: str) -> PydanticCustomError:
    """The validation error that says `text`, for a validator of one value to raise."""
    return PydanticCustomError("rule", "{text}", {"text": text})


def refuse(path: Iterable[str | int], text: str, found: object = None) -> NoReturn:
    """Raise the validation error that says `text` about the key at `path` below the model."""
    details = InitErrorDetails(type=refusal(text), loc=tuple(path), input=found)
    raise ValidationError.from_exception_data("study", [details])


def shown(found: object) -> str:
    """What was found, short enough for one line."""
    if isinstance(found, dict):
        return "a mapping"
    text = "nothing" if found is None else repr(found)
    return text if len(text) <= 60 else text[:57] + "..."


def suggestion(word: object, known: Iterable[str]) -> str:
    """`; did you mean ...?` for the known word nearest to `word`, or nothing when none is near."""
    near = difflib.get_close_matches(str(word), list(known), n=1, cutoff=0.6)
    return f"; did you mean `{near[0]}`?" if near else ""


class Section(BaseModel):
    """A mapping of the YAML: unknown keys, wrong types, NaN and infinity are refused."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        validate_default=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _only_known_keys(cls, given: Any) -> Any:
        if isinstance(given, BaseModel):
            return given
        if not isinstance(given, dict):
            refuse((), f"must be a mapping of keys to values, but got {shown(given)}")
        known = list(cls.model_fields)
        for key in given:
            if key not in known:
                hint = suggestion(key, known) or f"; known keys: {', '.join(known) or 'none'}"
                refuse((str(key),), f"unknown key{hint}", key)
        return given
