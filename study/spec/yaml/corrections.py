"""What to write instead of a domain, a value or a whole file of another tool."""

import math
from typing import Any, get_args

from pydantic import ValidationError

from study.spec.backbone import CNN
from study.spec.domains import DOMAINS
from study.spec.methods import METHOD_SPECS, AdaLoraRSSpec
from study.spec.rules import quoted
from study.spec.samplers import Sampler
from study.spec.schema import StudySpec
from study.spec.yaml.aliases import homes, is_searchable, section_fields, word_fix
from study.spec.yaml.reader import Document, KeyPath
from study.spec.yaml.spellings import flow, spellings

_SWEEPS = (
    ("parameters",),
    ("hydra", "sweeper", "params"),
    ("param_space",),
    ("search_space",),
    ("hyperparameters",),
    ("params",),
    ("config",),
)
"""Where other tools have their parameters in a file."""
_NAMED_BY = {
    "adapter": "method",
    "backbone": "name",
    "task": "name",
    "scheduler": "name",
    "sampler": "name",
}
"""The key that a text in place of a section means."""
SAMPLERS = [each.model_fields["name"].default for each in get_args(get_args(Sampler)[0])]
METHODS = [each.model_fields["method"].default for each in METHOD_SPECS]
_TRUE, _FALSE = ("yes", "on", "true", "1", "y"), ("no", "off", "false", "0", "n")
_NOTHING = ("none", "null", "nil", "nan", "~", "")
_LISTED = ("class_weights",)
"""Searchable leaves whose value may be a list."""
_MOST = 200
"""Characters of a line to write; a longer one is cut."""


def domain_text(document: Document, path: KeyPath) -> str | None:
    """Returns the message for a leaf with a domain of another tool; None for other errors.

    `path` is that of an error, at the leaf or below it.
    """
    if len(path) < 2:
        return None
    section, leaf, given = str(path[0]), str(path[1]), document.value(path[:2])
    is_leaf = leaf in section_fields(section) and leaf not in _NAMED_BY
    if leaf in _LISTED and isinstance(given, list):
        return None
    alternatives = spellings(given) if is_leaf else []
    if is_searchable(section, leaf) and alternatives:
        chosen = [_suitable(document, section, leaf, each) for each in alternatives]
        lines = " or ".join(cut(f"{leaf}: {flow(domain)}") for domain in chosen)
        rule = "a domain must have the type float, int or categorical"
        return f"{rule}, but got {cut(flow(given))}; write {lines}"
    if alternatives and isinstance(given, dict):
        fix = "run a study for each" if leaf == "method" else "this cannot be searched"
        return f"must be one value, but got {cut(flow(given))}; {fix}"
    return None


def cut(text: str) -> str:
    """Returns a text of at most `_MOST` characters."""
    return text if len(text) <= _MOST else text[: _MOST - 3] + "..."


def _suitable(document: Document, section: str, leaf: str, domains: list[Any]) -> Any:
    """Returns the first domain that the leaf accepts, or the first."""
    method = document.value(("adapter", "method"))
    method = method if method in METHODS else AdaLoraRSSpec().method
    given = {"adapter": {"method": method}}.get(section, {})
    if section == "backbone" and document.value(("backbone", "name")) == CNN:
        given = {"name": CNN}
    for domain in domains:
        try:
            StudySpec.model_validate({section: given | {leaf: domain}})
        except ValidationError as error:
            kinds = [each["type"] for each in error.errors() if leaf in each["loc"]]
            below = any(each["loc"][-1] != leaf for each in error.errors() if leaf in each["loc"])
            if below or set(kinds) - {"rule"}:
                continue
        return domain
    return domains[0]


def sweep_line(document: Document) -> str | None:
    """Returns the message for a file of another tool: its first parameter that exists here.

    None if there is none.
    """
    for path in _SWEEPS:
        parameters = document.value(path)
        for name, given in parameters.items() if isinstance(parameters, dict) else ():
            places = homes(str(name).rpartition(".")[2])
            section, _, leaf = (name if name in places else (*places, "")[0]).partition(".")
            if not leaf:
                continue
            alternatives = spellings(given)
            value = _suitable(document, section, leaf, alternatives[0]) if alternatives else given
            place = document.place((*path, name))
            rule = "a setting must be in its section"
            line = cut(f"{section}: {{{leaf}: {flow(value)}}}")
            return f"{place}: {name}: {rule}, but got one under {'.'.join(path)}; write {line}"
    return None


def value_fix(kind: str, key: str, value: Any) -> str:
    """Returns the end of the message for a value of a wrong type, as `; write true`."""
    if isinstance(value, dict):
        is_domain = value.get("type") in tuple(DOMAINS)
        return "; this cannot be searched" if is_domain else ""
    text = value.strip().lower() if isinstance(value, str) else None
    if kind in ("model_type", "model_attributes_type", "dict_type") and text and key in _NAMED_BY:
        return _section_fix(key, str(value))
    if kind == "bool_type" and (str(value).lower() in _TRUE + _FALSE):
        return f"; write {flow(str(value).lower() in _TRUE)}"
    if text in _NOTHING and kind != "string_type":
        return "; write null or leave it out"
    if kind == "tuple_type" and text:
        return f"; write {key}: [{value}]"
    number = _number(value) if kind in ("int_type", "float_type") else None
    if number is None or (kind == "int_type" and not number.is_integer()):
        return ""
    return f"; write {int(number) if kind == 'int_type' else flow(number)}"


def _section_fix(key: str, value: str) -> str:
    known = {"sampler": SAMPLERS, "adapter": METHODS, "scheduler": ("asha", "none")}.get(key)
    near = word_fix(value, list(known)) if known else ""
    word = near.split("`")[1] if near else quoted(value).strip("'")
    return f"; write {key}: {{{_NAMED_BY[key]}: {flow(word)}}}"


def _number(value: Any) -> float | None:
    """Returns a number that is written as text or as another type; None if it is no number."""
    if not isinstance(value, str | float):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
