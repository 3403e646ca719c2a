"""Domains as W&B, Ray, Optuna, Hydra and others write them -> domains as they are written here.

Used only for messages: such a domain is refused, and the message shows the line to write.

In this order: `spellings`; a form of another tool as kind, arguments and keys; its domains.
"""

import ast
import math
import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from study.spec.domains import DOMAINS

_KEYS = {
    "low": ("low", "min", "lower", "minimum", "min_value", "start"),
    "high": ("high", "max", "upper", "maximum", "max_value", "stop", "end"),
    "step": ("step", "q", "step_size"),
    "choices": ("choices", "values", "options", "categories", "items"),
    "log": ("log", "log_scale"),
    "scale": ("scale", "prior", "sampling"),
    "between": ("bounds", "range", "_value", "args"),
    "value": ("value",),
    "kind": ("type", "_type", "distribution", "name"),
    "role": ("role",),
    "ratio_of": ("ratio_of",),
}
_NAMES = {other: name for name, others in _KEYS.items() for other in others}
_KINDS = {
    "float": ("float", "uniform", "real", "interval", "range", "quniform", "discreteuniform"),
    "log": ("loguniform", "qloguniform", "loguniformvalues", "qloguniformvalues", "reciprocal"),
    "int": ("int", "integer", "intuniform", "randint", "qrandint", "qintuniform"),
    "intlog": ("lograndint", "qlograndint", "intloguniform"),
    "choice": ("choice", "choices", "categorical", "gridsearch", "grid", "values", "randomchoice"),
    "value": ("constant", "fixed", "value"),
}
_KIND_OF = {other: kind for kind, others in _KINDS.items() for other in others}
_EXCLUSIVE = ("randint", "lograndint")
"""Ray's and NumPy's kinds whose upper limit is not drawn."""
_HERE = {"type", "low", "high", "log", "step", "choices", "role", "ratio_of"}
_MAX_TEXT = 200


class _Form(NamedTuple):
    """A domain of another tool: `tune.uniform(0, 1)` has the name uniform and two arguments."""

    name: str
    arguments: Sequence[Any]
    keys: Mapping[str, Any]

    @property
    def kind(self) -> str:
        return _KIND_OF.get(self.name, "float")


def spellings(given: Any) -> list[list[Any]]:
    """Returns the domains that another tool's domain may mean; none if it is not one.

    Each is a list of mappings, of which the first that suits the leaf is meant. A constant is
    returned as its value.
    """
    form = _form(given)
    if form is None:
        return []
    if isinstance(given, list) and _is_pair(given) and given[0] < given[1]:
        low, high = given
        choices = [{"type": "categorical", "choices": given}]
        return [_intervals("float", low, high, log=low > 0 and high >= 10 * low), choices]
    domains = _domains(form)
    return [domains] if domains and domains != [given] else []


def _form(given: Any) -> _Form | None:
    if isinstance(given, list | tuple):
        plain = all(
            value is None or isinstance(value, bool | int | float | str) for value in given
        )
        return _Form("choice", (list(given),), {}) if given and plain else None
    if isinstance(given, str):
        return _call(given.strip())
    return _mapping(given) if isinstance(given, dict) else None


def _mapping(given: Mapping[str, Any]) -> _Form | None:
    """Reads `{min: 0, max: 1}`, `{distribution: uniform, …}` or `{tune.uniform: [0, 1]}`."""
    if len(given) == 1:
        (key, value), *_ = given.items()
        if _plain_name(key) in _KIND_OF and key not in _NAMES:
            if isinstance(value, dict):
                return _Form(_plain_name(key), (), _named(value))
            is_list = isinstance(value, list) and _KIND_OF[_plain_name(key)] != "choice"
            return _Form(_plain_name(key), value if is_list else [value], {})
    keys = _named(given)
    if isinstance(given.get("attributes"), dict):
        keys |= _named(given["attributes"])
    kind = _plain_name(keys.pop("kind", ""))
    if given.get("type") in tuple(DOMAINS) and set(given) <= _HERE:
        return None
    between = keys.pop("between", ())
    arguments = between if isinstance(between, list) else [between]
    if (
        kind not in _KIND_OF
        and not {"low", "high", "choices", "value"} & set(keys)
        and not arguments
    ):
        return None
    name = kind or next((key for key in ("choices", "value") if key in keys), "float")
    if _KIND_OF.get(name) == "choice" and len(arguments) > 1:
        arguments = [arguments]
    return _Form(name, arguments, keys)


def _named(given: Mapping[str, Any]) -> dict[str, Any]:
    return {_NAMES[key]: value for key, value in given.items() if key in _NAMES}


def _plain_name(name: object) -> str:
    """Returns `uniform` for tune.uniform, suggest_uniform, UniformDistribution and q_uniform."""
    last = str(name).rpartition(".")[2]
    words = re.sub(r"[^a-z]", "", last.lower())
    return words.removeprefix("suggest").removesuffix("distribution").removesuffix("parameter")


def _call(text: str) -> _Form | None:
    """Reads `tune.uniform(0, 1)`, `tag(log, interval(1e-4, 1e-2))`, `(0, 1)` or `1e-3,1e-2`."""
    if len(text) > _MAX_TEXT or not re.search(r"[(,\[]", text):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    if isinstance(tree, ast.Tuple | ast.List):
        return _form([_literal(item) for item in tree.elts])
    return _call_of(tree) if isinstance(tree, ast.Call) else None


def _call_of(call: ast.Call) -> _Form | None:
    name = _plain_name(ast.unparse(call.func))
    if name == "tag":  # Hydra's: tags, then the domain
        inner = call.args[-1] if call.args else None
        form = _call_of(inner) if isinstance(inner, ast.Call) else None
        is_log = any(isinstance(tag, ast.Name) and tag.id == "log" for tag in call.args[:-1])
        return form._replace(keys={**form.keys, "log": is_log}) if form else None
    if name not in _KIND_OF:
        return None
    arguments = [_literal(item) for item in call.args]
    keys = _named({item.arg: _literal(item.value) for item in call.keywords if item.arg})
    if len(arguments) > 1 and isinstance(arguments[0], str) and not isinstance(arguments[1], str):
        del arguments[0]  # The name of the parameter, as in hp.uniform("lr", 0, 1).
    if _KIND_OF[name] == "choice" and len(arguments) > 1:
        arguments = [arguments]
    return _Form(name, arguments, keys)


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return ast.unparse(node)


def _domains(form: _Form) -> list[Any]:
    """Returns the domains of this project that a form may mean, the likeliest first."""
    arguments = list(form.arguments)
    if form.kind == "value":
        value = form.keys.get("value", arguments[0] if arguments else None)
        return [] if value is None or isinstance(value, list | dict) else [value]
    if form.kind == "choice" or "choices" in form.keys:
        choices = form.keys.get("choices", arguments[0] if arguments else None)
        choices = list(choices) if isinstance(choices, list | tuple) else [choices]
        plain = all(isinstance(choice, bool | int | float | str) for choice in choices)
        return [{"type": "categorical", "choices": list(dict.fromkeys(choices))}] if plain else []
    if len(arguments) == 1 and form.kind in ("int", "intlog"):
        arguments = [0, *arguments]
    low, high = (
        form.keys.get(name, arguments[place] if place < len(arguments) else None)
        for place, name in enumerate(("low", "high"))
    )
    step = form.keys.get("step", arguments[2] if len(arguments) > 2 else None)
    if not _is_pair([low, high]):
        return []
    high -= form.name in _EXCLUSIVE
    if low > high:
        return []
    is_log = form.keys.get("log") is True or "log" in str(form.keys.get("scale", ""))
    log = form.kind in ("log", "intlog") or is_log
    domains = _intervals("int" if form.kind.startswith("int") else "float", low, high, log, step)
    own = {key: form.keys[key] for key in ("role", "ratio_of") if key in form.keys}
    return [domain | own for domain in domains]


def _is_pair(values: Sequence[Any]) -> bool:
    return len(values) == 2 and all(
        isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300
        for value in values
    )


def _intervals(
    kind: str, low: float, high: float, log: bool = False, step: Any = None
) -> list[dict[str, Any]]:
    """Returns the intervals of both types, the given one first, and as a ratio of b0."""
    if log and low <= 0 and abs(low) < 300 and abs(high) < 300:  # exponents of e
        low, high = (float(f"{math.exp(bound):.3g}") for bound in (low, high))
    scale: dict[str, Any] = {"log": True} if log and low > 0 else {}
    if not scale and _is_pair([0, step]) and step > 0:
        scale = {"step": step}
    domains = [{"type": "float", "low": low, "high": high, **scale}]
    if all(float(bound).is_integer() for bound in (low, high, scale.get("step", 1))):
        whole = {"type": "int", "low": int(low), "high": int(high), **scale}
        whole |= {"step": int(step)} if "step" in scale else {}
        domains.insert(0 if kind == "int" else 1, whole)
    if 0 < low <= high <= 1:
        domains.append(domains[0] | {"ratio_of": "b0"})
    return domains


def finite(interval: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a few values of an interval as a domain for the grid: a step, or choices."""
    low, high = interval["low"], interval["high"]
    log, whole = interval.get("log"), interval["type"] == "int"
    if not log and not whole:
        return {**interval, "step": float(f"{(high - low) / 4:.12g}") or 1.0}
    middle = math.sqrt(low) * math.sqrt(high) if log else (low + high) / 2
    choices = (low, float(f"{middle:.3g}"), high)
    return {
        "type": "categorical",
        "choices": list(dict.fromkeys(map(round, choices) if whole else choices)),
        **{key: interval[key] for key in ("role",) if key in interval},
    }


def flow(value: Any) -> str:
    """Returns a value as YAML on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(flow, value)) + "]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        words = ("true", "false", "null", "yes", "no", "on", "off")
        plain = re.fullmatch(r"[A-Za-z_][\w.-]*", value) and value.lower() not in words
        return value if plain else "'" + value.replace("'", "''") + "'"
    return repr(value)
