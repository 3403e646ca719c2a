"""Events from and to the JSON objects of events.jsonl, with checks of their fields.

The checks follow from the annotations of `study.storage.events`, at every depth. A field that a
class does not have is ignored: a newer release may add some without a new journal version. It
stays in the file, which is only ever appended to.
"""

import math
import reprlib
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache, cached_property
from itertools import repeat
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

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
LARGEST = 2**63
"""Integers are smaller than this."""
DEEPEST = 32
"""How deep lists and objects may be nested in one another."""


class FieldError(ValueError):
    """A field is missing or cannot have its value; the message is a rule and what was found."""

    def __init__(self, rule: str, place: str = "") -> None:
        super().__init__(f"{place.removeprefix('.')} {rule}")
        self.rule, self.place = rule, place

    def inside(self, name: str) -> "FieldError":
        """Returns the error with the place of the field in the object or list around it."""
        return FieldError(self.rule, name + self.place)


@dataclass(frozen=True)
class _Kind:
    """The values that an annotation allows, as JSON has them."""

    types: frozenset[type]
    rule: str
    least: float = -LARGEST
    most: float = LARGEST
    choices: tuple[object, ...] = ()
    items: Any = None
    """The annotation of the items of a list, or of the values of an object."""
    places: tuple[Any, ...] = ()
    """The annotations of a list of fixed length."""
    cls: type[Any] | None = None
    """The class of an object: one of the events' own, or a TypedDict."""

    @cached_property
    def item(self) -> "_Kind":
        """What items may be."""
        return _kind(self.items)

    def parse(self, value: Any, depth: int) -> Any:
        """Returns the value of a field as its class has it.

        Raises:
            FieldError: the field cannot have this value.
        """
        found = type(value)
        if found not in self.types or not self._allows(found, value):
            raise FieldError(f"must be {self.rule}, but got {reprlib.repr(value):.60}")
        if found is not dict and found is not list:
            return value
        if depth > DEEPEST:
            raise FieldError(f"must be nested at most {DEEPEST} deep, but got more")
        if found is list:
            kinds = map(_kind, self.places) if self.places else repeat(self.item, len(value))
            return [
                _inside(f"[{n}]", kind, one, depth)
                for n, (kind, one) in enumerate(zip(kinds, value, strict=True))
            ]
        if self.cls is not None:
            return _made(self.cls, value, depth + 1)
        return {name: _inside(name, self.item, one, depth) for name, one in value.items()}

    def _allows(self, found: type, value: Any) -> bool:
        if found is float:
            return math.isfinite(value) and (
                self.most == LARGEST or self.least <= value <= self.most
            )
        if found is int:
            return bool(self.least <= value <= self.most)
        if found is str:
            return not self.choices or value in self.choices
        return found is not list or not self.places or len(value) == len(self.places)


def _inside(name: str, kind: _Kind, value: Any, depth: int) -> Any:
    try:
        return kind.parse(value, depth + 1)
    except FieldError as error:
        raise error.inside(name if name.startswith("[") else f".{name:.40}") from None


def event_of(data: Mapping[str, Any]) -> Event:
    """Returns the event of a JSON object with `event`.

    Raises:
        FieldError: a field is missing, of another type, or out of range.
    """
    name = str(data["event"])
    cls = CLASSES.get(name)
    if cls is None:
        rest = {key: value for key, value in data.items() if key not in ("event", "time")}
        return UnknownEvent(name=name, time=_value("time", data), fields=rest)
    event: Event = _made(cls, data)
    return event


def faults(data: Mapping[str, Any]) -> Iterator[str]:
    """Yields what is wrong with each field of an event's JSON object, in words."""
    cls = CLASSES.get(str(data["event"]), Event)
    for name in _fields(cls):
        try:
            _value(name, data, cls)
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


def _made(cls: type[Any], data: Mapping[str, Any], depth: int = 0) -> Any:
    values = {name: _value(name, data, cls, depth) for name in _fields(cls)}
    return cls(**{name: value for name, value in values.items() if value is not ABSENT})


def _value(name: str, data: Mapping[str, Any], cls: type[Any] = Event, depth: int = 0) -> Any:
    """Returns the value of a field of a class in an object; ABSENT if it may be and is absent."""
    kind, required = _fields(cls)[name]
    try:
        if name in data:
            return kind.parse(data[name], depth)
        if required:
            raise FieldError(f"must be {kind.rule}, but got nothing")
    except FieldError as error:
        raise error.inside(f".{name}") from None
    return ABSENT


def _plain(value: Any) -> Any:
    """A value as JSON knows it, at any depth."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):  # A path may have bytes that are no text.
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if is_dataclass(value):
        there = ((f.name, getattr(value, f.name)) for f in fields(value))
        return {name: _plain(item) for name, item in there if item is not ABSENT}
    return value


# Checks from annotations


_known: dict[type[Any], dict[str, tuple[_Kind, bool]]] = {}


def _fields(cls: type[Any]) -> dict[str, tuple[_Kind, bool]]:
    """Returns what each field of a class may be, and whether it is required."""
    if cls not in _known:
        _known[cls] = _read_fields(cls)
    return _known[cls]


def _read_fields(cls: type[Any]) -> dict[str, tuple[_Kind, bool]]:
    hints = get_type_hints(cls, include_extras=True)
    if is_typeddict(cls):
        required = cls.__required_keys__
        return {name: (_kind(hint), name in required) for name, hint in hints.items()}
    # Every line has a time, although a new event has none before it is written.
    return {
        f.name: (_kind(hints[f.name]), f.default is MISSING or f.name == "time")
        for f in fields(cls)
    }


@cache
def _kind(hint: Any) -> _Kind:
    """Returns what an annotation allows; at most one part of a union is a list or an object."""
    if hint is Any:
        return _Kind(frozenset({*WORDS}), "a JSON value without NaN or huge numbers", items=Any)
    types: set[type] = set()
    words: list[str] = []
    more: dict[str, Any] = {}
    for part in _alternatives(hint):
        if part is Absent:
            continue
        if get_origin(part) is Annotated:
            part, more["least"], more["most"] = get_args(part)
        kind = _json_type(part)
        types |= {int, float} if kind is float else {kind}
        words.append(WORDS[kind])
        if get_origin(part) is Literal:
            more["choices"] = get_args(part)
        elif kind is list:
            more |= _items(part)
        elif kind is dict and (is_dataclass(part) or is_typeddict(part)):
            more["cls"] = part
        elif kind is dict:
            more["items"] = get_args(part)[1]
    return _Kind(frozenset(types), _rule(words, **more), **more)


def _rule(
    words: list[str],
    least: float | None = None,
    choices: tuple[object, ...] = (),
    places: tuple[Any, ...] = (),
    **_: Any,
) -> str:
    rule = " or ".join(words)
    if least is not None:
        rule = (
            f"{rule} of at least {least}"
            if len(words) == 1
            else rule.replace("an integer", f"an integer of at least {least}")
        )
    if places:
        rule = rule.replace("a list", f"a list of {len(places)}")
    return f"one of {', '.join(map(str, choices))}" if choices else rule


def _alternatives(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)


def _json_type(part: Any) -> type:
    kind = get_origin(part) or part
    if kind is Literal:
        return str
    if kind in WORDS:
        return kind  # type: ignore[no-any-return]
    is_object = is_dataclass(part) or is_typeddict(part) or issubclass(kind, Mapping)
    return dict if is_object else list


def _items(part: Any) -> dict[str, Any]:
    arguments = get_args(part)
    return {"places": arguments} if get_origin(part) is tuple else {"items": arguments[0]}
