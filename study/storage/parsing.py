"""Events from and to the JSON objects of events.jsonl, with checks of their fields.

The checks follow from the annotations of `study.storage.events`. A field that a class does not
have is ignored: a newer release may add some without a new journal version. It stays in the file,
which is only ever appended to.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from study.storage import events
from study.storage.events import ABSENT, Absent, Event, UnknownEvent

CLASSES: dict[str, type[Event]] = {
    cls.event: cls
    for cls in vars(events).values()
    if isinstance(cls, type) and issubclass(cls, Event) and hasattr(cls, "event")
}
"""Event name -> class."""
WORDS = {
    str: "a text", bool: "true or false", int: "an integer", float: "a number", dict: "an object",
    list: "a list", NoneType: "null",
}  # fmt: skip


class FieldError(ValueError):
    """A field is missing or cannot have its value; the message is a rule and what was found."""


@dataclass(frozen=True)
class _Field:
    """A field of a class: its JSON types, further checks, and how its value is made of them."""

    name: str
    required: bool
    types: frozenset[type]
    rule: str
    least: int | None = None
    choices: tuple[object, ...] = ()
    make: Callable[[Any], Any] | None = None

    def parse(self, value: Any) -> Any:
        if type(value) not in self.types or (
            self.least is not None and value is not None and value < self.least
        ):
            raise FieldError(f"{self.name} must be {self.rule}, but got {value!r:.60}")
        if self.choices and value not in self.choices:
            raise FieldError(f"{self.name} must be {self.rule}, but got {value!r:.60}")
        return value if self.make is None or value is None else self.make(value)


def event_of(data: Mapping[str, Any]) -> Event:
    """Returns the event of a JSON object with `event`.

    Raises:
        FieldError: a field is missing, of another type, or out of range.
    """
    name = str(data["event"])
    cls = CLASSES.get(name)
    if cls is None:
        rest = {key: value for key, value in data.items() if key not in ("event", "time")}
        time = next(field for field in _fields(Event) if field.name == "time")
        return UnknownEvent(name=name, time=_value(time, data), fields=rest)
    event: Event = _made(cls, data)
    return event


def faults(data: Mapping[str, Any]) -> Iterator[str]:
    """Yields what is wrong with each field of an event's JSON object, in words."""
    for field in _fields(CLASSES.get(str(data["event"]), Event)):
        try:
            _value(field, data)
        except FieldError as error:
            yield str(error)


def name_of(event: Event) -> str:
    """Returns the name of an event in the journal."""
    return event.name if isinstance(event, UnknownEvent) else event.event


def as_json(event: Event) -> dict[str, Any]:
    """Returns the JSON object of an event; numbers that are not finite are None."""
    if isinstance(event, UnknownEvent):
        return {"event": event.name, "time": event.time, **event.fields}
    return {"event": event.event, **_plain(event)}


def _made(cls: type[Any], data: Mapping[str, Any]) -> Any:
    values = {}
    for field in _fields(cls):
        value = _value(field, data)
        if value is not ABSENT:
            values[field.name] = value
    return cls(**values)


def _value(field: _Field, data: Mapping[str, Any]) -> Any:
    if field.name in data:
        return field.parse(data[field.name])
    if field.required:
        raise FieldError(f"{field.name} must be {field.rule}, but got nothing")
    return ABSENT


def _plain(value: Any) -> Any:
    """A value as JSON knows it, at any depth."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if is_dataclass(value):
        there = ((f.name, getattr(value, f.name)) for f in fields(value))
        return {name: _plain(item) for name, item in there if item is not ABSENT}
    return value


# Checks from annotations


_known: dict[type[Any], tuple[_Field, ...]] = {}


def _fields(cls: type[Any]) -> tuple[_Field, ...]:
    if cls not in _known:
        hints = get_type_hints(cls, include_extras=True)
        _known[cls] = tuple(
            # Every line has a time, although a new event has none before it is written.
            _field(f.name, f.default is MISSING or f.name == "time", hints[f.name])
            for f in fields(cls)
        )
    return _known[cls]


def _field(name: str, required: bool, hint: Any) -> _Field:
    parts = [part for part in _alternatives(hint) if part is not Absent]
    types: set[type] = set()
    words: list[str] = []
    least: int | None = None
    choices: tuple[object, ...] = ()
    make: Callable[[Any], Any] | None = None
    for part in parts:
        if get_origin(part) is Annotated:
            part, least = get_args(part)
        if get_origin(part) is Literal:
            choices = get_args(part)
            part = str
        if is_dataclass(part) or _items(part) is not None:
            make = _maker(part)
        kind = _json_type(part)
        types |= {int, float} if kind is float else {kind}
        words.append(WORDS[kind])
    rule = " or ".join(words)
    if least is not None:
        rule = rule.replace("an integer", f"an integer of at least {least}")
    if choices:
        rule = f"one of {', '.join(map(str, choices))}"
    return _Field(name, required, frozenset(types), rule, least, choices, make)


def _alternatives(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)


def _json_type(part: Any) -> type:
    kind = get_origin(part) or part
    if kind in WORDS:
        return kind  # type: ignore[no-any-return]
    return dict if is_dataclass(part) or issubclass(kind, Mapping) else list


def _items(part: Any) -> Any:
    """The class of a list's items, None unless it is one of the events' own."""
    args = get_args(part)
    return args[0] if len(args) == 1 and is_dataclass(args[0]) else None


def _maker(part: Any) -> Callable[[Any], Any]:
    items = _items(part)
    if items is None:
        return lambda value: _made(part, value)
    return lambda value: [_made_of_item(items, item) for item in value]


def _made_of_item(cls: type[Any], item: Any) -> Any:
    if not isinstance(item, dict):
        raise FieldError(f"an item must be an object, but got {item!r:.60}")
    return _made(cls, item)
