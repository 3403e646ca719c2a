"""pydantic's validation errors -> InputErrors of one line."""

import re
from typing import Any, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from study.errors import InputError
from study.spec.backbone import BACKBONE_SPECS
from study.spec.methods import Adapter
from study.spec.rules import quoted, suggestion
from study.spec.samplers import Sampler
from study.spec.yaml.aliases import key_fix, synonym_fix, word_fix
from study.spec.yaml.corrections import domain_text, sweep_line, value_fix
from study.spec.yaml.reader import Document, KeyPath

_EXPECTED = {
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text",
    "path_type": "text",
    "tuple_type": "a list",
    "dict_type": "a mapping of keys to values",
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
    """Returns the error of the first line in the file, with the number of the others."""
    lines = {}
    for details in error.errors(include_url=False):
        path = _path(details)
        place = document.place(path)
        found = domain_text(document, path)
        if found is None:
            text = _text(details, path, document)
        else:
            path, text = path[:2], found
        lines[f"{place}: {'.'.join(map(str, path)) or 'the file'}: {text}"] = place.line
        swept = sweep_line(document) if details["type"] == "unknown_key" and not path[1:] else None
        if swept is not None:
            return InputError(swept)
    first, *others = sorted(lines, key=lambda line: lines[line])
    more = f" (and {len(others)} more)" if others else ""
    return InputError((first + more).replace("\n", " "))


def _path(details: ErrorDetails) -> KeyPath:
    loc = details["loc"]
    path = tuple(
        part for part, before in zip(loc, ("", *loc), strict=False) if before not in _KINDS
    )
    if details["type"].startswith("union_tag"):
        return (*path, details["ctx"]["discriminator"].strip("'"))
    return path


def _text(details: ErrorDetails, path: KeyPath, document: Document) -> str:
    kind, value, ctx = details["type"], details["input"], details.get("ctx", {})
    if kind in _COMPARISONS:
        sign, key = _COMPARISONS[kind]
        inner = path[-1] in ("low", "high", "choices") or isinstance(path[-1], int)
        leaf = path[-2] if inner else path[-1]
        got = leaf if isinstance(path[-1], int) else path[-1]
        bound = f"{ctx[key]:g}" if isinstance(ctx[key], float) else ctx[key]
        return f"{leaf} {sign} {bound} must hold, but got {got}={quoted(value)}"
    if kind in _EXPECTED:
        fix = value_fix(kind, str(path[-1]), value) if path else ""
        return f"must be {_EXPECTED[kind]}, but got {quoted(value)}{fix}"
    if kind == "unknown_key":
        fix = key_fix(path, document.value(path), ctx["known"]) or ctx["hint"]
        return f"{ctx['text']}{fix}"
    if kind == "literal_error":
        return _one_of(re.findall("'(.*?)'", ctx["expected"]), value)
    if kind == "union_tag_invalid":
        return _one_of(_KINDS[path[-2]], value[path[-1]])
    if kind == "union_tag_not_found":
        return f"must be one of {', '.join(_KINDS[path[-2]])}, but got nothing; add it"
    if kind == "missing":
        return "must be given, but got nothing; add it"
    if kind == "finite_number":
        return f"must be finite, but got {value!r}; give a number"
    if kind in ("string_too_short", "too_short"):
        return f"must not be empty, but got {quoted(value)}; fill it in"
    if kind == "rule":
        return details["msg"]
    return f"must be valid, but got {quoted(value)}: {details['msg']}"


def _one_of(known: list[str], value: Any) -> str:
    expected = f"one of {', '.join(known)}" if len(known) > 1 else known[0]
    fix = synonym_fix(value, known) or suggestion(value, known) or word_fix(value, known)
    fix = "; this cannot be searched: run a study for each" if isinstance(value, dict) else fix
    return f"must be {expected}, but got {quoted(value)}{fix}"


def _tags(union: Any, key: str) -> list[str]:
    return [member.model_fields[key].default for member in get_args(get_args(union)[0])]


# Keys whose class depends on a key inside; pydantic puts that key's value into the location.
_KINDS: dict[str | int, list[str]] = {
    "adapter": _tags(Adapter, "method"),
    "backbone": [spec.kind for spec in BACKBONE_SPECS],
    "sampler": _tags(Sampler, "name"),
}
