"""Base class of all sections, and the validation errors that their rules raise."""

import difflib
from collections.abc import Iterable
from typing import Any, NoReturn

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError


def refusal(text: str) -> PydanticCustomError:
    """Returns a validation error with the message `text`, for a validator of one value."""
    return PydanticCustomError("rule", "{text}", {"text": text})


def refuse(path: Iterable[str | int], text: str, value: object = None) -> NoReturn:
    """Raises a validation error with the message `text` for the key at `path` of the model."""
    details = InitErrorDetails(type=refusal(text), loc=tuple(path), input=value)
    raise ValidationError.from_exception_data("study", [details])


def quoted(value: object) -> str:
    """Returns a value as text for a message: one line, at most 60 characters."""
    if isinstance(value, dict):
        return "a mapping"
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def suggestion(word: object, known: Iterable[str]) -> str:
    """Returns `; did you mean X?` for the most similar known word; empty if none is similar."""
    by_lower = {each.lower(): each for each in known}
    near = difflib.get_close_matches(str(word).lower(), list(by_lower), n=1, cutoff=0.6)
    return f"; did you mean `{by_lower[near[0]]}`?" if near else ""


class Section(BaseModel):
    """A mapping of the YAML. Unknown keys, wrong types, NaN and infinity are errors."""

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
            text = f"must be a mapping of keys to values, but got {quoted(given)}"
            raise PydanticCustomError("dict_type", "{text}", {"text": text})
        known = list(cls.model_fields)
        for key in given:
            if key not in known:
                hint = suggestion(key, known) or f"; known keys: {', '.join(known) or 'none'}"
                text = f"must be a known key, but got {quoted(key)}"
                error = PydanticCustomError(
                    "unknown_key", "{text}{hint}", {"text": text, "hint": hint, "known": known}
                )
                details = InitErrorDetails(type=error, loc=(str(key),), input=key)
                raise ValidationError.from_exception_data("study", [details])
        return given
