"""A validation error -> the one line that a user can act on."""

from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from study.errors import InputError
from study.spec.reader import Document, KeyPath
from study.spec.rules import suggestion

_TAGGED = (
    "adapter",
    "sampler",
)  # sections whose class depends on a key: pydantic inserts its value
_EXPECTED = {
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text",
    "path_type": "text",
    "tuple_type": "a list",
    "model_type": "a mapping of keys to values",
    "model_attributes_type": "a mapping of keys to values",
}
_COMPARISONS = {
    "greater_than": (">", "gt"),
    "greater_than_equal": (">=", "ge"),
    "less_than": ("<", "lt"),
    "less_than_equal": ("<=", "le"),
}


def input_error(error: ValidationError, document: Document) -> InputError:
    """The first of the errors by line, and how many more there are."""
    lines = []
    for details in error.errors(include_url=False):
        path = _path(details)
        place = document.place(path)
        where = ".".join(map(str, path)) or "the file"
        lines.append((place.line, f"{place}: {where}: {_text(details, path)}"))
    lines.sort(key=lambda line: line[0])
    more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
    return InputError((lines[0][1] + more).replace("\n", " "))


def _path(details: ErrorDetails) -> KeyPath:
    loc = details["loc"]
    path = tuple(
        part for part, before in zip(loc, ("", *loc), strict=False) if before not in _TAGGED
    )
    if details["type"].startswith("union_tag"):
        return (*path, details["ctx"]["discriminator"].strip("'"))
    return path


def _text(details: ErrorDetails, path: KeyPath) -> str:
    kind, found, ctx = details["type"], details["input"], details.get("ctx", {})
    if kind in _COMPARISONS:
        sign, key = _COMPARISONS[kind]
        return f"{path[-1]} {sign} {ctx[key]} must hold, but got {path[-1]}={found!r}"
    if kind in _EXPECTED:
        return f"must be {_EXPECTED[kind]}, but got {_shown(found)}"
    if kind == "literal_error":
        return f"must be one of {ctx['expected']}, but got {_shown(found)}"
    if kind == "union_tag_invalid":
        known = [tag.strip("'") for tag in ctx["expected_tags"].split(", ")]
        hint = suggestion(ctx["tag"], known)
        return f"must be one of {', '.join(known)}, but got {ctx['tag']!r}{hint}"
    if kind in ("missing", "union_tag_not_found"):
        return "must be given"
    if kind == "finite_number":
        return f"must be finite, but got {found!r}"
    if kind in ("too_short", "string_too_short"):
        return f"must not be empty, but got {_shown(found)}"
    return details["msg"]


def _shown(found: Any) -> str:
    if isinstance(found, dict):
        return "a mapping; only some settings can be searched" if "type" in found else "a mapping"
    text = "nothing" if found is None else repr(found)
    return text if len(text) <= 60 else text[:57] + "..."
