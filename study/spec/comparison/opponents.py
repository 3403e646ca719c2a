"""What a configuration is compared with: another method at equal everything else, or itself with
one setting varied.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from study.errors import InputError
from study.spec.domains import Domain, FloatDomain
from study.spec.loading import dump_spec, load_spec, read_spec
from study.spec.methods import is_foreign
from study.spec.rules import shown
from study.spec.schema import StudySpec
from study.spec.yaml.messages import input_error
from study.spec.yaml.reader import Document

SAME = {"rank": "b0", "b0": "rank"}
"""Leaves that mean the same in another method: what every matrix has at the start."""
OPTIMIZER = ("lr", "head_lr", "weight_decay", "warmup_ratio", "max_grad_norm")
"""Training leaves that a method needs its own values of; the others say how long it trains."""
_MISSING = object()
_MAX_LABEL = 60


@dataclass(frozen=True)
class Opponent:
    """A configuration that another was made into, and what is to be said of that."""

    spec: StudySpec
    notes: tuple[str, ...] = ()


def opponent(path_or_name: str, first: StudySpec, overrides: Sequence[str] = ()) -> Opponent:
    """The method of a YAML file, with the rest as in `first`, a configuration.

    The file's one-valued leaves of `adapter` and of the optimizer (`OPTIMIZER`) are its own; those
    that it searches or leaves out have the values of `first`, LoRA's rank that of b0. Where
    `first` has no such leaf, what the file leaves out has its default. An optimizer leaf that the
    file searches elsewhere has the nearest value there. All else is that of `first`.

    Raises:
        InputError: the file is no study's space, or searches a leaf that `first` does not have.
    """
    theirs = load_spec(path_or_name, _known(path_or_name, overrides))
    notes: list[str] = []
    adapter: dict[str, Any] = {"method": theirs.adapter.method}
    for leaf, given in _leaves(theirs.adapter):
        value = _MISSING if _is_said(theirs.adapter, leaf) else _value_in(first, leaf, notes)
        if value is not _MISSING:
            adapter[leaf] = value
        elif isinstance(given, Domain):
            raise InputError(
                f"{path_or_name}: adapter.{leaf}: a setting that is searched must have a value in "
                f"the first configuration, but {first.adapter.method} has none; give it one value"
            )
        else:
            adapter[leaf] = given
    values: dict[str, Any] = first.model_dump() | {"adapter": adapter}
    untuned = []
    for leaf in OPTIMIZER:
        given, mine = getattr(theirs.training, leaf), values["training"][leaf]
        if _is_said(theirs.training, leaf):
            values["training"][leaf] = given
        elif isinstance(given, Domain):
            values["training"][leaf] = nearest = _nearest(given, mine)
            why = "" if nearest == mine else f" (the nearest to {mine:g} that it searches)"
            untuned.append(f"{leaf} {'none' if nearest is None else f'{nearest:g}'}{why}")
    if untuned:
        notes.append(
            f"not tuned for it: {', '.join(untuned)}; the best.yaml of a study of its own, given "
            "in its place, would be fairer"
        )
    try:
        return Opponent(StudySpec.model_validate(values), tuple(notes))
    except ValidationError as error:
        raise input_error(error, Document(path_or_name, values)) from error


def varied(first: StudySpec, text: str) -> tuple[str, StudySpec]:
    """`first` with one setting changed, and its label: `adapter.p=0` is `p=0`.

    Settings that belong together are joined by commas: `adapter.p=0,adapter.prune_mode=mask`.

    Raises:
        InputError: a setting is not known, is not of adapter or training, or changes nothing.
    """
    settings = re.split(r",(?=\s*[a-z]+\.\w+\s*=)", text)
    for setting in settings:
        if not setting.strip().startswith(("adapter.", "training.")):
            raise InputError(
                f"--vary {setting}: must be a setting of adapter or training, as in adapter.p=0, "
                f"but got {shown(setting.partition('=')[0].strip())}"
            )
    spec = read_spec(dump_spec(first), "the first configuration", settings, "--vary")
    if (spec.adapter, spec.training) == (first.adapter, first.training):
        raise InputError(
            f"--vary {text}: must change the first configuration, but it has this value already; "
            "leave it out"
        )
    label = ",".join(setting.strip().partition(".")[2].replace(" ", "") for setting in settings)
    return label[:_MAX_LABEL], spec


def _known(path_or_name: str, overrides: Sequence[str]) -> list[str]:
    """The overrides of leaves that are not taken from another configuration anyway."""
    method, known = load_spec(path_or_name).adapter.method, []
    for setting in overrides:
        section, _, leaf = setting.partition("=")[0].strip().partition(".")
        of_method = section == "adapter" and not is_foreign(method, leaf)
        if of_method or (section == "training" and leaf in OPTIMIZER):
            known.append(setting)
    return known


def _leaves(section: Any) -> list[tuple[str, Any]]:
    return [(leaf, value) for leaf, value in section if leaf != "method"]


def _is_said(section: Any, leaf: str) -> bool:
    """Whether a file gives a leaf one value."""
    return leaf in section.model_fields_set and not isinstance(getattr(section, leaf), Domain)


def _value_in(first: StudySpec, leaf: str, notes: list[str]) -> Any:
    fields = type(first.adapter).model_fields
    if leaf in fields:
        return getattr(first.adapter, leaf)
    other = SAME.get(leaf)
    if other is None or other not in fields:
        return _MISSING
    value = getattr(first.adapter, other)
    notes.append(f"{leaf} {value} is {other} of the first configuration")
    return value


def _nearest(domain: Domain, value: Any) -> Any:
    if isinstance(domain, FloatDomain) and isinstance(value, float):
        return min(max(value, domain.low), domain.high)
    return value
